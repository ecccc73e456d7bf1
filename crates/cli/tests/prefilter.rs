//! The kernel's filter loses nothing: random rule sets over random streams give the same alerts with it and without it.
//!
//! What the kernel side decides is modelled here on events: the same tables of descriptors, the same classes, the same
//! path tables. That the kernel side does decide so is tested where it runs, in the sensor's own tests.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what ran"
)]

use std::collections::HashMap;
use std::sync::Arc;

use vedette_detect::{Detector, Mode, RuleSet, Settings, TimeStyle};
use vedette_event::boot::ProcessEntry;
use vedette_event::{EventBuf, EventType, Priority, RawEvent};
use vedette_rules::catalogue::SYSCALL;
use vedette_rules::prefilter::{Class, OpenFilter, Prefilter};
use vedette_rules::{Options, load};
use vedette_sensor::{Interest, Outcome};
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

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

const PATHS: &[&str] = &[
    "/etc/shadow",
    "/etc/passwd",
    "/etc/pam.d/login",
    "/etc",
    "/var/log/auth.log",
    "/var/lib/x",
    "/tmp/x",
    "/tmp/../etc/shadow",
    "/tmp//x",
    "/tmp/./x",
    "/home/a/.ssh/id_rsa",
    "/root/.bashrc",
    "/proc/1/environ",
    "/usr/lib/libc.so",
    "/dev/sda",
    "shadow",
    "a/b",
    "../etc/passwd",
    "x",
    "/",
    "/etc/",
    "",
    "/etc/..",
    ".",
];
const WORDS: &[&str] = &[
    "/etc",
    "/etc/",
    "/etc/shadow",
    "shadow",
    "passwd",
    "ssh",
    "/tmp",
    "/tmp/x",
    "x",
    "id_rsa",
    "/proc/*/environ",
    "*.log",
    "/home/*/.ssh/*",
    "/var/log",
    "lib",
    "/",
    "../",
    "rc",
    "/etc/pam.d",
    "a/b",
];
const NAMES: &[&str] = &["tar", "cat", "nginx", "bash"];

fn comparison(dice: &mut Dice) -> String {
    let word = dice.pick(WORDS);
    let field = dice.pick(&[
        "fd.name",
        "fd.name",
        "fd.name",
        "fd.directory",
        "fd.filename",
        "fd.nameraw",
        "fs.path.name",
    ]);
    match dice.below(20) {
        0..=7 => {
            let op = dice.pick(&[
                "=",
                "startswith",
                "endswith",
                "contains",
                "icontains",
                "glob",
                "pmatch",
                "!=",
            ]);
            format!("{field} {op} \"{word}\"")
        }
        8 => format!("{field} in (\"{word}\", \"{}\")", dice.pick(WORDS)),
        9 => format!("evt.is_open_read={}", dice.pick(&["true", "false"])),
        10 | 11 => format!("evt.is_open_write={}", dice.pick(&["true", "false"])),
        12 => format!("proc.name={}", dice.pick(NAMES)),
        13 => format!("proc.name in ({}, {})", dice.pick(NAMES), dice.pick(NAMES)),
        14 => format!(
            "evt.arg.flags contains {}",
            dice.pick(&["O_CREAT", "O_TRUNC", "O_CLOEXEC"])
        ),
        15 => dice
            .pick(&[
                "fd.num>=0",
                "fd.num=-1",
                "evt.failed=true",
                "evt.rawres<0",
                "evt.res=SUCCESS",
                "fd.num<5",
            ])
            .to_owned(),
        16 => dice
            .pick(&["container.id=host", "container.id!=host"])
            .to_owned(),
        17 => dice
            .pick(&[
                "fd.typechar='f'",
                "fd.typechar='d'",
                "fd.type=file",
                "fd.type=ipv4",
            ])
            .to_owned(),
        18 => "evt.is_open_exec=true".to_owned(),
        _ => "proc.cmdline exists".to_owned(),
    }
}

fn condition(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.one_in(4) {
        let check = comparison(dice);
        return if dice.one_in(4) {
            format!("not ({check})")
        } else {
            check
        };
    }
    let parts: Vec<String> = (0..2 + dice.below(2))
        .map(|_| condition(dice, depth - 1))
        .collect();
    let joined = parts.join(dice.pick(&[" and ", " and ", " or "]));
    if dice.one_in(6) {
        format!("not ({joined})")
    } else {
        format!("({joined})")
    }
}

