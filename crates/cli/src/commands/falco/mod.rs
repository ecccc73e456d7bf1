//! `vedette falco`: Falco's own command line for replay and validation, so that scripts and pipelines keep working.
//!
//! What bears on rules, replay and outputs does what Falco does; options about drivers and logs are accepted and do
//! nothing, plugins are built in.

mod config;
mod validate;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use vedette_detect::{Mode, Settings, TimeStyle};
use vedette_event::{JsonKeys, Priority};
use vedette_outputs::{Fanout, Format, Full, Spec};
use vedette_rules::output::AppendOutput;
use vedette_rules::version::ENGINE;
use vedette_rules::{Loaded, Options};

use crate::input::Progress;
use crate::replay::{Outcome, Plan, Rules};
use crate::{hostname, replay, rulefiles};

use config::Config;

/// Take Falco's command line: -c, -o, -r, -V, -L, -l, --enable-source, --version
///
/// Replays with `-o engine.kind=replay -o engine.replay.capture_file=FILE`, or with the open_params of a log plugin.
#[derive(clap::Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct Args {
    /// Falco's arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// What Falco's arguments say.
#[derive(Debug, Default)]
struct Line {
    config: Option<PathBuf>,
    overrides: Vec<String>,
    rules: Vec<PathBuf>,
    validate: Vec<PathBuf>,
    list: bool,
    describe: Option<String>,
    version: bool,
    sources: Vec<String>,
}

/// Options with a value that have no meaning here.
const IGNORED_WITH_VALUE: &[&str] = &[
    "-M",
    "--duration-to-tot",
    "--disable-source",
    "-p",
    "--print",
    "-P",
    "--pidfile",
    "-s",
    "-T",
];
/// Options without a value that have no meaning here.
const IGNORED: &[&str] = &[
    "-A",
    "-b",
    "--print-base64",
    "-d",
    "--daemon",
    "-U",
    "--unbuffered",
    "-v",
    "--verbose",
    "--dry-run",
];

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match act(args) {
        Ok(code) => Ok(code),
        // Falco answers every fault with 1.
        Err(error) => {
            writeln!(std::io::stderr(), "Error: {error:#}")?;
            Ok(ExitCode::from(1))
        }
    }
}

fn act(args: &Args) -> anyhow::Result<ExitCode> {
    let line = read_line(&args.words)?;
    let (name, text) = match &line.config {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("reading {}", path.display()))?;
            (path.display().to_string(), text)
        }
        None => (String::from("the built-in configuration"), String::new()),
    };
    let config = Config::read(&name, &text, &line.overrides)?;
    if line.version {
        return print_version(config.bool("json_output", false));
    }
    let append_output = if config.suggested_output() {
        vec![AppendOutput::suggested()]
    } else {
        Vec::new()
    };
    // As in Falco, a source is there when its plugin is loaded.
    let sources = [config.plugin_sources(), line.sources.clone()].concat();
    let options = Options {
        append_output,
        strict: true,
        sources: Some(sources),
        ..Options::default()
    };
    if !line.validate.is_empty() {
        return validate::run(&line.validate, &options, config.bool("json_output", false));
    }
    let paths = if line.rules.is_empty() {
        config
            .rules_files()
            .into_iter()
            .map(PathBuf::from)
            .collect()
    } else {
        line.rules
    };
    anyhow::ensure!(
        !paths.is_empty(),
        "no rules: name files with -r or rules_files"
    );
    let files = rulefiles::read(&paths)?;
    let mut loaded = vedette_rules::load(&files, &options);
    if rulefiles::complain(&loaded.diagnostics, &files, true)? > 0 {
        return Ok(ExitCode::from(1));
    }
    if line.list || line.describe.is_some() {
        return validate::describe(
            &loaded,
            line.describe.as_deref(),
            config.bool("json_output", false),
        );
    }
    for (on, selector) in config.selections() {
        for rule in &mut loaded.rules {
            if selector.matches(&rule.rule.name, rule.rule.tags.iter().map(String::as_str)) {
                rule.enabled = on;
            }
        }
    }
    replay_and_report(&config, &loaded)
}

fn read_line(words: &[OsString]) -> anyhow::Result<Line> {
    let mut line = Line::default();
    let mut words = words.iter().map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = words.next() {
        let (option, glued) = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => {
                (option.to_owned(), Some(value.to_owned()))
            }
            _ => (word.clone(), None),
        };
        let mut value = || {
            glued
                .clone()
                .or_else(|| words.next())
                .with_context(|| format!("{option} needs a value"))
        };
        match option.as_str() {
            "-c" | "--config" => line.config = Some(value()?.into()),
            "-o" | "--option" => line.overrides.push(value()?),
            "-r" | "--rules" => line.rules.push(value()?.into()),
            "-V" | "--validate" => line.validate.push(value()?.into()),
            "-L" => line.list = true,
            "-l" => line.describe = Some(value()?),
            "--version" => line.version = true,
            "--enable-source" => line.sources.push(value()?),
            other if IGNORED_WITH_VALUE.contains(&other) => drop(value()?),
            other if IGNORED.contains(&other) => {}
            other => bail!("option {other} is not among those of Falco that are supported here"),
        }
    }
    Ok(line)
}

