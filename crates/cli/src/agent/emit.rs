//! Where what the agent finds goes: standard output, the outputs and the server. Secrets go no further than this.

use std::io::Write;

use anyhow::Context;
use serde_json::Value as Json;
use vedette_detect::{Describer, Redactor};
use vedette_event::{
    Action, Activity, Alert, Extract, Finding, JsonKeys, Priority, Process, Record,
};
use vedette_outputs::{Fanout, Format, Full, Snapshot, Spec};
use vedette_rules::typed::Expr;

use super::config::{Config, Server, Shown};
use super::server::Shipper;
use super::tree;

/// Everything that takes alerts, findings and activity.
pub(crate) struct Emit {
    keys: JsonKeys,
    shown: Shown,
    tree: bool,
    redactor: Option<Redactor>,
    describer: Describer,
    specs: Vec<Spec>,
    fanout: Fanout,
    shipper: Option<Shipper>,
    alerts: u64,
    /// Events known to be lost, which findings say.
    pub(crate) lost: u64,
    proposed: Vec<Finding>,
    line: String,
    failure: Option<std::io::Error>,
}

impl Emit {
    /// Nothing is open yet but standard output.
    pub(crate) fn new(config: &Config) -> Self {
        let keys = JsonKeys::default();
        Self {
            keys,
            shown: config.shown,
            tree: config.tree,
            redactor: config.redact.as_deref().map(Redactor::new),
            describer: Describer::default(),
            specs: Vec::new(),
            fanout: Fanout::new(Full::Drop, keys),
            shipper: None,
            alerts: 0,
            lost: 0,
            proposed: Vec::new(),
            line: String::new(),
            failure: None,
        }
    }

    /// Opens the way to the server.
    pub(crate) fn ship_to(&mut self, server: &Server) -> anyhow::Result<()> {
        self.shipper = Some(Shipper::open(server)?);
        Ok(())
    }

    /// Applies a configuration, opening the outputs that it names. When one cannot be opened, those at work stay.
    pub(crate) fn apply(&mut self, config: &Config) -> anyhow::Result<()> {
        self.shown = config.shown;
        self.tree = config.tree;
        self.redactor = config.redact.as_deref().map(Redactor::new);
        if config.outputs != self.specs {
            let next = outputs(&config.outputs, self.keys)?;
            let before = std::mem::replace(&mut self.fanout, next);
            self.specs.clone_from(&config.outputs);
            // what is still queued is delivered without holding up events
            std::thread::spawn(move || drop(before));
        }
        Ok(())
    }

    /// Sends an alert on its way, with the finding behind it to whoever takes findings. `condition` is that of its rule,
    /// `actions` what was done about it.
    pub(crate) fn alert<E: Extract + ?Sized>(
        &mut self,
        mut alert: Alert,
        condition: Option<&Expr>,
        actions: Vec<Action>,
        event: &E,
    ) {
        let described = self.shipper.is_some() || self.shown == Shown::Finding;
        let finding = described.then(|| {
            let mut finding = self.describer.finding(&alert, condition, event, self.lost);
            finding.actions = actions;
            finding
        });
        let lineage = if self.tree && self.shown == Shown::Text {
            self.describer.lineage(event)
        } else {
            Vec::new()
        };
        if let Some(redactor) = &self.redactor {
            redactor.alert(&mut alert);
        }
        self.send(&alert, lineage, finding);
    }

    /// Takes a finding that other parts may answer before it goes on its way.
    pub(crate) fn propose(&mut self, finding: Finding) {
        self.proposed.push(finding);
    }