fn rules(dice: &mut Dice) -> String {
    let mut text = String::new();
    for number in 0..RULES {
        let types = dice.pick(&[
            "open, openat, openat2",
            "openat",
            "open, openat",
            "dup2, fchmod",
            "fchmod",
            "unlinkat",
            "openat, dup2",
            "execve",
            "openat, close",
            "fcntl",
        ]);
        // Closes switch the filter of opens off, so they come seldom.
        let types = if types.contains("close") && !dice.one_in(4) {
            "openat"
        } else {
            types
        };
        text += &format!(
            "- rule: r{number}\n  desc: d\n  priority: NOTICE\n  output: \"%evt.type %fd.name %fd.num %proc.name %evt.args %fd.ino\"\n  \
             condition: evt.type in ({types}) and {}\n",
            serde_json::to_string(&condition(dice, 2))
                .unwrap()
                .trim_matches('"')
                .replace("\\\"", "\"")
        );
    }
    text
}

/// A process as the kernel side keeps it.
#[derive(Clone, Default)]
struct Process {
    told: u64,
    kept: HashMap<i64, EventBuf>,
    cloexec: u64,
    named: bool,
    host: bool,
}

/// What the kernel side decides.
struct Model {
    wants: HashMap<u16, (bool, bool)>,
    opens: Option<OpenFilter>,
    closes_told: bool,
    fcntl_asked: bool,
    processes: HashMap<i64, Process>,
    held: u64,
}

impl Model {
    fn new(filter: Prefilter) -> Self {
        let mut wants: HashMap<u16, (bool, bool)> = HashMap::new();
        let mut add = |kind: EventType, success, failure| {
            let entry = wants.entry(kind.0).or_default();
            entry.0 |= success;
            entry.1 |= failure;
        };
        for want in &filter.wants {
            add(want.kind, want.success, want.failure);
        }
        for state in Interest::for_state() {
            add(state.kind, true, state.outcome == Outcome::Any);
        }
        let asked = |kind: u16| filter.wants.iter().any(|want| want.kind.0 == kind);
        let closes_told = asked(CLOSE);
        Self {
            fcntl_asked: asked(FCNTL),
            closes_told,
            opens: filter.opens.filter(|_| !closes_told),
            wants,
            processes: HashMap::new(),
            held: 0,
        }
    }

