//! Once tables have found their size, an event that matches nothing allocates nothing: neither where the rules are
//! evaluated nor where the state takes the event in, unless it makes a process, which owns what it is.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use allocation_counter::measure;
use vedette_detect::{Detector, Mode, RuleSet, Settings, TimeStyle};
use vedette_event::Priority;
use vedette_state::{Boot, State};
use vedette_testkit::workload::{self, Part, Plan};

/// Events of the workload: pids come round twice, and what rules remember settles.
const EVENTS: u64 = 160_000;
/// The last of them are counted.
const COUNTED: u64 = 40_000;

fn shipped() -> RuleSet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/syscall");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the shipped rules are there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    let read = |path: &Path| {
        (
            path.display().to_string(),
            fs::read_to_string(path).expect("a readable file"),
        )
    };
    let files: Vec<_> = files.iter().map(|path| read(path)).collect();
    let loaded = vedette_rules::load(&files, &vedette_rules::Options::default());
    let settings = Settings {
        mode: Mode::First,
        least: Priority::Debug,
        hostname: "test".into(),
        time: TimeStyle::Clock,
    };
    RuleSet::compile(&loaded.rules, vedette_rules::catalogue::SYSCALL, settings)
}

#[test]
fn steady_events_allocate_nothing() {
    let counted = measure(|| drop(vec![EVENTS]));
    assert_eq!(counted.count_total, 1, "the counter counts");
    let mut detector = Detector::new(Arc::new(shipped()));
    let mut state = State::default();
    let mut seen = 0;
    let mut alerts = 0;
    let mut evaluation = 0;
    let mut by_name: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let plan = Plan {
        events: EVENTS,
        seed: 7,
    };
    let done: Result<(), Infallible> = workload::record(plan, &mut |part| {
        match part {
            Part::Machine(machine) => state.boot(&Boot::Machine(machine)),
            Part::Process(process) => state.boot(&Boot::Process(process)),
            Part::Known(event) => state.apply(&event),
            Part::Event(event) => {
                seen += 1;
                let applied = measure(|| state.apply(&event)).count_total;
                let evaluated =
                    measure(|| detector.observe(&state.view(&event), |_| alerts += 1)).count_total;
                if seen > EVENTS - COUNTED {
                    let (events, allocations) = by_name.entry(event.kind.name()).or_default();
                    *events += 1;
                    *allocations += applied;
                    evaluation += evaluated;
                }
            }
        }
        Ok(())
    });
    assert_eq!(done, Ok(()));
    assert_eq!(alerts, 0, "the workload is benign");
    assert_eq!(seen, EVENTS);
    assert_eq!(evaluation, 0, "evaluation allocates nothing");
    for (name, (events, allocations)) in &by_name {
        println!("{name}: {events} events, {allocations} allocations by the state");
    }
    for (name, (_, allocations)) in by_name {
        let makes_process = matches!(name, "clone" | "execve");
        assert!(
            allocations == 0 || makes_process,
            "{name}: {allocations} allocations"
        );
    }
}