    /// What was proposed since the last call.
    pub(crate) fn proposed(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.proposed)
    }

    /// Sends a finding that no rule made. Whoever takes alerts gets it in their form.
    pub(crate) fn finding(&mut self, mut finding: Finding) {
        finding.lost = self.lost;
        if let Some(redactor) = &self.redactor {
            redactor.finding(&mut finding);
        }
        let mut output = jiff::Timestamp::from_nanosecond(i128::from(finding.time))
            .map(|at| {
                let zoned = at.to_zoned(jiff::tz::TimeZone::system());
                zoned.strftime("%H:%M:%S.%9f").to_string()
            })
            .unwrap_or_default();
        output.push_str(": ");
        output.push_str(finding.priority.name());
        output.push(' ');
        let message_at = output.len();
        output.push_str(&finding.message);
        let mut fields: serde_json::Map<String, Json> = finding
            .fields
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        fields.insert("evt.time".to_owned(), Json::from(finding.time));
        let alert = Alert {
            time: finding.time,
            rule: finding.rule.as_str().into(),
            priority: finding.priority,
            source: finding.source.as_str().into(),
            tags: finding.tags.clone().into(),
            hostname: finding.node.as_str().into(),
            output,
            message_at,
            fields: Json::Object(fields).to_string(),
        };
        let lineage = finding.lineage.clone();
        self.send(&alert, lineage, Some(finding));
    }

    /// Sends an activity record to the server.
    pub(crate) fn activity(&mut self, mut activity: Activity) {
        if let Some(redactor) = &self.redactor {
            redactor.activity(&mut activity);
        }
        if let Some(shipper) = &mut self.shipper {
            shipper.send(&Record::Activity(activity), Priority::Debug);
        }
    }

    fn send(&mut self, alert: &Alert, mut lineage: Vec<Process>, finding: Option<Finding>) {
        self.alerts += 1;
        self.fanout.send(alert);
        self.line.clear();
        let record = finding.map(|mut finding| {
            if let Some(redactor) = &self.redactor {
                redactor.finding(&mut finding);
            }
            Record::Finding(finding)
        });
        if let (Some(shipper), Some(record)) = (&mut self.shipper, &record) {
            shipper.send(record, alert.priority);
        }
        match (self.shown, &record) {
            (Shown::Nothing, _) => return,
            (Shown::Finding, Some(record)) => match serde_json::to_string(record) {
                Ok(text) => self.line.push_str(&text),
                Err(_) => return,
            },
            (Shown::Json | Shown::Finding, _) => alert.write_json(self.keys, &mut self.line),
            (Shown::Text, _) => self.line.push_str(&alert.line()),
        }
        self.line.push('\n');
        if self.tree && self.shown == Shown::Text {
            if let Some(redactor) = &self.redactor {
                for process in &mut lineage {
                    process.cmdline = redactor.text(&process.cmdline).into_owned();
                }
            }
            tree::write(&lineage, &mut self.line);
        }
        let mut out = std::io::stdout().lock();
        if let Err(error) = out
            .write_all(self.line.as_bytes())
            .and_then(|()| out.flush())
        {
            self.failure.get_or_insert(error);
        }
    }

    /// Asks the outputs to reopen their files.
    pub(crate) fn reopen(&self) {
        self.fanout.reopen();
    }

    /// Alerts so far.
    pub(crate) fn alerts(&self) -> u64 {
        self.alerts
    }

    /// Counters of the outputs and of the way to the server.
    pub(crate) fn outputs(&self) -> Vec<Snapshot> {
        let mut all = self.fanout.snapshot();
        all.extend(self.shipper.iter().flat_map(Shipper::snapshot));
        for one in &mut all {
            one.name = Redactor::default().text(&one.name).into_owned();
        }
        all
    }

    /// Why standard output takes no more, when it does not.
    pub(crate) fn failure(&mut self) -> Option<std::io::Error> {
        self.failure.take()
    }

    /// Delivers what is queued.
    pub(crate) fn finish(self) -> Vec<Snapshot> {
        let mut all = self.fanout.finish();
        // what waits in the server's spool is not lost, and is sent by the next run
        if let Some(shipper) = self.shipper {
            all.extend(shipper.finish());
        }
        all
    }
}

fn outputs(specs: &[Spec], keys: JsonKeys) -> anyhow::Result<Fanout> {
    let mut fanout = Fanout::new(Full::Drop, keys);
    for spec in specs {
        let format = spec.format.unwrap_or(Format::Json);
        let output = spec
            .open(format)
            .with_context(|| format!("output {}", spec.text))?;
        fanout.add(spec.text.clone(), spec.filter.clone(), format, output);
    }
    Ok(fanout)
}