    /// Lets an event through, after what has to be told first (marked with true), or holds it back.
    fn pass(
        &mut self,
        event: &RawEvent<'_>,
        comm: &str,
        mut tell: impl FnMut(&RawEvent<'_>, bool),
    ) {
        let result = event.signed(0).unwrap_or(0);
        let (success, failure) = self.wants.get(&event.kind.0).copied().unwrap_or_default();
        let tid = event.tid;
        let names = |comm: &str, opens: &Option<OpenFilter>| {
            opens
                .as_ref()
                .is_some_and(|opens| opens.names.iter().any(|name| **name == *comm.as_bytes()))
        };
        if !(if result < 0 { failure } else { success }) {
            self.held += 1;
            return;
        }
        let named = names(comm, &self.opens);
        let process = self.processes.entry(tid).or_insert_with(|| Process {
            told: u64::MAX,
            named,
            host: tid % 2 == 0,
            ..Process::default()
        });
        match event.kind.0 {
            CLOSE => {
                let fd = event.signed(1).unwrap();
                process.kept.remove(&fd);
                let known = process.told >> fd & 1 == 1;
                process.told &= !(1 << fd);
                if !known && !self.closes_told {
                    self.held += 1;
                    return;
                }
            }
            FCNTL if !self.fcntl_asked && !matches!(event.unsigned(2), Some(1 | 3)) => {
                self.held += 1;
                return;
            }
            OPEN | OPENAT => {
                if let Some(opens) = &self.opens
                    && !wanted(opens, event, process)
                {
                    self.held += 1;
                    if result >= 0 {
                        let flags = event
                            .unsigned(if event.kind.0 == OPEN { 2 } else { 3 })
                            .unwrap();
                        if flags & 1 << 12 != 0 {
                            process.cloexec |= 1 << result;
                        } else {
                            process.cloexec &= !(1 << result);
                        }
                        let mut kept = EventBuf::default();
                        kept.start(event.kind);
                        event.params().for_each(|param| {
                            kept.push(param);
                        });
                        process.kept.insert(result, kept);
                    }
                    return;
                }
            }
            _ => {}
        }
        // Descriptors that the event names.
        let fds: &[usize] = match event.kind.name() {
            "openat" | "fchmod" | "unlinkat" | "fcntl" => &[1],
            "dup2" => &[1, 2],
            _ => &[],
        };
        for fd in fds.iter().filter_map(|index| event.signed(*index)) {
            if let Some(kept) = process.kept.remove(&fd) {
                process.told |= 1 << fd;
                tell(&kept.event(event.num, event.ts, tid, 0), true);
            }
        }
        let copies = event.kind.0 != FCNTL || event.unsigned(2) == Some(1);
        if result >= 0 && matches!(event.kind.0, OPEN | OPENAT | DUP2 | FCNTL) && copies {
            process.told |= 1 << result;
            process.kept.remove(&result);
        }
        if event.kind.0 == EXEC {
            let ended = process.cloexec;
            process.kept.retain(|fd, _| ended >> fd & 1 == 0);
            process.cloexec = 0;
            process.named = named;
        }
        if event.kind.0 == CLONE && result == 0 {
            // The child tells of itself first; what it has comes from its parent.
            let parent = event.signed(5).unwrap();
            if let Some(parent) = self.processes.get(&parent).cloned() {
                let host = tid % 2 == 0;
                let named = parent.named || named;
                self.processes.insert(
                    tid,
                    Process {
                        host,
                        named,
                        ..parent
                    },
                );
            }
        }
        tell(event, false);
    }
}

fn wanted(opens: &OpenFilter, event: &RawEvent<'_>, process: &Process) -> bool {
    let (path, flags, mode) = if event.kind.0 == OPEN {
        (1, 2, 3)
    } else {
        (2, 3, 4)
    };
    let (flags, mode) = (
        event.unsigned(flags).unwrap(),
        event.unsigned(mode).unwrap(),
    );
    let result = event.signed(0).unwrap();
    let mut class = (flags & 0b11) as u8;
    for (holds, bit) in [
        (flags & 1 << 2 != 0, Class::CREATE),
        (flags & 1 << 6 != 0, Class::TRUNCATE),
        (flags & 1 << 2 != 0 && mode & 0o111 != 0, Class::EXECUTABLE),
        (result >= 0, Class::OPENED),
        (process.host, Class::HOST),
        (process.named, Class::NAMED),
    ] {
        if holds {
            class |= bit;
        }
    }
    let path = event.text(path).unwrap_or_default();
    // What starts from a directory is told, and what is empty; failures only where any path can matter.
    if !path.starts_with(b"/") {
        return result >= 0 || opens.wants(Class(class), path);
    }
    opens.wants(Class(class), path)
}

/// A stream of events that hang together.
struct Stream {
    dice: Dice,
    buffer: EventBuf,
    /// Descriptors of each process, and its name.
    processes: Vec<(i64, Vec<i64>, String)>,
}

impl Stream {
    fn put(&mut self, kind: u16, params: &[Param]) {
        self.buffer.start(EventType(kind));
        for param in params {
            match param {
                Param::N(n) => self.buffer.push(&n.to_le_bytes()),
                Param::W(n) => self.buffer.push(&n.to_le_bytes()),
                Param::B(n) => self.buffer.push(&[*n]),
                Param::T(text) => self.buffer.push_text(text.as_bytes()),
                Param::Nothing => self.buffer.push(&[]),
            };
        }
    }

