//! Every field of the oracle, for every event of every capture, against what real Falco derived.
//!
//! The captures and answers lie beside the checkout; a plain clone skips this test and says so. Answers are compressed,
//! so the `zstd` program is needed too. `FIELDS_SHOW=field[,field…]` prints the first `FIELDS_LIMIT`
//! differences of those fields, `FIELDS_ONLY=part` takes only the captures with that part in their name.

mod conformance;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;
use vedette_event::boot::{Group, User};
use vedette_event::{Extract, FieldRef, Values};
use vedette_scap::{Item, Reader};
use vedette_state::{Boot, Settings, State};

use conformance::{boot, render};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/falco")
}

fn answers(name: &str) -> Option<Vec<serde_json::Map<String, Json>>> {
    let path = root().join(format!("golden/fields/{name}.jsonl.zst"));
    let output = Command::new("zstd").arg("-dcq").arg(path).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines()
        .map(|line| {
            let Json::Object(mut record) = serde_json::from_str(line).ok()? else {
                return None;
            };
            match record.remove("output_fields")? {
                Json::Object(fields) => Some(fields),
                _ => None,
            }
        })
        .collect()
}

#[test]
fn fields_equal_those_of_falco() {
    let captures = root().join("captures");
    let Ok(entries) = std::fs::read_dir(&captures) else {
        println!("skipped: no conformance captures beside this checkout");
        return;
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".scap").map(str::to_owned))
        .collect();
    names.sort();
    let show: Vec<String> = std::env::var("FIELDS_SHOW")
        .map(|text| text.split(',').map(str::to_owned).collect())
        .unwrap_or_default();
    let only = std::env::var("FIELDS_ONLY").ok();
    let limit: u32 = std::env::var("FIELDS_LIMIT").map_or(12, |text| text.parse().unwrap());
    let mut per_field: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut shown = BTreeMap::<String, u32>::new();
    let (mut compared, mut missing_events) = (0u64, 0u64);
    for name in names {
        if only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let Some(wanted) = answers(&name) else {
            println!("skipped: no answers for {name}, or no zstd program");
            continue;
        };
        let fields: Vec<(String, FieldRef)> = wanted
            .first()
            .map(|first| {
                first
                    .keys()
                    .map(|key| (key.clone(), FieldRef::parse(key).unwrap()))
                    .collect()
            })
            .unwrap_or_default();
        let file = std::fs::File::open(captures.join(format!("{name}.scap"))).unwrap();
        let mut reader = Reader::new(std::io::BufReader::new(file));
        let mut state = State::new(Settings::default());
        oracle_accounts(&mut state);
        let mut room = Values::default();
        let mut wanted = wanted.into_iter().peekable();
        let (mut same_here, mut all_here) = (0u64, 0u64);
        loop {
            let item = match reader.next() {
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(error) => {
                    println!("{name}: {error}");
                    break;
                }
            };
            if let Some(item) = boot(&item) {
                state.boot(&item);
                continue;
            }
            let event = match item {
                Item::Event(event) => event,
                Item::State(event) => {
                    state.apply(&event);
                    continue;
                }
                _ => continue,
            };
            state.apply(&event);
            let view = state.view(&event);
            while wanted
                .peek()
                .is_some_and(|w| w["evt.num"].as_u64().unwrap() < event.num)
            {
                wanted.next();
                missing_events += 1;
            }
            if wanted
                .peek()
                .is_none_or(|w| w["evt.num"].as_u64().unwrap() != event.num)
            {
                continue;
            }
            let answer = wanted.next().unwrap();
            for (key, field) in &fields {
                let got = render(&view, field, &mut room);
                let want = &answer[key];
                let entry = per_field.entry(key.clone()).or_default();
                entry.1 += 1;
                all_here += 1;
                compared += 1;
                if got == *want {
                    entry.0 += 1;
                    same_here += 1;
                } else if show.iter().any(|s| s == key || s == "all") {
                    let count = shown.entry(key.clone()).or_default();
                    *count += 1;
                    if *count <= limit {
                        println!(
                            "{name} {} {} tid {} {key}: want {} got {} [{}]",
                            event.num,
                            view.kind().name(),
                            event.tid,
                            from_difference(want, &got),
                            from_difference(&got, want),
                            short(&answer["evt.args"]),
                        );
                    }
                }
            }
        }
        missing_events += wanted.count() as u64;
        println!("{name}: {same_here}/{all_here} {:?}", state.stats());
    }
    let agreed: u64 = per_field.values().map(|(same, _)| same).sum();
    for (field, (same, all)) in &per_field {
        if same != all {
            println!(
                "{field}: {same}/{all} = {:.4} %",
                *same as f64 * 100.0 / *all as f64
            );
        }
    }
    println!(
        "fields: {agreed}/{compared} = {:.4} %, {missing_events} events missing",
        agreed as f64 * 100.0 / compared.max(1) as f64
    );
    assert_eq!(missing_events, 0, "events that Falco shows were not seen");
    if only.is_none() {
        assert_eq!(agreed, compared, "fields differ from those of Falco");
    }
}

/// Falco asks the machine on which it reads a capture for accounts that the capture does not tell. These are the ones of
/// the machine that made the answers that show in them.
fn oracle_accounts(state: &mut State) {
    for (uid, name) in [(101, "postgres"), (1000, "cloudsdk")] {
        state.boot(&Boot::User(User {
            uid,
            gid: uid,
            name: name.as_bytes(),
            home: b"",
            shell: b"",
        }));
    }
    for (gid, name) in [(102, "messagebus"), (103, "ssl-cert"), (1000, "cloudsdk")] {
        state.boot(&Boot::Group(Group {
            gid,
            name: name.as_bytes(),
        }));
    }
}

fn short(value: &Json) -> String {
    value.to_string().chars().take(160).collect()
}

/// The value from shortly before where it differs from `other`.
fn from_difference(value: &Json, other: &Json) -> String {
    let (text, other) = (value.to_string(), other.to_string());
    let same = text
        .chars()
        .zip(other.chars())
        .take_while(|(a, b)| a == b)
        .count();
    text.chars()
        .skip(same.saturating_sub(24))
        .take(160)
        .collect()
}
