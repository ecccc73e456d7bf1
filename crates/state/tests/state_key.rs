//! What a state key promises: as long as it stays, every field of `Scope::Process` stays. Held against each event of the
//! conformance captures; a plain clone skips it and says so.

mod conformance;

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value as Json;
use vedette_event::{Extract, FieldFlags, FieldRef, Scope, Values};
use vedette_scap::{Item, Reader};
use vedette_state::{Settings, State};

use conformance::{boot, render};

/// Every field that a rule may remember by the state key, with arguments where they are needed.
fn remembered() -> Vec<FieldRef> {
    vedette_event::all_fields()
        .map(|(_, info)| info)
        .filter(|info| info.scope == Scope::Process && !info.flags.has(FieldFlags::FILTER_ONLY))
        .flat_map(|info| {
            ["", "[0]", "[1]", "[2]", "[PATH]"]
                .iter()
                .filter_map(|argument| FieldRef::parse(&format!("{}{argument}", info.name)).ok())
        })
        .collect()
}

#[test]
fn fields_stay_while_the_key_stays() {
    let captures =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/falco/captures");
    let Ok(entries) = std::fs::read_dir(captures) else {
        println!("skipped: no conformance captures beside this checkout");
        return;
    };
    let fields = remembered();
    let (mut compared, mut keys) = (0u64, 0u64);
    let mut wrong = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let mut reader = Reader::new(std::io::BufReader::new(std::fs::File::open(&path).unwrap()));
        let mut state = State::new(Settings::default());
        let mut room = Values::default();
        let mut seen = HashMap::<u32, (u64, Vec<Json>)>::new();
        while let Ok(Some(item)) = reader.next() {
            if let Some(item) = boot(&item) {
                state.boot(&item);
                continue;
            }
            let (Item::Event(event) | Item::State(event)) = item else {
                continue;
            };
            state.apply(&event);
            let view = state.view(&event);
            let Some(key) = view.state_key() else {
                continue;
            };
            let values: Vec<Json> = fields
                .iter()
                .map(|field| render(&view, field, &mut room))
                .collect();
            match seen.get(&key.slot) {
                Some((version, before)) if *version == key.version => {
                    for (index, field) in fields.iter().enumerate() {
                        compared += 1;
                        if before[index] != values[index] && wrong.len() < 20 {
                            wrong.push(format!(
                                "{} event {} {} of thread {}: {} was {}, is {}",
                                path.display(),
                                event.num,
                                view.kind().name(),
                                event.tid,
                                field.info().name,
                                before[index],
                                values[index],
                            ));
                        }
                    }
                }
                _ => {
                    keys += 1;
                    seen.insert(key.slot, (key.version, values));
                }
            }
        }
    }
    println!(
        "{compared} values under {keys} keys, {} fields",
        fields.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        compared > keys,
        "keys are of no use when each holds for one event"
    );
}