    /// The next event: which thread, and the name that its process has then. The event is in `buffer`.
    fn next(&mut self) -> (i64, String) {
        use Param::{B, N, T, W};
        let at = self.dice.below(self.processes.len());
        let (tid, mut fds, mut comm) = self.processes[at].clone();
        let open = |dice: &mut Dice, fds: &[i64]| {
            fds.get(dice.below(fds.len().max(1))).copied().unwrap_or(40)
        };
        let lowest = (3..62).find(|fd| !fds.contains(fd)).unwrap_or(62);
        let path = self.dice.pick(PATHS).to_owned();
        let failed = self.dice.one_in(4);
        let flags = [
            1,
            1,
            2,
            3,
            2 | 4,
            2 | 64,
            2 | 4 | 64,
            1 | 1 << 12,
            1 | 1 << 10,
        ][self.dice.below(9)];
        let mode = if flags & 4 == 0 {
            0
        } else {
            [0o644, 0o755][self.dice.below(2)]
        };
        match self.dice.below(20) {
            0..=7 => {
                let result = if failed { -2 } else { lowest };
                let kind = if self.dice.one_in(3) { OPEN } else { OPENAT };
                let ino = self.dice.below(1000) as i64;
                if kind == OPEN {
                    self.put(OPEN, &[N(result), T(path), W(flags), W(mode), W(1), N(ino)]);
                } else {
                    let dirfd = if self.dice.one_in(3) {
                        open(&mut self.dice, &fds)
                    } else {
                        CWD
                    };
                    self.put(
                        OPENAT,
                        &[
                            N(result),
                            N(dirfd),
                            T(path),
                            W(flags),
                            W(mode),
                            W(1),
                            N(ino),
                        ],
                    );
                }
                if result >= 0 {
                    fds.push(result);
                }
            }
            8..=11 => {
                let fd = open(&mut self.dice, &fds);
                let result = if fds.contains(&fd) { 0 } else { -9 };
                self.put(CLOSE, &[N(result), N(fd)]);
                fds.retain(|other| *other != fd);
            }
            12 | 13 => {
                let (old, new) = (open(&mut self.dice, &fds), 3 + self.dice.below(20) as i64);
                let result = if fds.contains(&old) { new } else { -9 };
                self.put(DUP2, &[N(result), N(old), N(new)]);
                if result >= 0 && !fds.contains(&new) {
                    fds.push(new);
                }
            }
            14 => {
                let fd = open(&mut self.dice, &fds);
                self.put(317, &[N(if failed { -1 } else { 0 }), N(fd), W(0o4755)]);
            }
            15 => {
                let fd = open(&mut self.dice, &fds);
                self.put(303, &[N(if failed { -1 } else { 0 }), N(fd), T(path), W(0)]);
            }
            16 => {
                let fd = open(&mut self.dice, &fds);
                let command = [1, 2, 3, 4][self.dice.below(4)];
                let result = match (fds.contains(&fd), command) {
                    (false, _) => -9,
                    (true, 1) => lowest,
                    _ => 0,
                };
                self.put(FCNTL, &[N(result), N(fd), B(command), N(1)]);
                if command == 1 && result >= 0 {
                    fds.push(result);
                }
            }
            17 => {
                let result = if failed { -2 } else { 0 };
                let to = self.dice.pick(&["/etc", "/tmp", "..", "pam.d"]).to_owned();
                self.put(95, &[N(result), T(to)]);
            }
            18 if self.processes.len() < 12 => {
                let child = self.processes.iter().map(|(tid, ..)| *tid).max().unwrap() + 1;
                self.clone(child, tid, &comm);
                self.processes.push((child, fds, comm.clone()));
                return (child, comm);
            }
            _ => {
                comm = self.dice.pick(NAMES).to_owned();
                // What ends with it is not known here; the numbers may be used again either way.
                self.exec(tid, &comm);
            }
        }
        self.processes[at] = (tid, fds, comm.clone());
        (tid, comm)
    }

    fn clone(&mut self, child: i64, parent: i64, comm: &str) {
        use Param::{N, Nothing, T, W};
        let comm = || T(comm.to_owned());
        let group = container(child);
        self.put(
            CLONE,
            &[
                N(0),
                comm(),
                Nothing,
                N(child),
                N(child),
                N(parent),
                T(String::new()),
                N(1024),
                N(0),
                N(0),
                W(0),
                W(0),
                W(0),
                comm(),
                T(group),
                W(0),
                W(0),
                W(0),
                N(child),
                N(child),
                N(0),
            ],
        );
    }

    fn exec(&mut self, tid: i64, comm: &str) {
        use Param::{N, Nothing, T, W};
        let name = || T(comm.to_owned());
        let group = container(tid);
        self.put(
            EXEC,
            &[
                N(0),
                name(),
                Nothing,
                N(tid),
                N(tid),
                N(1),
                T(String::new()),
                N(1024),
                N(0),
                N(0),
                W(0),
                W(0),
                W(0),
                name(),
                T(group),
                Nothing,
                W(0),
                N(1),
                W(-1),
                W(0),
                N(0),
                N(0),
                N(0),
                N(0),
                N(0),
                N(0),
                W(0),
                T(format!("/bin/{comm}")),
                N(1),
                W(0),
                T(format!("/bin/{comm}")),
            ],
        );
    }
}

/// Every second process is in a container.
fn container(tid: i64) -> String {
    if tid % 2 == 0 {
        "memory=/".to_owned()
    } else {
        format!("memory=/docker/{}", "0123456789abcdef".repeat(4))
    }
}

enum Param {
    N(i64),
    W(i32),
    B(u8),
    T(String),
    Nothing,
}

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
