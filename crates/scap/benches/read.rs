//! How fast captures are decoded: events and bytes a second, plain and compressed, new events and old ones.
//!
//! `cargo bench -p vedette-scap`. Uses the conformance captures when they are beside this checkout, else made-up events.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints and may end on any error"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use vedette_event::{EventBuf, EventType};
use vedette_scap::{Compression, Item, Options, Reader, Writer};

/// Bytes of the stream that is decoded: far more than any cache holds.
const STREAM: u64 = 96 * 1024 * 1024;

/// Time that each line is measured for.
const ENOUGH: Duration = Duration::from_secs(2);

/// A stream of the events of one capture, as they were written, over and over.
fn repeat(capture: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), None);
    while writer.written() < STREAM {
        let mut reader = Reader::with_options(capture, Options { convert: false });
        while let Some(item) = reader.next().unwrap() {
            if let Item::Event(_) = item {
                writer.write(&item).unwrap();
            }
        }
    }
    writer.finish().unwrap()
}

/// Opens, reads and closes of one thread, in today's form.
fn made_up() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), None);
    let mut buf = EventBuf::default();
    for ts in 0..10_000u64 {
        buf.start(EventType::by_symbol("SYSCALL_READ_X").unwrap());
        buf.push(&80i64.to_le_bytes()).push(&[b'x'; 80]);
        buf.push(&3i64.to_le_bytes()).push(&4096u32.to_le_bytes());
        writer.write(&Item::Event(buf.event(0, ts, 42, 0))).unwrap();
    }
    writer.finish().unwrap()
}

fn gzip(stream: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Some(Compression::default()));
    let mut reader = Reader::with_options(stream, Options { convert: false });
    while let Some(item) = reader.next().unwrap() {
        writer.write(&item).unwrap();
    }
    writer.finish().unwrap()
}

fn measure(name: &str, file: &[u8], stream_len: usize, convert: bool) {
    let mut rounds = 0u32;
    let mut events = 0;
    let mut best = Duration::MAX;
    let begin = Instant::now();
    while begin.elapsed() < ENOUGH {
        let round = Instant::now();
        let mut reader = Reader::with_options(file, Options { convert });
        let mut sum = 0u64;
        while let Some(item) = reader.next().unwrap() {
            if let Item::Event(event) = item {
                sum = sum.wrapping_add(event.ts);
            }
        }
        std::hint::black_box(sum);
        events = reader.stats().events;
        best = best.min(round.elapsed());
        rounds += 1;
    }
    let seconds = best.as_secs_f64();
    println!(
        "{name:<44} {:>6.1} M events/s {:>6.0} MB/s  ({events} events, best of {rounds})",
        events as f64 / seconds / 1e6,
        stream_len as f64 / seconds / 1e6,
    );
}

fn main() {
    let captures =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/falco/captures");
    let mut inputs = vec![(String::from("made-up reads"), made_up())];
    for name in [
        "recorded__attack_host_falco0.44.1_k6.18",
        "sf-collector__tests_mpm-preforked_full_capture",
    ] {
        match std::fs::read(captures.join(format!("{name}.scap"))) {
            Ok(bytes) => inputs.push((name.to_owned(), bytes)),
            Err(_) => println!("skipped: {name} is not beside this checkout"),
        }
    }
    for (name, capture) in inputs {
        let short: String = name.chars().take(24).collect();
        let stream = repeat(&capture);
        measure(&format!("{short}, plain"), &stream, stream.len(), true);
        measure(
            &format!("{short}, plain, as written"),
            &stream,
            stream.len(),
            false,
        );
        let packed = gzip(&stream);
        measure(&format!("{short}, gzip"), &packed, stream.len(), true);
    }
}
