//! The kernel's filter loses nothing: random rule sets over random streams give the same alerts with it and without it.
//!
//! What the kernel side decides is modelled here on events: the same tables of descriptors, the same classes, the same
//! path tables. That the kernel side does decide so is tested where it runs, in the sensor's own tests.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what ran"
)]

mod dice;
mod model;
mod rules;
mod stream;

use std::sync::Arc;

use dice::Dice;
use model::Model;
use rules::rules;
use stream::{Stream, container};
use vedette_detect::{Detector, Mode, RuleSet, Settings, TimeStyle};
use vedette_event::boot::ProcessEntry;
use vedette_event::{EventBuf, Priority, RawEvent};
use vedette_rules::catalogue::SYSCALL;
use vedette_rules::{Options, load};
use vedette_state::{Boot, State};

/// Rule sets, and events that each sees.
const SETS: u64 = 150;
const EVENTS: usize = 600;
const RULES: usize = 6;

const CWD: i64 = -100;
const OPEN: u16 = 3;
const CLOSE: u16 = 5;
const FCNTL: u16 = 151;
const CLONE: u16 = 223;
const EXEC: u16 = 293;
const OPENAT: u16 = 307;
const DUP2: u16 = 363;

fn compile(text: &str) -> Option<Arc<RuleSet>> {
    let loaded = load(
        &[("rules.yaml".to_owned(), text.to_owned())],
        &Options::default(),
    );
    let settings = Settings {
        mode: Mode::All,
        least: Priority::Debug,
        hostname: "h".into(),
        time: TimeStyle::Clock,
    };
    let rules = RuleSet::compile(&loaded.rules, SYSCALL, settings);
    (!rules.is_empty()).then(|| Arc::new(rules))
}

/// A machine: state, rules, and what they said.
struct Machine {
    state: State,
    detector: Detector,
    alerts: Vec<String>,
}

impl Machine {
    fn new(rules: &Arc<RuleSet>) -> Self {
        let mut state = State::new(vedette_state::Settings::default());
        for tid in 100..103 {
            let group = container(tid);
            state.boot(&Boot::Process(ProcessEntry {
                tid,
                pid: tid,
                ptid: 1,
                vtid: tid,
                vpid: tid,
                comm: b"cat",
                exe: b"cat",
                cwd: b"/home",
                cgroups: group.as_bytes(),
                ..ProcessEntry::default()
            }));
        }
        Self {
            state,
            detector: Detector::new(Arc::clone(rules)),
            alerts: Vec::new(),
        }
    }

    fn see(&mut self, event: &RawEvent<'_>) {
        self.state.apply(event);
        let alerts = &mut self.alerts;
        self.detector.observe(&self.state.view(event), |alert| {
            alerts.push(format!("{} {} {}", event.num, alert.rule, alert.output));
        });
    }
}

/// Runs a stream both ways. Alerts, events, and events held back.
fn compare(rules: &Arc<RuleSet>, seed: u64, what: &str) -> (u64, u64, u64) {
    let mut stream = Stream {
        dice: Dice(seed * 7919 + 13),
        buffer: EventBuf::default(),
        processes: (100..103)
            .map(|tid| (tid, vec![0, 1, 2], "cat".to_owned()))
            .collect(),
    };
    let (mut whole, mut filtered) = (Machine::new(rules), Machine::new(rules));
    let mut model = Model::new(RuleSet::prefilter([&**rules]));
    for num in 1..=EVENTS as u64 {
        let (tid, comm) = stream.next();
        let event = stream.buffer.event(num, num * 1000, tid, 0);
        whole.see(&event);
        model.pass(&event, &comm, |event, earlier| {
            // What happened earlier is no news to the rules: they could not match it then.
            if earlier {
                filtered.state.apply(event);
            } else {
                filtered.see(event);
            }
        });
        assert_eq!(
            whole.alerts.last(),
            filtered.alerts.last(),
            "{what}, seed {seed}, event {num}: {}",
            event.kind.name()
        );
        assert_eq!(
            whole.alerts.len(),
            filtered.alerts.len(),
            "{what}, seed {seed}, event {num}"
        );
    }
    (whole.alerts.len() as u64, EVENTS as u64, model.held)
}

#[test]
fn alerts_are_the_same_with_the_filter() {
    let (mut alerts, mut events, mut held, mut sets) = (0, 0, 0, 0);
    for seed in 1..=SETS {
        let mut dice = Dice(seed * 104_729);
        let text = rules(&mut dice);
        let Some(rules) = compile(&text) else {
            continue;
        };
        let (more, seen, back) = compare(&rules, seed, &text);
        alerts += more;
        events += seen;
        held += back;
        sets += 1;
    }
    println!(
        "{sets} rule sets, {events} events, {held} held back, {alerts} alerts, the same both ways"
    );
    assert!(
        sets > SETS / 2 && alerts > 1000 && held > events / 10,
        "{sets} {alerts} {held} {events}"
    );
}

#[test]
fn alerts_of_the_upstream_rules_are_the_same_with_the_filter() {
    let base = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/conformance/falco/rules"
    );
    let mut text = String::new();
    for name in [
        "falco_rules",
        "falco-incubating_rules",
        "falco-sandbox_rules",
    ] {
        let Ok(more) = std::fs::read_to_string(format!("{base}/{name}.yaml")) else {
            println!("skipped: ../shared/conformance is not there");
            return;
        };
        text += &more;
        text += "\n";
    }
    let rules = compile(&text).unwrap();
    let (mut alerts, mut events, mut held) = (0, 0, 0);
    for seed in 1..=20 {
        let (more, seen, back) = compare(&rules, seed, "upstream");
        alerts += more;
        events += seen;
        held += back;
    }
    println!("{events} events, {held} held back, {alerts} alerts, the same both ways");
    assert!(
        alerts > 100 && held > events / 10,
        "{alerts} {held} {events}"
    );
}
