//! What evaluation costs: compile time, nanoseconds and allocations per event with the upstream system call rules, over
//! a made-up mix of what servers do all day. `cargo bench -p vedette-rules --bench evaluate`
//!
//! The source answers from tables, so what is measured is the program and not the extraction of fields.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/fake/mod.rs"]
mod fake;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use fake::{Dice, Given, Own, field};
use vedette_event::{EventType, Extract, Extracted, FieldArg, FieldRef, StateKey, Value, Values};
use vedette_rules::program::{Evaluator, Mode, Program};
use vedette_rules::typed::Rule;

const RULE_FILES: &[&str] = &[
    "falco_rules.yaml",
    "falco-incubating_rules.yaml",
    "falco-sandbox_rules.yaml",
];

/// Events of the mix, and how often it is run through.
const EVENTS: usize = 100_000;
const ROUNDS: u32 = 20;

/// Values by field, packed as a state engine would keep them.
#[derive(Clone, Default)]
struct Table {
    /// Place of each field in `given`, by field number; 0 for none.
    place: Arc<[u8]>,
    given: Vec<Given>,
    with_argument: Vec<(FieldRef, Given)>,
}

impl Table {
    fn set(&mut self, name: &str, given: Given) {
        let field = field(name);
        if field.arg != FieldArg::None {
            self.with_argument.push((field, given));
            return;
        }
        let index = usize::from(field.id.0);
        let mut place = self.place.to_vec();
        if place.len() <= index {
            place.resize(index + 1, 0);
        }
        self.given.push(given);
        place[index] = self.given.len() as u8;
        self.place = place.into();
    }

    fn text(&mut self, name: &str, text: &str) {
        self.set(name, Given::One(Own::Text(text.into())));
    }

    fn number(&mut self, name: &str, number: i64) {
        self.set(name, Given::One(Own::I64(number)));
    }

    fn flag(&mut self, name: &str, flag: bool) {
        self.set(name, Given::One(Own::Bool(flag)));
    }

    fn get(&self, field: &FieldRef) -> Option<&Given> {
        if field.arg == FieldArg::None {
            let place = *self.place.get(usize::from(field.id.0))?;
            return self.given.get(usize::from(place).checked_sub(1)?);
        }
        let same = |(known, _): &&(FieldRef, Given)| known.id == field.id && known.arg == field.arg;
        self.with_argument.iter().find(same).map(|(_, given)| given)
    }
}

struct Event<'t> {
    kind: EventType,
    num: u64,
    key: StateKey,
    process: &'t Table,
    own: &'t Table,
    type_field: &'t FieldRef,
}

impl Extract for Event<'_> {
    fn kind(&self) -> EventType {
        self.kind
    }
    fn num(&self) -> u64 {
        self.num
    }
    fn ts(&self) -> u64 {
        self.num
    }
    fn state_key(&self) -> Option<StateKey> {
        Some(self.key)
    }
    fn extract<'s>(&'s self, field: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
        if field.id == self.type_field.id {
            return Extracted::One(Value::Text(self.kind.name().as_bytes()));
        }
        match self.own.get(field).or_else(|| self.process.get(field)) {
            None => Extracted::Missing,
            Some(Given::One(own)) => Extracted::One(own.value()),
            Some(Given::Many(list)) => {
                room.clear();
                for own in list {
                    room.push(own.value());
                }
                Extracted::Many(room)
            }
        }
    }
}

