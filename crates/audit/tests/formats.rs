//! Every finding that we write fits the schemas of those who read it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

mod shared;

use std::path::Path;

use serde_json::Value;
use shared::schema::complaints;
use shared::{conformance, files, for_each_record};
use vedette_audit::Source;
use vedette_audit::anomaly::Settings;
use vedette_audit::findings::{
    Analysis, Detector, Finding, Findings, Origin, Sequences, Setup, Signal, catalogue,
};
use vedette_audit::format::{OcsfVersion, asff, guardduty, guardduty_event, ocsf};
use vedette_audit::lists::{Format, List, ListKind, Lists, parse};

fn schema(folder: &Path, file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap()
}

/// Every finding over the recorded scenarios and trails, with lists on which every caller is, and a sample of each type.
fn every_finding(origin: &Origin, root: &Path) -> Vec<Finding> {
    let mut lists = Lists::new();
    for kind in [ListKind::Threat, ListKind::Custom, ListKind::Tor] {
        let (entries, _) = parse(Format::Txt, b"0.0.0.0/0\n::/0\n");
        lists.add(List::new(format!("{kind:?}"), kind, entries));
    }
    let mut detector = Detector::new(origin.clone(), lists);
    let mut findings = Findings::default();
    let mut hits = Vec::new();
    let audit = files(&root.join("k8s_audit"), ".jsonl");
    let trails = files(&root.join("cloudtrail/stratus"), ".json");
    let sources = audit
        .iter()
        .map(|file| (file, Source::K8sAudit))
        .chain(trails.iter().map(|file| (file, Source::AwsCloudtrail)));
    for (file, source) in sources {
        for_each_record(file, source, |record| {
            detector.observe(record, &mut hits);
            for hit in hits.drain(..) {
                findings.add(origin, hit);
            }
        });
    }
    let mut all: Vec<Finding> = findings.sorted().into_iter().cloned().collect();
    let mut sequences = Sequences::default();
    for finding in &all {
        sequences.observe(Signal::of(finding));
    }
    let raised = sequences.raised();
    assert!(!raised.is_empty());
    println!("{} incidents", raised.len());
    let incidents = raised
        .iter()
        .map(|incident| Finding::new(origin, incident.hit()));
    all.extend(incidents.collect::<Vec<_>>());
    let mut analysis = Analysis::new(Setup {
        // Everything sensitive is told, so that every shape of explanation is met.
        habits: Some(Settings {
            learning_days: 0,
            budget: 1e6,
            floor: 0.0,
            ..Settings::default()
        }),
        ..Setup::default()
    });
    let sources = audit
        .iter()
        .map(|file| (file, Source::K8sAudit))
        .chain(trails.iter().map(|file| (file, Source::AwsCloudtrail)));
    for (file, source) in sources {
        for_each_record(file, source, |record| {
            analysis.observe(record, &mut |_, _| {});
        });
    }
    let unusual = analysis.findings().sorted().into_iter();
    let unusual: Vec<Finding> = unusual
        .filter(|finding| finding.hit.detection.is_some())
        .cloned()
        .collect();
    println!("{} findings of the model and of sequences", unusual.len());
    assert!(unusual.len() > 20);
    all.extend(unusual);
    assert!(all.len() > 100, "{}", all.len());
    if let Some(first) = all.first_mut() {
        first.archived = true;
        first.suppressed_by = Some("a rule".into());
    }
    all.extend(
        catalogue::all()
            .iter()
            .chain(catalogue::OWN)
            .map(|kind| Finding::sample(origin, kind.name, 1_795_297_153_170_454_000)),
    );
    all
}

#[test]
fn findings_fit_the_schemas_of_guardduty_security_hub_and_ocsf() {
    let Some(root) = conformance("guardduty") else {
        return;
    };
    let origin = Origin::default();
    let findings = every_finding(&origin, root.parent().unwrap());
    let guardduty_schema = schema(&root, "guardduty_finding.schema.json");
    let asff_schema = schema(&root, "asff_finding.schema.json");
    let ocsf_schemas = OcsfVersion::ALL.map(|version| {
        let file = format!(
            "../ocsf_schema/detection_finding_{}.schema.json",
            version.name()
        );
        (version, schema(&root, &file))
    });
    let mut validated = 0;
    let mut check = |schema: &Value, value: &Value| {
        validated += 1;
        let complaints = complaints(schema, value);
        assert!(
            complaints.is_empty(),
            "{}\n{value:#}",
            complaints.join("\n")
        );
    };
    for finding in &findings {
        check(&guardduty_schema, &guardduty(finding, &origin));
        check(&asff_schema, &asff(finding, &origin));
        for (version, schema) in &ocsf_schemas {
            let event = ocsf(finding, &origin, *version);
            check(schema, &event);
            // The schemas allow members that they do not know; ours has none.
            for key in event.as_object().unwrap().keys() {
                assert!(
                    schema.pointer(&format!("/properties/{key}")).is_some(),
                    "{} does not know {key}",
                    version.name()
                );
            }
        }
        let event = guardduty_event(finding, &origin);
        assert_eq!(event["detail"]["id"], finding.id.as_str());
    }
    println!(
        "{} findings, {validated} documents validated",
        findings.len()
    );
}

#[test]
fn the_validator_sees_what_is_wrong() {
    let schema: Value = serde_json::from_str(
        r##"{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","required":["x"],"additionalProperties":false,"properties":{"x":{"type":"array","items":{"enum":["u","v"]}}}}}}"##,
    )
    .unwrap();
    let wrong = |text: &str| complaints(&schema, &serde_json::from_str(text).unwrap()).len();
    assert_eq!(wrong(r#"{"x":["u"]}"#), 0);
    assert_eq!(wrong(r#"{"x":["w"],"y":1}"#), 2);
    assert_eq!(wrong("{}"), 1);
    assert_eq!(wrong(r#"{"x":1}"#), 1);
}
