//! The rules that the agent works with, and what they ask of the sensor.

use std::path::PathBuf;
use std::sync::Arc;

use vedette_detect::{RuleSet, Settings, TimeStyle};
use vedette_rules::catalogue::SYSCALL;
use vedette_rules::diagnostic::{Diagnostic, Files};
use vedette_rules::{Options, load};

use super::config::Config;
use crate::rulefiles;

/// Rule files as they were read: names and texts.
pub(crate) type Texts = Vec<(String, String)>;

/// Rules that are ready to be used.
pub(crate) struct Ready {
    pub(crate) set: Arc<RuleSet>,
    /// Complaints that do not stop the rules from being used, in words.
    pub(crate) warnings: Vec<String>,
}

/// Reads the files.
pub(crate) fn read(paths: &[PathBuf]) -> anyhow::Result<Texts> {
    rulefiles::read(paths)
}

/// Compiles rule files. The errors, in words, when there are any: rules with an error never replace sound ones.
pub(crate) fn compile(
    files: &Texts,
    config: &Config,
    hostname: &Arc<str>,
) -> Result<Ready, Vec<String>> {
    let loaded = load(files, &Options::default());
    let (errors, warnings): (Vec<&Diagnostic>, Vec<&Diagnostic>) = loaded
        .diagnostics
        .iter()
        .partition(|diagnostic| diagnostic.is_error());
    let words = |found: Vec<&Diagnostic>| -> Vec<String> {
        found.iter().map(|one| one.render(&Files(files))).collect()
    };
    if !errors.is_empty() {
        return Err(words(errors));
    }
    let settings = Settings {
        mode: config.mode,
        least: config.priority,
        hostname: Arc::clone(hostname),
        time: TimeStyle::Clock,
    };
    Ok(Ready {
        set: Arc::new(RuleSet::compile(&loaded.rules, SYSCALL, settings)),
        warnings: words(warnings),
    })
}
