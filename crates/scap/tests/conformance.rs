//! Every event of every conformance capture has the number, type, time, processor and thread that Falco gives it.

mod support;

use std::collections::BTreeMap;

use vedette_event::{ParamFormat, ParamType};
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

/// How Falco shows a parameter that is a number, up to what it adds in brackets; `None` for all that is not a number.
fn shown_number(ty: ParamType, format: ParamFormat, bytes: &[u8]) -> Option<String> {
    use ParamType as T;
    let signed = match ty {
        // Falco shows decimal numbers of 64 bits with a sign, whatever the table says.
        T::U64 if format == ParamFormat::Dec => true,
        T::I8 | T::I16 | T::I32 | T::I64 | T::Errno | T::Fd | T::Pid => true,
        T::U8 | T::U16 | T::U32 | T::U64 | T::Flags8 | T::Flags16 | T::Flags32 => false,
        T::EnumFlags8 | T::EnumFlags16 | T::EnumFlags32 => false,
        _ => return None,
    };
    if bytes.is_empty() {
        return Some("<NA>".into());
    }
    let mut wide = [0; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    let value = u64::from_le_bytes(wide);
    let unused = 64 - 8 * bytes.len() as u32;
    let signed_value = (value << unused) as i64 >> unused;
    let flags = !matches!(
        ty,
        T::U8 | T::U16 | T::U32 | T::U64 | T::I8 | T::I16 | T::I32 | T::I64
    );
    Some(match format {
        ParamFormat::Hex if !flags => format!("{value:X}"),
        ParamFormat::Oct if !flags && value > 0 => format!("0{value:o}"),
        _ if signed => signed_value.to_string(),
        _ => value.to_string(),
    })
}

/// The numbers among an event's parameters are those that Falco shows, whether they were in the event or came into it
/// by conversion.
#[test]
fn numbers_in_parameters_are_those_of_falco() {
    let mut compared = 0;
    let mut wrong = BTreeMap::new();
    for (name, bytes) in support::captures() {
        let Some(golden) = support::golden_fields(&name) else {
            println!("skipped: {name} has no golden fields, or there is no zstd program");
            continue;
        };
        let mut reader = Reader::new(bytes.as_slice());
        let mut golden = golden.iter();
        while let Some(item) = reader
            .next()
            .unwrap_or_else(|error| panic!("{name}: {error}"))
        {
            let Item::Event(event) = item else { continue };
            let want = golden.next().expect("as many events as Falco");
            let Some(args) = want["evt.args"].as_str() else {
                continue;
            };
            let args = format!(" {args} ");
            // Falco shows the system call's name instead of its numbers.
            if event.kind.name() == "syscall" {
                continue;
            }
            let params = event.kind.info().map_or(&[][..], |info| info.params);
            for (param, bytes) in params.iter().zip(event.params()) {
                let Some(shown) = shown_number(param.ty, param.format, bytes) else {
                    continue;
                };
                compared += 1;
                let (alone, named) = (
                    format!(" {}={shown} ", param.name),
                    format!(" {}={shown}(", param.name),
                );
                if !args.contains(&alone) && !args.contains(&named) {
                    wrong
                        .entry((event.kind.name(), param.name))
                        .or_insert_with(|| {
                            format!("{name} event {}: {alone} is not in {args}", event.num)
                        });
                }
            }
        }
    }
    println!("{compared} numbers compared");
    let wrong: Vec<_> = wrong.into_values().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
