//! `vedette agent`: live system calls through the rules.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use vedette_event::Priority;
use vedette_outputs::Spec;

use crate::agent::config::Value;
use crate::agent::reload::Origin;

/// Watch this machine's system calls and print alerts
///
/// Needs root, or CAP_BPF and CAP_PERFMON. Rules and configuration are read again without a gap when their files change
/// and on SIGHUP, which also reopens output files. Ends at SIGINT, SIGTERM, or after --seconds.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Configuration file; `vedette config show` lists its keys, and the options here win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key of the configuration
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Rules file or directory; the shipped rules when none is given
    #[arg(short, long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Policy file or directory, or `managed` for the set inside the binary
    #[arg(long, value_name = "PATH")]
    policy: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    /// Print the process tree under each alert
    #[arg(long)]
    tree: bool,
    /// Report every rule that matches an event, not only the first
    #[arg(long)]
    all: bool,
    /// Use only rules at least as urgent as this
    #[arg(long, value_name = "PRIORITY")]
    priority: Option<Priority>,
    /// Also send alerts here, as with `vedette replay`
    #[arg(long, value_name = "OUTPUT")]
    to: Vec<Spec>,
    /// Print no alerts on standard output
    #[arg(short, long)]
    quiet: bool,
    /// Stop after this many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
}

/// What standard output shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// A line of text for each alert
    Text,
    /// Falco's JSON
    Json,
    /// Findings as JSON, with process tree and context
    Finding,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let limit = args.seconds.map(Duration::from_secs);
    crate::agent::run(origin(args), limit)
}

fn origin(args: &Args) -> Origin {
    let mut overrides = Vec::new();
    let mut over = |path: &str, value: Value| overrides.push((path.to_owned(), value));
    if !args.rules.is_empty() {
        let paths = args.rules.iter().map(|path| path.display().to_string());
        over("rules", Value::Texts(paths.collect()));
    }
    if !args.policy.is_empty() {
        let paths = args.policy.iter().map(|path| path.display().to_string());
        over("policies", Value::Texts(paths.collect()));
    }
    let shown = match args.output {
        _ if args.quiet => Some("none"),
        Some(Output::Text) => Some("text"),
        Some(Output::Json) => Some("json"),
        Some(Output::Finding) => Some("finding"),
        None => None,
    };
    if let Some(shown) = shown {
        over("stdout.format", Value::Text(shown.to_owned()));
    }
    if args.tree {
        over("stdout.tree", Value::Flag(true));
    }
    if args.all {
        over("matching", Value::Text("all".to_owned()));
    }
    if let Some(priority) = args.priority {
        over("priority", Value::Text(priority.name().to_owned()));
    }
    if !args.to.is_empty() {
        let specs = args.to.iter().map(|spec| spec.text.clone());
        over("outputs", Value::Texts(specs.collect()));
    }
    Origin {
        file: args.config.clone(),
        overrides,
        set: args.set.clone(),
    }
}
