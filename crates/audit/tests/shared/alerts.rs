//! Rule files over records: alerts as Falco writes them.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use vedette_audit::{Source, Splitter};
use vedette_detect::{Detector, Mode, RuleSet, Settings, TimeStyle};
use vedette_event::Priority;
use vedette_rules::Options;

/// Rule files for records of a source, loaded without `append_output`; panics on an error in them.
pub(crate) fn rule_set(files: &[impl AsRef<Path>], source: Source) -> Arc<RuleSet> {
    compile(&texts(files), source, Mode::First)
}

/// As [`rule_set`], for every matching rule of a record, not the first.
pub(crate) fn every_match(files: &[impl AsRef<Path>], source: Source) -> Arc<RuleSet> {
    compile(&texts(files), source, Mode::All)
}

fn compile(files: &[(String, String)], source: Source, mode: Mode) -> Arc<RuleSet> {
    let options = Options {
        append_output: Vec::new(),
        ..Options::default()
    };
    let loaded = vedette_rules::load(files, &options);
    assert!(!loaded.has_errors(), "{:#?}", loaded.diagnostics);
    let settings = Settings {
        mode,
        least: Priority::Debug,
        hostname: "golden".into(),
        time: TimeStyle::Clock,
    };
    Arc::new(RuleSet::compile(&loaded.rules, source.name(), settings))
}

fn texts(files: &[impl AsRef<Path>]) -> Vec<(String, String)> {
    files
        .iter()
        .map(|file| {
            let file = file.as_ref();
            (
                file.display().to_string(),
                std::fs::read_to_string(file).unwrap(),
            )
        })
        .collect()
}

/// Alerts over a file, as Falco writes them.
pub(crate) fn alerts(rules: &Arc<RuleSet>, input: &[u8], source: Source) -> Vec<Value> {
    let mut detector = Detector::new(Arc::clone(rules));
    let mut alerts = Vec::new();
    let mut splitter = Splitter::new(Some(source)).with_hostname("golden");
    splitter.feed(input, true, &mut |record| {
        // Input that holds no record is skipped, as by Falco.
        let Ok(record) = record else { return };
        detector.observe(record, |alert| {
            alerts.push(json!({
                "rule": *alert.rule,
                "priority": alert.priority.name(),
                "source": *alert.source,
                "tags": *alert.tags,
                "output": alert.output,
                "output_fields": serde_json::from_str::<Value>(&alert.fields).unwrap(),
            }));
        });
    });
    alerts
}
