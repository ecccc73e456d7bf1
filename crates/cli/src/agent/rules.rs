//! The rules that the agent works with: its own and, behind them, those of its server; and what they ask of the sensor.

use std::collections::BTreeSet;
use std::sync::Arc;

use vedette_detect::{RuleSet, Settings, TimeStyle};
use vedette_rules::catalogue::SYSCALL;
use vedette_rules::diagnostic::{Diagnostic, Files};
use vedette_rules::{Loaded, Options, load};
use vedette_server::Bundle;

use super::bundle;
use super::config::{Config, Server};
use crate::rulefiles;

/// Rule files as they were read: names and texts.
pub(crate) type Texts = Vec<(String, String)>;

/// Everything that rules are made of.
pub(crate) struct Sources {
    /// Rule files: this node's own, then the server's.
    pub(crate) texts: Texts,
    /// How many are this node's own.
    own: usize,
    /// Version of the server's bundle; empty when there is none.
    pub(crate) version: String,
    /// Why the server's bundle is not read.
    problem: String,
}

/// Rules that are ready to be used.
pub(crate) struct Ready {
    pub(crate) set: Arc<RuleSet>,
    /// Complaints that do not stop the rules from being used, in words.
    pub(crate) warnings: Vec<String>,
    /// The server's bundle that they are made with, and what of it was left out.
    pub(crate) bundle: bundle::InUse,
}

/// Reads the files, and what the server gave last. A bundle that is damaged is left out and complained about.
pub(crate) fn read(config: &Config) -> anyhow::Result<Sources> {
    let mut texts = rulefiles::read(&config.rules)?;
    let own = texts.len();
    let dir = config.server.as_ref().and_then(Server::bundle_dir);
    let (found, problem) = match dir.as_deref().map(bundle::read).transpose() {
        Ok(found) => (found.flatten(), String::new()),
        Err(error) => (None, format!("{error:#}")),
    };
    let Bundle { version, rules, .. } = found.unwrap_or_default();
    let server = rules
        .into_iter()
        .map(|rule| (format!("server/{}", rule.name), rule.text));
    texts.extend(server);
    Ok(Sources {
        texts,
        own,
        version,
        problem,
    })
}

/// Compiles rule files. This node's own are used without an error or not at all, and the errors, in words, come back. Of
/// the server's, those with an error are left out.
pub(crate) fn compile(
    sources: &Sources,
    config: &Config,
    hostname: &Arc<str>,
) -> Result<Ready, Vec<String>> {
    let mut files = sources.texts.clone();
    let mut left_out = Vec::new();
    let loaded = loop {
        let loaded = load(&files, &Options::default());
        let errors: Vec<&Diagnostic> = errors(&loaded).collect();
        if errors.is_empty() {
            break loaded;
        }
        let file = |error: &&Diagnostic| error.place.file.0 as usize;
        let faulty: BTreeSet<usize> = errors
            .iter()
            .map(file)
            .filter(|index| *index >= sources.own)
            .collect();
        if files.len() == sources.own {
            return Err(words(errors.into_iter(), &files));
        }
        if faulty.is_empty() {
            // the server's texts are sound by themselves and break this node's: none of them is used
            left_out.extend(words(errors.into_iter().take(1), &files));
            files.truncate(sources.own);
            continue;
        }
        for index in faulty.into_iter().rev() {
            let first = errors.iter().find(|error| file(error) == index).copied();
            left_out.extend(words(first.into_iter(), &files));
            files.remove(index);
        }
    };
    let settings = Settings {
        mode: config.mode,
        least: config.priority,
        hostname: Arc::clone(hostname),
        time: TimeStyle::Clock,
    };
    let problem = if left_out.is_empty() {
        sources.problem.clone()
    } else {
        format!("left out: {}", left_out.join("; "))
    };
    let warnings = loaded
        .diagnostics
        .iter()
        .filter(|diagnostic| !diagnostic.is_error());
    Ok(Ready {
        set: Arc::new(RuleSet::compile(&loaded.rules, SYSCALL, settings)),
        warnings: words(warnings, &files),
        bundle: bundle::InUse {
            version: sources.version.clone(),
            problem,
        },
    })
}

fn errors(loaded: &Loaded) -> impl Iterator<Item = &Diagnostic> {
    loaded
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
}

fn words<'a>(found: impl Iterator<Item = &'a Diagnostic>, files: &Texts) -> Vec<String> {
    found.map(|one| one.render(&Files(files))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::config::Values;
    use super::*;

    fn sources(own: &str, server: &[&str]) -> Sources {
        let mut texts = vec![("own.yaml".to_owned(), own.to_owned())];
        for (index, text) in server.iter().enumerate() {
            texts.push((format!("server/{index}"), (*text).to_owned()));
        }
        Sources {
            texts,
            own: 1,
            version: "v".to_owned(),
            problem: String::new(),
        }
    }

    fn rule(name: &str, condition: &str) -> String {
        format!(
            "- rule: {name}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: ERROR\n"
        )
    }

    #[test]
    fn one_faulty_text_of_the_server_costs_only_itself() {
        let config = Config::from(&Values::default());
        let host: Arc<str> = "h".into();
        let own = format!(
            "- macro: m\n  condition: proc.name = a\n{}",
            rule("own", "m")
        );
        let (good, bad) = (rule("good", "proc.name = b"), rule("bad", "proc.nmae = b"));
        let ready = compile(&sources(&own, &[&bad, &good]), &config, &host).expect("usable");
        assert_eq!(ready.set.len(), 2);
        assert!(
            ready.bundle.problem.contains("proc.nmae"),
            "{:?}",
            ready.bundle
        );
        // sound by itself, and a hole in this node's own rules
        let breaking = "- macro: m\n  condition: spawned_nowhere\n".to_owned();
        let ready = compile(&sources(&own, &[&breaking, &good]), &config, &host).expect("usable");
        assert!(!ready.set.is_empty() && !ready.bundle.problem.is_empty());
        let ready = compile(&sources(&own, &[&good]), &config, &host).expect("usable");
        assert_eq!(
            (
                ready.set.len(),
                ready.bundle.version.as_str(),
                ready.bundle.problem.as_str()
            ),
            (2, "v", "")
        );
        assert!(compile(&sources(&bad, &[&good]), &config, &host).is_err());
    }
}
