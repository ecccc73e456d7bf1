//! Live events through the state engine: the same fields as on replay.

use std::process::Command;
use std::time::{Duration, Instant};

use vedette_event::{Extract, Extracted, FieldRef, Value, Values};
use vedette_sensor::bootstrap::{Fact, Scan};
use vedette_sensor::{Config, Interest, Sensor};
use vedette_state::{Boot, Settings, State};

#[test]
fn fields_of_a_live_process() {
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: the live sensor is only tested as root");
        return;
    }
    let (mut sensor, _) = Sensor::start(&Config::default(), &Interest::for_state()).unwrap();
    let mut state = State::new(Settings::default());
    Scan::default().run(&mut |fact| {
        state.boot(&match fact {
            Fact::Machine(m) => Boot::Machine(m),
            Fact::User(u) => Boot::User(u),
            Fact::Group(g) => Boot::Group(g),
            Fact::Process(p) => Boot::Process(p),
            Fact::Descriptor(tid, entry) => Boot::Fd { tid, entry },
        });
    });
    // Not a link, as some have it.
    let exepath = std::fs::canonicalize("/bin/cat").unwrap();
    let mut child = Command::new("/bin/cat")
        .arg("hostname")
        .current_dir("/etc")
        .spawn()
        .unwrap();
    child.wait().unwrap();

    let fields = [
        "proc.name",
        "proc.cmdline",
        "proc.exepath",
        "proc.cwd",
        "fd.name",
        "user.name",
        "evt.type",
    ]
    .map(|name| FieldRef::parse(name).unwrap());
    let mut found = None;
    let mut room = Values::default();
    let until = Instant::now() + Duration::from_secs(10);
    while found.is_none() && Instant::now() < until {
        sensor.wait(Duration::from_millis(5));
        sensor.poll(|event| {
            state.apply(&event);
            let view = state.view(&event);
            let mut texts = Vec::new();
            for field in &fields {
                texts.push(match view.extract(field, &mut room) {
                    Extracted::One(Value::Text(text)) => String::from_utf8_lossy(text).into_owned(),
                    _ => String::new(),
                });
            }
            if texts[4] == "/etc/hostname"
                && texts[6] == "openat"
                && event.tid == i64::from(child.id())
            {
                found = Some(texts);
            }
        });
    }
    assert_eq!(
        found.expect("the open of a file"),
        [
            "cat",
            "cat hostname",
            exepath.to_str().unwrap(),
            "/etc/",
            "/etc/hostname",
            "root",
            "openat"
        ]
    );
}
