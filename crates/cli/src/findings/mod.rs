//! Findings from log records: the flags that say how to judge, the judge itself, and how findings are shown. Shared by
//! the subcommands of `vedette findings`.

mod judge;
mod lists;
pub(crate) mod post;
mod show;
mod suppressions;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, ensure};
use vedette_audit::anomaly::{Model, Settings};
use vedette_audit::findings::{Analysis, Origin, Setup};

pub(crate) use judge::Judge;
pub(crate) use lists::ListSpec;
pub(crate) use show::Show;

use crate::rulefiles;

/// How records are judged.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Engine {
    /// Rules file or directory to judge by beside the detectors; may be given several times
    #[arg(short, long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Judge by the shipped rules for logs too
    #[arg(long)]
    shipped_rules: bool,
    /// File with suppression rules (YAML or JSON)
    #[arg(long, value_name = "FILE")]
    suppress: Option<PathBuf>,
    /// Only count what suppression rules would put aside
    #[arg(long, requires = "suppress")]
    dry_run: bool,
    #[command(flatten)]
    lists: lists::ListFlags,
    /// Judge by habits too: what is unusual for a principal, its group and the cluster (the AnomalousBehavior types)
    #[arg(long)]
    anomalies: bool,
    /// Days for which habits are learnt before anything unusual is told
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    learning_days: u64,
    /// Unusual things that may be told a day
    #[arg(long, value_name = "N", default_value_t = 5.0)]
    alert_budget: f64,
    /// Habits that were saved with --save-habits; implies --anomalies
    #[arg(long, value_name = "FILE")]
    habits: Option<PathBuf>,
    /// AWS account that findings carry
    #[arg(long, value_name = "ID", default_value = "000000000000")]
    account: String,
    /// AWS region that findings carry
    #[arg(long, default_value = "local")]
    region: String,
    /// Name of the cluster that findings carry
    #[arg(long, value_name = "NAME", default_value = "cluster")]
    cluster: String,
    /// Id of the installation that findings carry
    #[arg(long, value_name = "ID", default_value = "vedette")]
    detector_id: String,
}

impl Engine {
    /// Where records come from.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            account: self.account.clone(),
            region: self.region.clone(),
            cluster: self.cluster.clone(),
            detector: self.detector_id.clone(),
        }
    }

    /// The lists that were named.
    pub(crate) fn lists(&self) -> Vec<ListSpec> {
        self.lists.specs()
    }

    /// How to judge by habits, when that was asked for.
    fn settings(&self) -> anyhow::Result<Option<Settings>> {
        ensure!(
            self.alert_budget > 0.0 && self.alert_budget.is_finite(),
            "--alert-budget: expected a number above zero"
        );
        let settings = Settings {
            learning_days: self.learning_days,
            budget: self.alert_budget,
            ..Settings::default()
        };
        Ok((self.anomalies || self.habits.is_some()).then_some(settings))
    }

    /// A judge that has seen nothing; `None` when a rules file has an error, which was printed.
    pub(crate) fn judge(&self, hostname: &Arc<str>) -> anyhow::Result<Option<Judge>> {
        let mut suppressions = match &self.suppress {
            Some(path) => suppressions::read(path)?,
            None => Vec::new(),
        };
        for rule in &mut suppressions {
            rule.dry_run |= self.dry_run;
        }
        let analysis = Analysis::new(Setup {
            origin: self.origin(),
            lists: lists::load(&self.lists())?,
            suppressions,
            habits: self.settings()?,
        });
        let mut analysis = analysis;
        if let Some(path) = &self.habits {
            let text =
                std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            let mut model: Model = serde_json::from_slice(&text)
                .with_context(|| format!("{}: no saved habits", path.display()))?;
            if let Some(settings) = self.settings()? {
                model.set_settings(settings);
            }
            analysis.set_model(model);
        }
        let mut files = Vec::new();
        if self.shipped_rules {
            files.extend(rulefiles::read(&[])?);
        }
        if !self.rules.is_empty() {
            files.extend(rulefiles::read(&self.rules)?);
        }
        let loaded = vedette_rules::load(&files, &vedette_rules::Options::default());
        if rulefiles::complain(&loaded.diagnostics, &files, false)? > 0 {
            return Ok(None);
        }
        Ok(Some(Judge::new(analysis, &loaded.rules, hostname)))
    }
}

/// Loads the lists again.
pub(crate) fn reload(specs: &[ListSpec]) -> anyhow::Result<vedette_audit::lists::Lists> {
    lists::load(specs)
}
