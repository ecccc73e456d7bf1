//! Prints findings of a made-up cluster as agents send them: `records COUNT END_SECONDS`, one JSON object a line, times in
//! the hour before END. They are others than those that `measure` fills a store with. `tools/bench-store` sends them.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for developers, which prints and may stop at the first error"
)]

use std::io::{BufWriter, Write};

use vedette_testkit::history::{Plan, records};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let count: u64 = arguments[1].parse().unwrap();
    let end = arguments[2].parse::<u64>().unwrap() * 1_000_000_000;
    let plan = Plan {
        from: end - 3_600_000_000_000,
        seed: 2,
        ..Plan::fortnight(count, end)
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    for record in records(plan) {
        serde_json::to_writer(&mut out, &record).unwrap();
        out.write_all(b"\n").unwrap();
    }
    out.flush().unwrap();
}