/// A server's processes.
fn processes() -> Vec<Table> {
    let names = [
        (
            "nginx",
            "containerd-shim",
            "nginx: worker process",
            "a1b2c3d4e5f6",
        ),
        (
            "postgres",
            "containerd-shim",
            "postgres: checkpointer",
            "b1b2c3d4e5f6",
        ),
        ("java", "tini", "java -Xmx2g -jar app.jar", "c1b2c3d4e5f6"),
        ("python3", "sh", "python3 /srv/worker.py", "d1b2c3d4e5f6"),
        (
            "kubelet",
            "systemd",
            "kubelet --config /var/lib/kubelet/config.yaml",
            "host",
        ),
        ("containerd", "systemd", "containerd", "host"),
        ("systemd-journal", "systemd", "systemd-journald", "host"),
        ("sshd", "systemd", "sshd: me [priv]", "host"),
        ("bash", "sshd", "-bash", "host"),
        ("cron", "systemd", "cron -f", "host"),
    ];
    (0..60)
        .map(|index| {
            let (name, parent, line, container) = names[index % names.len()];
            let mut table = Table::default();
            table.text("proc.name", name);
            table.text("proc.pname", parent);
            table.text("proc.exe", name);
            table.text("proc.exepath", &format!("/usr/bin/{name}"));
            table.text("proc.pexepath", &format!("/usr/bin/{parent}"));
            table.text("proc.cmdline", line);
            table.text("proc.pcmdline", parent);
            table.text(
                "proc.args",
                line.split_once(' ').map_or("", |(_, args)| args),
            );
            table.text("proc.sname", "systemd");
            table.text("user.name", "root");
            table.text("container.id", container);
            table.text("proc.cwd", "/");
            let ancestors = [parent, "systemd"].map(|name| Own::Text(name.into()));
            table.set("proc.aname", Given::Many(ancestors.into()));
            for depth in 2..8 {
                table.text(&format!("proc.aname[{depth}]"), "systemd");
            }
            for number in ["proc.pid", "proc.vpid", "proc.ppid", "proc.sid", "proc.tty"] {
                table.number(number, 0);
            }
            for number in ["user.uid", "user.loginuid", "proc.duration"] {
                table.number(number, 0);
            }
            for flag in ["proc.is_exe_upper_layer", "proc.is_exe_writable"] {
                table.flag(flag, false);
            }
            table.flag("thread.ismain", true);
            if container != "host" {
                table.text("container.image.repository", "docker.io/library/app");
                table.text("container.name", "app");
                table.flag("container.privileged", false);
            }
            table
        })
        .collect()
}

/// An event's own facts.
fn facts(kind: &str, path: &str) -> Table {
    let mut table = Table::default();
    table.number("evt.rawres", 3);
    table.text("evt.res", "SUCCESS");
    table.flag("evt.failed", false);
    if kind == "SOCKET_SOCKET_X" {
        table.text("evt.arg.domain", "AF_INET");
        return table;
    }
    table.number("fd.num", 3);
    if kind == "SOCKET_CONNECT_X" {
        table.text("fd.name", "10.0.0.4:40022->10.0.0.9:5432");
        table.text("fd.type", "ipv4");
        table.text("fd.typechar", "4");
        table.text("fd.l4proto", "tcp");
        for side in ["fd.sip", "fd.snet", "fd.rip"] {
            table.set(side, Given::One(Own::Ip([10, 0, 0, 9].into())));
        }
        table.set("fd.sport", Given::One(Own::U64(5432)));
        return table;
    }
    table.text("fd.type", "file");
    table.text("fd.typechar", "f");
    table.text("fd.name", path);
    table.text("fd.nameraw", path);
    let (directory, file) = path.rsplit_once('/').unwrap_or(("/", path));
    table.text("fd.directory", directory);
    table.text("fd.filename", file);
    if kind.contains("OPEN") {
        let writes = path.starts_with("/var/log");
        table.flag("evt.is_open_read", !writes);
        table.flag("evt.is_open_write", writes);
        table.flag("evt.is_open_exec", false);
        table.text("evt.arg.flags", "O_RDONLY|O_CLOEXEC");
        table.text("evt.arg.name", path);
    }
    table
}

/// Tables of the same fields find them in the same way, which then stays in the processor's cache.
fn share_places<'t>(tables: impl Iterator<Item = &'t mut Table>) {
    let mut known: Vec<Arc<[u8]>> = Vec::new();
    for table in tables {
        match known.iter().find(|place| **place == table.place) {
            Some(place) => table.place = Arc::clone(place),
            None => known.push(Arc::clone(&table.place)),
        }
    }
}

fn paths() -> Vec<String> {
    let folders = [
        "/usr/lib/x86_64-linux-gnu",
        "/proc/self",
        "/srv/www/assets",
        "/var/log/app",
    ];
    (0..300)
        .map(|index| format!("{}/file-{index}.so", folders[index % 4]))
        .collect()
}

/// Shares of a thousand.
const MIX: &[(&str, usize)] = &[
    ("SYSCALL_OPENAT_2_X", 330),
    ("SYSCALL_READ_X", 260),
    ("SYSCALL_CLOSE_X", 230),
    ("SYSCALL_WRITE_X", 100),
    ("SYSCALL_MMAP_X", 50),
    ("SOCKET_CONNECT_X", 15),
    ("SOCKET_SOCKET_X", 15),
];

