//! Prints live events for a few seconds: `cargo run -p vedette-sensor --example watch -- [SECONDS] [EVENT…]`.
//!
//! Events are names such as `openat`; without any, everything that changes state is shown. Text is escaped.

#![allow(clippy::print_stdout, reason = "an example that prints")]

use std::time::{Duration, Instant};

use vedette_event::{EventType, ParamType, RawEvent};
use vedette_sensor::{Config, Interest, Sensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let seconds = args.next().map_or(Ok(3), |s| s.parse())?;
    let interests: Vec<Interest> = args
        .flat_map(|name| {
            EventType::by_name(&name)
                .map(Interest::from)
                .collect::<Vec<_>>()
        })
        .collect();
    let interests = if interests.is_empty() {
        Interest::for_state()
    } else {
        interests
    };
    println!("{:#?}", Sensor::probe());
    let begun = Instant::now();
    let (mut sensor, _) = Sensor::start(&Config::default(), &interests)?;
    println!("started in {:?}", begun.elapsed());
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        if sensor.poll(|event| println!("{}", show(&event))) == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    println!("{:?}", sensor.stats()?);
    for program in sensor.programs() {
        println!(
            "{}: {} instructions verified, {} runs of {} ns",
            program.name,
            program.verified_instructions,
            program.runs,
            program.run_time_ns.checked_div(program.runs).unwrap_or(0)
        );
    }
    Ok(())
}

fn show(event: &RawEvent<'_>) -> String {
    let mut line = format!(
        "{} {} {} {}",
        event.num,
        event.cpu,
        event.tid,
        event.kind.name()
    );
    let Some(info) = event.kind.info() else {
        return line;
    };
    for (param, bytes) in info.params.iter().zip(event.params()) {
        let value = match param.ty {
            ParamType::CharBuf | ParamType::FsPath | ParamType::FsRelPath => {
                format!("{:?}", String::from_utf8_lossy(bytes))
            }
            _ if matches!(bytes.len(), 1 | 2 | 4 | 8) => {
                let mut word = [0; 8];
                word[..bytes.len()].copy_from_slice(bytes);
                i64::from_le_bytes(word).to_string()
            }
            _ => format!("{}b:{:02x?}", bytes.len(), bytes.get(..24.min(bytes.len()))),
        };
        line.push_str(&format!(" {}={value}", param.name));
    }
    line
}
