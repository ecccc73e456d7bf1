//! Splitting: envelopes, pieces, damage, bounds.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

mod shared;

use std::fmt::Write;

use shared::{conformance, field, files};
use vedette_audit::{Fault, FaultKind, Source, Splitter};

/// What splitting gives: the numbers of the records' fields `key`, and the faults.
fn split(source: Option<Source>, pieces: &[&[u8]], key: &str) -> (Vec<String>, Vec<Fault>) {
    let (mut records, mut faults) = (Vec::new(), Vec::new());
    let mut splitter = Splitter::new(source);
    for (at, piece) in pieces.iter().enumerate() {
        splitter.feed(piece, at + 1 == pieces.len(), &mut |found| match found {
            Ok(record) => records.push(field(record, key).as_str().unwrap_or("-").to_owned()),
            Err(fault) => faults.push(fault),
        });
    }
    (records, faults)
}

fn k8s(id: u32) -> String {
    format!(
        r#"{{"kind":"Event","auditID":"{id}","stage":"ResponseComplete","verb":"get","stageTimestamp":"2026-11-21T21:39:13.17Z"}}"#
    )
}

fn trail(id: u32) -> String {
    format!(
        r#"{{"eventVersion":"1.08","eventID":"{id}","eventName":"GetObject","eventSource":"s3.amazonaws.com","eventTime":"2026-11-21T21:39:13Z"}}"#
    )
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

#[test]
fn every_envelope_is_opened() {
    let (a, b) = (k8s(1), k8s(2));
    let list = format!(r#"{{"kind":"EventList","metadata":{{}},"items":[{a},{b}]}}"#);
    for input in [
        format!("{a}\n{b}\n"),
        format!("{a}{b}"),
        format!("[{a},\n {b}]"),
        list.clone(),
        format!("\n[ {list} ]"),
        format!(
            r#"{{"messageType":"DATA_MESSAGE","logGroup":"/aws/eks/x/cluster","logEvents":[{{"id":"1","timestamp":1,"message":{}}},{{"id":"2","timestamp":1,"message":{}}}]}}"#,
            quoted(&a),
            quoted(&b)
        ),
        format!(
            r#"{{"events":[{{"message":{},"timestamp":1,"ingestionTime":2}},{{"message":{},"timestamp":1,"ingestionTime":2}}]}}"#,
            quoted(&a),
            quoted(&b)
        ),
        format!("2026-11-21T21:39:13.170Z {a}\n2026-11-21T21:39:13.170Z {b}\n"),
        format!(
            r#"[{{"@timestamp":"x","@message":{}}},{{"@timestamp":"x","@message":{}}}]"#,
            quoted(&a),
            quoted(&b)
        ),
        format!(
            r#"{{"records":[{{"category":"kube-audit","properties":{{"log":{}}}}},{{"category":"kube-audit","properties":{{"log":{}}}}}]}}"#,
            quoted(&a),
            quoted(&b)
        ),
    ] {
        for source in [None, Some(Source::K8sAudit)] {
            let (records, faults) = split(source, &[input.as_bytes()], "ka.auditid");
            assert_eq!(
                (records, faults),
                (vec!["1".into(), "2".into()], vec![]),
                "{input}"
            );
        }
    }

    let (a, b) = (trail(1), trail(2));
    let bridge = |record: &str| {
        format!(
            r#"{{"version":"0","detail-type":"AWS API Call via CloudTrail","detail":{record}}}"#
        )
    };
    for input in [
        format!(r#"{{"Records":[{a},{b}]}}"#),
        format!("{}\n{}", bridge(&a), bridge(&b)),
        format!(
            r#"{{"Records":[{{"messageId":"1","body":{}}},{{"messageId":"2","body":{}}}]}}"#,
            quoted(&bridge(&a)),
            quoted(&format!(
                r#"{{"Type":"Notification","TopicArn":"t","Message":{}}}"#,
                quoted(&b)
            ))
        ),
        format!(
            r#"{{"Events":[{{"EventId":"1","CloudTrailEvent":{}}},{{"EventId":"2","CloudTrailEvent":{}}}]}}"#,
            quoted(&a),
            quoted(&b)
        ),
        format!(
            r#"{{"eventData":{a},"metadata":{{}}}} {{"eventJson":{}}}"#,
            quoted(&b)
        ),
    ] {
        for source in [None, Some(Source::AwsCloudtrail)] {
            let (records, faults) = split(source, &[input.as_bytes()], "ct.id");
            assert_eq!(
                (records, faults),
                (vec!["1".into(), "2".into()], vec![]),
                "{input}"
            );
        }
    }
}

#[test]
fn a_damaged_line_costs_that_line_and_says_where() {
    let (a, b, c) = (k8s(1), k8s(2), k8s(3));
    let cut = &b[..40];
    let input = format!("{a}\n{cut}\nplain words\n[]\n{{\"auditID\":1}}\n[1]\n{c}\n{{\"x\":");
    let (records, faults) = split(Some(Source::K8sAudit), &[input.as_bytes()], "ka.auditid");
    assert_eq!(records, ["1", "3"]);
    let places: Vec<_> = faults.iter().map(|f| (f.line, f.column, f.kind)).collect();
    assert_eq!(
        places,
        [
            (2, 41, FaultKind::LineInText),
            (3, 1, FaultKind::NoValue),
            (5, 1, FaultKind::NoTime),
            (6, 2, FaultKind::NotARecord),
            (8, 6, FaultKind::Incomplete),
        ]
    );
    assert_eq!(faults[0].offset as usize, a.len() + 1 + 40);
    assert_eq!(faults[4].offset as usize, input.len());
}

#[test]
fn pieces_of_any_size_give_the_same_records_and_faults() {
    let mut input = String::new();
    for id in 0..20 {
        writeln!(input, "{}", k8s(id)).unwrap();
        if id % 7 == 3 {
            writeln!(input, "{{\"cut").unwrap();
        }
    }
    write!(
        input,
        "{{\"kind\":\"EventList\",\n \"items\":[{},\n{}]}}",
        k8s(20),
        k8s(21)
    )
    .unwrap();
    let whole = split(None, &[input.as_bytes()], "ka.auditid");
    assert_eq!((whole.0.len(), whole.1.len()), (22, 3));
    for size in [1, 2, 3, 17, 100, 1000] {
        let pieces: Vec<&[u8]> = input.as_bytes().chunks(size).collect();
        assert_eq!(
            split(None, &pieces, "ka.auditid"),
            whole,
            "pieces of {size}"
        );
    }
}

#[test]
fn records_that_are_too_large_are_told_and_the_rest_is_read() {
    let large = format!(
        r#"{{"auditID":"x","stage":"s","stageTimestamp":"2026-11-21T21:39:13Z","requestObject":"{}"}}"#,
        "a".repeat(vedette_audit::MAX_RECORD)
    );
    let input = format!("{}\n{large}\n{}\n", k8s(1), k8s(2));
    let (records, faults) = split(None, &[input.as_bytes()], "ka.auditid");
    assert_eq!(records, ["1", "2"]);
    assert_eq!(faults.len(), 1);
    assert_eq!(
        (faults[0].line, faults[0].kind),
        (2, FaultKind::RecordTooLarge)
    );

    // A document without an end is dropped once it is larger than what is held.
    let blank = vec![b' '; 1 << 20];
    let mut pieces: Vec<&[u8]> = vec![b"{\"a\":"];
    pieces.extend(std::iter::repeat_n(&blank[..], 70));
    let tail = format!("\n{}\n", k8s(3));
    pieces.push(tail.as_bytes());
    let (records, faults) = split(Some(Source::K8sAudit), &pieces, "ka.auditid");
    assert_eq!(records, ["3"]);
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].kind, FaultKind::DocumentTooLarge);
}

#[test]
fn envelopes_cannot_be_nested_without_end() {
    let mut input = k8s(1);
    for _ in 0..9 {
        input = format!(r#"{{"detail-type":"x","detail":{input}}}"#);
    }
    let (records, faults) = split(None, &[input.as_bytes()], "ka.auditid");
    assert!(records.is_empty());
    assert_eq!(faults[0].kind, FaultKind::EnvelopesTooDeep);
}

#[test]
fn any_bytes_are_survived() {
    // A small deterministic generator: mutated records, cut and joined anywhere.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let seed = format!("{}\n{{\"Records\":[{}]}}\n", k8s(1), trail(2));
    let marks = b"{}[]\",:\\\nu0 \x00\xff";
    let (mut records, mut faults) = (0, 0);
    for _ in 0..20_000 {
        let mut bytes = seed.clone().into_bytes();
        for _ in 0..=next(5) {
            let at = next(bytes.len());
            bytes[at] = marks[next(marks.len())];
        }
        let cut = next(bytes.len());
        let mut splitter = Splitter::new(None);
        let mut sink = |found: Result<&vedette_audit::Record<'_>, Fault>| match found {
            Ok(record) => {
                records += 1;
                for name in [
                    "jevt.obj",
                    "ct.info",
                    "ka.uri.param[a]",
                    "json.value[/Records/0]",
                ] {
                    field(record, name);
                }
            }
            Err(fault) => {
                faults += 1;
                assert!(fault.line >= 1 && fault.column >= 1);
            }
        };
        splitter.feed(&bytes[..cut], false, &mut sink);
        splitter.feed(&bytes[cut..], true, &mut sink);
    }
    println!("{records} records, {faults} faults");
    assert!(records > 10_000 && faults > 1_000);
}

#[test]
fn webhook_posts_are_the_log() {
    let Some(folder) = conformance("k8s_audit/webhook_batches") else {
        return;
    };
    let (mut records, mut posts) = (0, 0);
    for file in files(&folder, "") {
        let bytes = std::fs::read(&file).unwrap();
        posts += 1;
        let mut splitter = Splitter::new(None);
        splitter.feed(&bytes, true, &mut |found| {
            found.unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
            records += 1;
        });
    }
    println!("{records} records in {posts} files");
    assert!(records > 0);
}

#[test]
fn times_are_given_in_the_zone_that_was_asked_for() {
    let line =
        r#"{"auditID":"a","stage":"ResponseComplete","stageTimestamp":"2026-07-01T22:30:00Z"}"#;
    let zone = vedette_audit::Zone::new(|seconds| if seconds > 0 { 7200 } else { 0 });
    let mut splitter = Splitter::new(Some(Source::K8sAudit)).with_zone(zone);
    let mut times = Vec::new();
    splitter.feed(line.as_bytes(), true, &mut |record| {
        let record = record.unwrap();
        for name in ["evt.time.s", "evt.datetime.s", "evt.time.iso8601"] {
            times.push(field(record, name));
        }
    });
    assert_eq!(
        times,
        [
            "00:30:00",
            "2026-07-02 00:30:00",
            "2026-07-01T22:30:00.000000000+0000"
        ]
    );
}