fn print_version(as_json: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let version = env!("CARGO_PKG_VERSION");
    if as_json {
        let value = json!({
            "vedette_version": version,
            "engine_version": ENGINE.minor.to_string(),
            "engine_version_semver": ENGINE.to_string(),
        });
        writeln!(out, "{value}")?;
    } else {
        writeln!(out, "Vedette version: {version}\nEngine:          {ENGINE}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The input that the configuration names: a capture, or the file that a log plugin would open.
fn input_of(config: &Config) -> anyhow::Result<PathBuf> {
    if config.text("engine.kind") == Some("replay") {
        let file = config
            .text("engine.replay.capture_file")
            .context("engine.replay.capture_file is empty")?;
        return Ok(file.into());
    }
    let plugins = config
        .get("plugins")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let opened = plugins
        .filter_map(|plugin| plugin.get("open_params")?.as_str())
        .find(|params| !params.is_empty());
    match opened {
        Some(params) => Ok(params.into()),
        None => bail!(
            "nothing to read: this command replays (engine.kind=replay, or open_params of a log plugin)"
        ),
    }
}

fn replay_and_report(config: &Config, loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let hostname: Arc<str> = hostname::current().into();
    let settings = Settings {
        mode: if config.text("rule_matching") == Some("all") {
            Mode::All
        } else {
            Mode::First
        },
        least: config.priority()?,
        hostname: Arc::clone(&hostname),
        time: if config.bool("time_format_iso_8601", false) {
            TimeStyle::Iso8601
        } else {
            TimeStyle::Clock
        },
    };
    let plan = Plan {
        inputs: vec![input_of(config)?],
        passes: 1,
        threads: 1,
        source: None,
        rules: Rules::compile(loaded, &settings),
        hostname,
        progress: Arc::new(Progress::default()),
        records: false,
    };
    let json = config.bool("json_output", false);
    let keys = JsonKeys {
        message: config.bool("json_include_message_property", false),
        output: config.bool("json_include_output_property", true),
        fields: config.bool("json_include_output_fields_property", true),
        tags: config.bool("json_include_tags_property", true),
    };
    let fanout = outputs(config, json, keys)?;
    let (outcome, damages) = replay::run(&plan, |alert| {
        fanout.send(&alert);
        Ok(())
    })?;
    drop(fanout);
    summary(&outcome)?;
    match damages.first() {
        Some(damage) => bail!("{damage}"),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// The outputs that the configuration enables.
fn outputs(config: &Config, json: bool, keys: JsonKeys) -> anyhow::Result<Fanout> {
    let format = if json { Format::Json } else { Format::Text };
    let mut fanout = Fanout::new(Full::Wait, keys);
    let mut specs = Vec::new();
    if config.bool("stdout_output.enabled", false) {
        specs.push("stdout".to_owned());
    }
    if config.bool("syslog_output.enabled", false) {
        specs.push("syslog".to_owned());
    }
    let enabled = |section: &str, key: &str| {
        config
            .bool(&format!("{section}.enabled"), false)
            .then(|| config.text(&format!("{section}.{key}")))
            .flatten()
    };
    if let Some(path) = enabled("file_output", "filename") {
        specs.push(format!("file:{path}"));
    }
    if let Some(program) = enabled("program_output", "program") {
        let keep = if config.bool("program_output.keep_alive", false) {
            "?keep=yes"
        } else {
            ""
        };
        specs.push(format!("program:{program}{keep}"));
    }
    if let Some(url) = enabled("http_output", "url") {
        specs.push(url.to_owned());
    }
    for text in specs {
        let spec: Spec = text.parse()?;
        let output = spec
            .open(format)
            .with_context(|| format!("output {text}"))?;
        fanout.add(text, spec.filter.clone(), format, output);
    }
    Ok(fanout)
}

/// What Falco prints at its end.
fn summary(outcome: &Outcome) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let all: u64 = outcome.counts.iter().map(|count| count.alerts).sum();
    writeln!(out, "Events detected: {all}\nRule counts by severity:")?;
    for priority in Priority::ALL {
        let alerts: u64 = outcome
            .counts
            .iter()
            .filter(|count| count.priority == priority)
            .map(|count| count.alerts)
            .sum();
        if alerts > 0 {
            // Falco writes the rule file's words here, not those of the alerts.
            let name = if priority == Priority::Informational {
                "INFO".to_owned()
            } else {
                priority.name().to_uppercase()
            };
            writeln!(out, "   {name}: {alerts}")?;
        }
    }
    writeln!(out, "Triggered rules by rule name:")?;
    for count in &outcome.counts {
        writeln!(
            out,
            "   {}: {}",
            crate::table::visible(&count.rule),
            count.alerts
        )?;
    }
    Ok(())
}
