//! Records in, findings out: the detectors with whatever rules stand beside them.

use std::sync::Arc;

use vedette_audit::findings::{Analysis, Change, Finding, Hit, Signal};
use vedette_audit::{Record, Source};
use vedette_detect::{Detector, Mode, RuleSet, Settings, TimeStyle};
use vedette_event::Priority;
use vedette_rules::load::LoadedRule;

/// The analysis and the rules of every log source.
pub(crate) struct Judge {
    /// What the detectors know and found.
    pub(crate) analysis: Analysis,
    rules: Vec<(Source, Detector)>,
}

impl Judge {
    /// A judge with these rules; those of other sources than logs are left out.
    pub(super) fn new(analysis: Analysis, rules: &[LoadedRule], hostname: &Arc<str>) -> Self {
        let settings = Settings {
            // Each rule is a finding of its own.
            mode: Mode::All,
            least: Priority::Debug,
            hostname: Arc::clone(hostname),
            time: TimeStyle::Iso8601,
        };
        let rules = Source::ALL
            .into_iter()
            .map(|source| {
                (
                    source,
                    RuleSet::compile(rules, source.name(), settings.clone()),
                )
            })
            .filter(|(_, set)| !set.is_empty())
            .map(|(source, set)| (source, Detector::new(Arc::new(set))))
            .collect();
        Self { analysis, rules }
    }

    /// Takes in a finding of another engine, as agents write them; false when the record is none. Sequences join it with
    /// what the logs say.
    fn signal(&mut self, record: &Record<'_>, tell: &mut dyn FnMut(Change, &Finding)) -> bool {
        let json = record.json();
        if !json
            .get("record")
            .is_some_and(|kind| kind.is_text("finding"))
        {
            return false;
        }
        match serde_json::from_slice(json.raw()) {
            Ok(vedette_event::Record::Finding(finding)) => {
                let signal = Signal::of_wire(&finding);
                self.analysis.signal(signal, finding.time, tell);
                true
            }
            _ => false,
        }
    }

    /// Judges a record; `tell` gets findings that are new or went on for long enough.
    pub(crate) fn observe(&mut self, record: &Record<'_>, tell: &mut dyn FnMut(Change, &Finding)) {
        if record.source() == Source::Json && self.signal(record, tell) {
            return;
        }
        if !self.analysis.observe(record, tell) {
            return;
        }
        let source = record.source();
        let Some((_, rules)) = self.rules.iter_mut().find(|(known, _)| *known == source) else {
            return;
        };
        let analysis = &mut self.analysis;
        rules.observe(record, |alert| {
            let hit = Hit::of_alert(&alert, record, analysis.origin());
            analysis.take(hit, tell);
        });
    }
}