fn main() {
    let Some(rules) = upstream_rules() else {
        println!("skipped: the upstream rules are not here");
        return;
    };
    let mut times: Vec<_> = (0..20)
        .map(|_| {
            let start = Instant::now();
            black_box(Program::compile(&rules));
            start.elapsed()
        })
        .collect();
    times.sort();
    let program = Arc::new(Program::compile(&rules));
    let (nodes, checks) = program.size();
    println!("rules: {}", program.rules());
    println!("nodes: {nodes} of which comparisons: {checks}");
    println!("event types wanted: {}", program.kinds().count());
    println!(
        "compile: {:.2} ms (median of 20)",
        times[10].as_secs_f64() * 1e3
    );

    let type_field = field("evt.type");
    let mut processes = processes();
    share_places(processes.iter_mut());
    let paths = paths();
    let mut shown: BTreeMap<(usize, usize), Table> = BTreeMap::new();
    let mut dice = Dice::new(7);
    let mut plan = Vec::new();
    for _ in 0..EVENTS {
        let mut share = dice.below(1000);
        let kind = MIX
            .iter()
            .position(|(_, part)| match share.checked_sub(*part) {
                Some(rest) => {
                    share = rest;
                    false
                }
                None => true,
            })
            .expect("shares add up to a thousand");
        // Few files are used most of the time.
        let path = dice.below(paths.len()).min(dice.below(paths.len()));
        shown
            .entry((kind, path))
            .or_insert_with(|| facts(MIX[kind].0, &paths[path]));
        plan.push((kind, path, dice.below(processes.len())));
    }
    share_places(shown.values_mut());
    let kinds: Vec<_> = MIX
        .iter()
        .map(|(symbol, _)| EventType::by_symbol(symbol).expect(symbol))
        .collect();
    let events: Vec<_> = plan
        .iter()
        .enumerate()
        .map(|(num, (kind, path, process))| Event {
            kind: kinds[*kind],
            num: num as u64 + 1,
            key: StateKey {
                slot: *process as u32,
                version: 1,
            },
            process: &processes[*process],
            own: &shown[&(*kind, *path)],
            type_field: &type_field,
        })
        .collect();

    let mut evaluator = Evaluator::new(Arc::clone(&program));
    let mut found = Vec::with_capacity(rules.len());
    let mut matched = 0;
    for event in &events {
        evaluator.matches(event, Mode::First, &mut found);
        matched += found.len();
    }
    println!("matching events: {matched} of {EVENTS}");
    let quiet: Vec<&Event<'_>> = events
        .iter()
        .filter(|event| {
            evaluator.matches(*event, Mode::First, &mut found);
            found.is_empty()
        })
        .collect();
    report("mix", &quiet, &mut evaluator);
    for (kind, (symbol, _)) in kinds.iter().zip(MIX) {
        let some: Vec<_> = quiet
            .iter()
            .copied()
            .filter(|event| event.kind == *kind)
            .collect();
        report(symbol, &some, &mut evaluator);
    }
    changing(&quiet, &mut evaluator);
}

fn report(name: &str, events: &[&Event<'_>], evaluator: &mut Evaluator) {
    if events.is_empty() {
        return;
    }
    let mut found = Vec::with_capacity(8);
    let mut best = f64::MAX;
    let info = allocation_counter::measure(|| {
        for _ in 0..ROUNDS {
            let start = Instant::now();
            for event in events {
                evaluator.matches(*event, Mode::First, &mut found);
                black_box(&found);
            }
            best = best.min(start.elapsed().as_secs_f64() * 1e9 / events.len() as f64);
        }
    });
    println!(
        "{name}: {best:.1} ns/event, {} allocations",
        info.count_total
    );
}

/// The same mix from processes that change every hundred events.
fn changing(events: &[&Event<'_>], evaluator: &mut Evaluator) {
    let mut version = 1;
    let mut found = Vec::with_capacity(8);
    let start = Instant::now();
    for (num, event) in events.iter().enumerate() {
        version += u64::from(num % 100 == 0);
        let key = StateKey {
            slot: event.key.slot,
            version,
        };
        evaluator.matches(&Event { key, ..**event }, Mode::First, &mut found);
        black_box(&found);
    }
    let each = start.elapsed().as_secs_f64() * 1e9 / events.len() as f64;
    println!("all processes change every 100 events: {each:.1} ns/event");
}

/// The upstream rules when they are at hand.
fn upstream_rules() -> Option<Vec<Rule>> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/falco/rules");
    let texts: Option<Vec<_>> = RULE_FILES
        .iter()
        .map(|name| {
            Some((
                (*name).to_owned(),
                std::fs::read_to_string(folder.join(name)).ok()?,
            ))
        })
        .collect();
    let texts = texts?;
    let loaded = vedette_rules::load(&texts, &vedette_rules::Options::default());
    Some(loaded.rules.into_iter().map(|loaded| loaded.rule).collect())
}
