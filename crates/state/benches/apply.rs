//! How long an event takes: open, read, write, close, over and over, by one of 200 processes.

#![allow(clippy::print_stdout, reason = "a benchmark says its result")]

use std::hint::black_box;
use std::time::Instant;

use vedette_event::boot::ProcessEntry;
use vedette_event::{EventBuf, EventType, Extract, FieldRef, Values};
use vedette_state::{Boot, Settings, State};

const PROCESSES: i64 = 200;
const ROUNDS: u64 = 2_000_000;

fn event(symbol: &str, parameters: &[&[u8]]) -> EventBuf {
    let mut buffer = EventBuf::default();
    buffer.start(EventType::by_symbol(symbol).expect("a symbol of the event table"));
    for parameter in parameters {
        buffer.push(parameter);
    }
    buffer
}

fn main() {
    let mut state = State::new(Settings::default());
    for tid in 1..=PROCESSES {
        state.boot(&Boot::Process(ProcessEntry {
            tid,
            pid: tid,
            ptid: tid / 2,
            comm: b"server",
            exe: b"server",
            cwd: b"/srv",
            ..ProcessEntry::default()
        }));
    }
    let fd = 7i64.to_le_bytes();
    let result = 512i64.to_le_bytes();
    let (flags, size) = (1u32.to_le_bytes(), 512u32.to_le_bytes());
    let cycle = [
        event(
            "SYSCALL_OPENAT_2_X",
            &[
                &fd,
                &(-100i64).to_le_bytes(),
                b"data/file.txt\0",
                &flags,
                &flags,
                &flags,
                &fd,
            ],
        ),
        event("SYSCALL_READ_X", &[&result, &[b'x'; 80], &fd, &size]),
        event("SYSCALL_WRITE_X", &[&result, &[b'x'; 80], &fd, &size]),
        event("SYSCALL_CLOSE_X", &[&0i64.to_le_bytes(), &fd]),
    ];
    let run = |state: &mut State, fields: &[FieldRef], room: &mut Values| {
        let start = Instant::now();
        for round in 0..ROUNDS {
            let tid = (round / 4 * 17 % PROCESSES as u64) as i64 + 1;
            let event = cycle[(round % 4) as usize].event(round, round * 1000, tid, 0);
            state.apply(&event);
            let view = state.view(&event);
            for field in fields {
                black_box(view.extract(field, room));
            }
            black_box(view.state_key());
        }
        start.elapsed().as_secs_f64() * 1e9 / ROUNDS as f64
    };
    let mut room = Values::default();
    run(&mut state, &[], &mut room);
    let bare = run(&mut state, &[], &mut room);
    let fields: Vec<FieldRef> = [
        "evt.type",
        "fd.name",
        "proc.name",
        "proc.pname",
        "container.id",
    ]
    .iter()
    .map(|name| FieldRef::parse(name).expect("a field of the catalogue"))
    .collect();
    let asked = run(&mut state, &fields, &mut room);
    println!("apply: {bare:.1} ns per event");
    println!("apply and {} fields: {asked:.1} ns per event", fields.len());
}
