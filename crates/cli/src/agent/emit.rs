//! Where what the agent finds goes: standard output and the outputs.

use std::io::Write;

use anyhow::Context;
use vedette_event::{Alert, JsonKeys};
use vedette_outputs::{Fanout, Format, Full, Snapshot, Spec};

use super::config::{Config, Shown};

/// Everything that takes alerts.
pub(crate) struct Emit {
    keys: JsonKeys,
    shown: Shown,
    specs: Vec<Spec>,
    fanout: Fanout,
    alerts: u64,
    line: String,
    failure: Option<std::io::Error>,
}

impl Emit {
    /// Opens the outputs.
    pub(crate) fn open(config: &Config) -> anyhow::Result<Self> {
        let keys = JsonKeys::default();
        Ok(Self {
            keys,
            shown: config.shown,
            fanout: outputs(&config.outputs, keys)?,
            specs: config.outputs.clone(),
            alerts: 0,
            line: String::new(),
            failure: None,
        })
    }

    /// Sends an alert on its way.
    pub(crate) fn alert(&mut self, alert: &Alert) {
        self.alerts += 1;
        self.fanout.send(alert);
        self.line.clear();
        match self.shown {
            Shown::Nothing => return,
            Shown::Json | Shown::Finding => alert.write_json(self.keys, &mut self.line),
            Shown::Text => self.line.push_str(&alert.line()),
        }
        self.line.push('\n');
        let mut out = std::io::stdout().lock();
        if let Err(error) = out.write_all(self.line.as_bytes()).and_then(|()| out.flush()) {
            self.failure.get_or_insert(error);
        }
    }

    /// Applies another configuration. When an output of it cannot be opened, the ones at work stay.
    pub(crate) fn reload(&mut self, config: &Config) -> anyhow::Result<()> {
        self.shown = config.shown;
        if config.outputs != self.specs {
            let next = outputs(&config.outputs, self.keys)?;
            let before = std::mem::replace(&mut self.fanout, next);
            self.specs.clone_from(&config.outputs);
            // what is still queued is delivered without holding up events
            std::thread::spawn(move || drop(before));
        }
        Ok(())
    }

    /// Asks the outputs to reopen their files.
    pub(crate) fn reopen(&self) {
        self.fanout.reopen();
    }

    /// Alerts so far.
    pub(crate) fn alerts(&self) -> u64 {
        self.alerts
    }

    /// Counters of the outputs.
    pub(crate) fn outputs(&self) -> Vec<Snapshot> {
        self.fanout.snapshot()
    }

    /// Why standard output takes no more, when it does not.
    pub(crate) fn failure(&mut self) -> Option<std::io::Error> {
        self.failure.take()
    }

    /// Delivers what is queued.
    pub(crate) fn finish(self) -> Vec<Snapshot> {
        self.fanout.finish()
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
