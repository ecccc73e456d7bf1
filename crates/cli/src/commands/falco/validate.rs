//! Falco's `-V`, `-L` and `-l`: what it would say of rule files, in its words for codes and kinds of items.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;
use vedette_rules::diagnostic::Files;
use vedette_rules::load::{Verdict, verdicts};
use vedette_rules::{Loaded, Options};

use crate::rulefiles;

/// `-V`: judges the files one after the other as parts of one set; exit code 1 when one is refused.
pub(super) fn run(paths: &[PathBuf], options: &Options, as_json: bool) -> anyhow::Result<ExitCode> {
    let files = rulefiles::read(paths)?;
    let names = Files(&files);
    let verdicts = verdicts(&files, options);
    let mut out = std::io::stdout().lock();
    if as_json {
        let results: Vec<_> = verdicts
            .iter()
            .map(|verdict| verdict.to_json(&names))
            .collect();
        writeln!(out, "{}", json!({ "falco_load_results": results }))?;
    } else {
        for verdict in &verdicts {
            let word = match (verdict.accepted(), verdict.diagnostics.is_empty()) {
                (false, _) => "Invalid",
                (true, true) => "Ok",
                (true, false) => "Ok, with warnings",
            };
            writeln!(out, "{}: {word}", names.name(verdict.file))?;
            for diagnostic in &verdict.diagnostics {
                writeln!(out, "{}", diagnostic.render(&names))?;
            }
        }
    }
    let accepted = verdicts.iter().all(Verdict::accepted);
    Ok(if accepted {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// `-L` and `-l NAME`: all rules, or one.
pub(super) fn describe(
    loaded: &Loaded,
    name: Option<&str>,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let rules: Vec<_> = loaded
        .rules
        .iter()
        .filter(|rule| name.is_none_or(|name| rule.rule.name == name))
        .collect();
    if let (Some(name), true) = (name, rules.is_empty()) {
        bail!("rule `{name}` is not loaded");
    }
    let mut out = std::io::stdout().lock();
    if as_json {
        let all: Vec<_> = rules
            .iter()
            .map(|rule| {
                json!({"info": {
                    "name": rule.rule.name,
                    "condition": rule.condition,
                    "description": rule.rule.desc,
                    "output": rule.output,
                    "enabled": rule.enabled,
                    "priority": rule.rule.priority.name(),
                    "source": rule.rule.source,
                    "tags": rule.rule.tags,
                }})
            })
            .collect();
        writeln!(out, "{}", json!({ "rules": all }))?;
    } else {
        for rule in rules {
            writeln!(out, "{}\n    {}", rule.rule.name, rule.rule.desc.trim())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
