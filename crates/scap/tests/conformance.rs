//! Every event of every conformance capture has the number, type, time, processor and thread that Falco gives it.

mod support;

use vedette_scap::{Item, Reader};

#[test]
fn events_are_those_of_falco() {
    let mut cases = 0;
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (name, bytes) in support::captures() {
        let Some(golden) = support::golden_fields(&name) else {
            println!("skipped: {name} has no golden fields, or there is no zstd program");
            continue;
        };
        cases += 1;
        let mut reader = Reader::new(bytes.as_slice());
        let mut index = 0;
        while let Some(item) = reader
            .next()
            .unwrap_or_else(|error| panic!("{name}: {error}"))
        {
            let Item::Event(event) = item else { continue };
            let got = serde_json::json!({
                "evt.num": event.num,
                "evt.rawtime": event.ts,
                "evt.type": event.kind.name(),
                "evt.cpu": event.cpu,
                "thread.tid": event.tid,
            });
            let want = golden.get(index);
            index += 1;
            compared += 1;
            for (field, value) in got.as_object().expect("an object") {
                let wanted = want.map(|want| &want[field]);
                // These are named after a parameter: the system call, or what a plugin calls its event. That is not the
                // reader's business.
                if field == "evt.type" && matches!(event.kind.name(), "syscall" | "asyncevent") {
                    continue;
                }
                // An event without a thread has no thread id.
                if field == "thread.tid" && wanted.is_some_and(serde_json::Value::is_null) {
                    continue;
                }
                if wanted != Some(value) && wrong.len() < 20 {
                    wrong.push(format!(
                        "{name} event {}: {field} is {value}, Falco says {wanted:?}",
                        event.num
                    ));
                }
            }
        }
        if index != golden.len() {
            wrong.push(format!(
                "{name}: {index} events, Falco has {}",
                golden.len()
            ));
        }
        let stats = reader.stats();
        if stats.unknown_events + stats.malformed_events + stats.unconvertible > 0 {
            wrong.push(format!("{name}: {stats:?}"));
        }
    }
    println!("{cases} captures, {compared} events compared");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
