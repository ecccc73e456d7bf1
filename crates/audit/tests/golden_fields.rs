//! Values of fields against those that Falco's k8saudit plugin gave for the same records.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

mod shared;

use std::fs;
use std::io::Read;

use serde_json::Value;
use shared::{conformance, field, files, for_each_record, stem};
use vedette_audit::Source;

#[test]
fn fields_of_kubernetes_audit_records_equal_those_of_falco() {
    let Some(folder) = conformance("k8s_audit") else {
        return;
    };
    let (mut records, mut values, mut beyond) = (0, 0, 0);
    let mut wrong = Vec::new();
    for golden in files(&folder.join("golden_falco/fields"), ".zst") {
        let mut text = String::new();
        ruzstd::decoding::StreamingDecoder::new(fs::File::open(&golden).unwrap())
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        let mut answers = text.lines();
        let input = folder.join(format!("{}.jsonl", stem(&golden)));
        for_each_record(&input, Source::K8sAudit, |record| {
            // Falco ends at a record for which its plugin gives an error (a container without an image in a patch, a
            // field of the wrong type), in the midst of a line; what comes behind has no answer.
            let answer = answers.next().map(serde_json::from_str::<Value>);
            let Some(Ok(answer)) = answer else {
                beyond += 1;
                return;
            };
            records += 1;
            for (name, expected) in answer["output_fields"].as_object().unwrap() {
                if name == "evt.time" {
                    assert_eq!(expected, &field(record, "evt.rawtime"));
                    continue;
                }
                values += 1;
                let got = field(record, name);
                if got != *expected {
                    wrong.push(format!(
                        "{} record {} {name}: Falco {expected}, here {got}",
                        stem(&golden),
                        record.number()
                    ));
                }
            }
        });
        assert!(
            answers.next().is_none(),
            "{} has more answers",
            stem(&golden)
        );
    }
    println!("{records} records, {values} values, {beyond} records behind Falco's end");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
