//! `vedette policy`: list, check and show policies.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use serde_json::json;
use vedette_container::{Runtimes, locate};
use vedette_detect::policy::drift::{Operation, Reaction};
use vedette_detect::policy::scope::Workload;
use vedette_detect::policy::{Mode, Policy};
use vedette_manifest::{Object, Source, load, pod_part};
use vedette_yaml::Node;

use super::{Listing, exit};
use crate::agent::workload;
use crate::policyfiles;
use crate::table::{Table, visible};

/// Work with policies: what is prevented where, and what is done about findings
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// List policies
    List(ListArgs),
    /// Say what is wrong with policies, and which of them concern no workload
    ///
    /// Exit code 1 when a policy has an error, and with --strict when there is anything to warn about.
    Check(CheckArgs),
    /// Show what a policy means, with every default
    Show(ShowArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    /// Policy file or directory; `managed` is the set inside the binary, and what is listed when nothing is named
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
}

#[derive(clap::Args)]
struct CheckArgs {
    /// Policy file or directory
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Kubernetes manifests (files or directories) whose workloads the scopes are held against
    #[arg(short, long, value_name = "PATH")]
    workloads: Vec<PathBuf>,
    /// Hold the scopes against the containers that run on this machine
    #[arg(long)]
    running: bool,
    /// Name of the cluster that the workloads are in
    #[arg(long, value_name = "NAME", default_value = "")]
    cluster: String,
    /// Warnings count as errors
    #[arg(long)]
    strict: bool,
}

#[derive(clap::Args)]
struct ShowArgs {
    /// Name of the policy
    name: String,
    /// Policy file or directory; `managed` when nothing is named
    #[arg(short, long, value_name = "PATH")]
    policy: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::List(args) => list(args),
        Verb::Check(args) => check(args),
        Verb::Show(args) => show(args),
    }
}

fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<Arc<Policy>>> {
    let managed = [PathBuf::from(policyfiles::MANAGED)];
    let paths = if paths.is_empty() { &managed } else { paths };
    let (policies, problems) = policyfiles::read(paths)?;
    let mut err = std::io::stderr().lock();
    for problem in &problems {
        writeln!(err, "{}", visible(&problem.to_string()))?;
    }
    Ok(policies)
}

fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let policies = read(&args.paths)?;
    let mut out = std::io::stdout().lock();
    if args.output == Listing::Json {
        let all: Vec<_> = policies.iter().map(|policy| as_json(policy)).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["NAME", "SEVERITY", "STATE", "SCOPE", "LOOKS FOR", "DOES"]);
    for policy in &policies {
        table.row([
            policy.name.clone(),
            policy.severity.to_string(),
            state(policy).to_owned(),
            scope_words(policy),
            looks_for(policy),
            does(policy),
        ]);
    }
    out.write_all(table.render().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn state(policy: &Policy) -> &'static str {
    match (policy.enabled, policy.dry_run, policy.mode) {
        (false, ..) => "off",
        (true, true, _) => "dry run",
        (true, false, Mode::Audit) => "audit",
        (true, false, Mode::Deny) => "deny",
    }
}

fn scope_words(policy: &Policy) -> String {
    if policy.scope.is_everywhere() {
        return "everywhere".to_owned();
    }
    let scope = &policy.scope;
    let mut parts = Vec::new();
    for (name, list) in [
        ("cluster", &scope.clusters),
        ("namespace", &scope.namespaces),
        ("workload", &scope.workloads),
        ("image", &scope.images),
        ("host", &scope.hosts),
        ("container", &scope.containers),
    ] {
        if !list.is_empty() {
            parts.push(format!("{name} {}", list.join("|")));
        }
    }
    if !scope.labels.is_empty() {
        parts.push(format!("{} label conditions", scope.labels.len()));
    }
    parts.join(", ")
}

fn looks_for(policy: &Policy) -> String {
    let mut parts = Vec::new();
    if policy.detectors.drift.iter().any(|r| *r > Reaction::Allow) {
        parts.push("drift".to_owned());
    }
    if policy.detectors.malware > Reaction::Allow {
        parts.push("malware".to_owned());
    }
    if policy.detectors.miner {
        parts.push("miner".to_owned());
    }
    let rules = &policy.rules;
    parts.extend(rules.names.iter().map(|name| format!("rule {name}")));
    parts.extend(rules.tags.iter().map(|tag| format!("tag {tag}")));
    if let (Some(priority), true, true) = (
        rules.priority,
        rules.names.is_empty(),
        rules.tags.is_empty(),
    ) {
        parts.push(format!("every rule from {priority}"));
    }
    parts.join(", ")
}

fn does(policy: &Policy) -> String {
    let words: Vec<&str> = policy.actions.iter().map(|kind| kind.word()).collect();
    if words.is_empty() {
        "notify".to_owned()
    } else {
        words.join(", ")
    }
}

fn as_json(policy: &Policy) -> serde_json::Value {
    let drift: BTreeMap<&str, String> = Operation::ALL
        .iter()
        .zip(["executables", "libraries", "scripts", "injection"])
        .map(|(operation, name)| (name, policy.reaction_to(*operation).to_string()))
        .collect();
    let pattern = |pattern: &Option<vedette_detect::policy::PathPattern>| {
        pattern
            .as_ref()
            .map(|p| format!("{}{}", p.path, if p.prefix { "*" } else { "" }))
    };
    json!({
        "name": policy.name,
        "description": policy.description,
        "managed": policy.managed,
        "origin": policy.origin,
        "enabled": policy.enabled,
        "severity": policy.severity.name(),
        "mode": if policy.mode == Mode::Deny { "deny" } else { "audit" },
        "dry_run": policy.dry_run,
        "scope": scope_words(policy),
        "detectors": {
            "drift": drift,
            "from": policy.detectors.sources.iter().map(|s| s.word()).collect::<Vec<_>>(),
            "malware": policy.detectors.malware.to_string(),
            "miner": policy.detectors.miner,
        },
        "rules": {
            "names": policy.rules.names,
            "tags": policy.rules.tags,
            "priority": policy.rules.priority.map(vedette_event::Priority::name),
        },
        "actions": policy.actions.iter().map(|kind| kind.word()).collect::<Vec<_>>(),
        "critical_processes": policy.critical_processes,
        "exceptions": policy.exceptions.iter().map(|e| json!({
            "path": pattern(&e.path),
            "process": pattern(&e.process),
            "image": e.image,
            "reason": e.reason,
            "expires": e.expires,
        })).collect::<Vec<_>>(),
    })
}

fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let policies = read(&args.policy)?;
    let Some(policy) = policies.iter().find(|p| p.name == args.name) else {
        let names: Vec<&str> = policies.iter().map(|p| p.name.as_str()).collect();
        anyhow::bail!(
            "there is no policy `{}`; there are: {}",
            args.name,
            names.join(", ")
        );
    };
    let mut out = std::io::stdout().lock();
    if args.output == Listing::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&as_json(policy))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut line = |name: &str, value: &str| -> std::io::Result<()> {
        writeln!(out, "{name:<20}{}", visible(value))
    };
    line("name", &policy.name)?;
    line("description", &policy.description)?;
    line("from", &policy.origin)?;
    line("state", state(policy))?;
    line("severity", policy.severity.name())?;
    line("scope", &scope_words(policy))?;
    for (operation, name) in
        Operation::ALL
            .iter()
            .zip(["executables", "libraries", "scripts", "injection"])
    {
        line(name, &policy.reaction_to(*operation).to_string())?;
    }
    let sources: Vec<&str> = policy.detectors.sources.iter().map(|s| s.word()).collect();
    line("counts as drift", &sources.join(", "))?;
    line("known-bad files", &policy.detectors.malware.to_string())?;
    line("looks for", &looks_for(policy))?;
    line("does", &does(policy))?;
    for exception in &policy.exceptions {
        let mut words = Vec::new();
        for (name, value) in [("path", &exception.path), ("process", &exception.process)] {
            if let Some(value) = value {
                let star = if value.prefix { "*" } else { "" };
                words.push(format!("{name} {}{star}", value.path));
            }
        }
        if let Some(image) = &exception.image {
            words.push(format!("image {image}"));
        }
        let mut text = format!("{}: {}", words.join(", "), exception.reason);
        if let Some(end) = exception.expires
            && let Ok(end) = jiff::Timestamp::from_second(end)
        {
            text.push_str(&format!(" (until {end})"));
        }
        line("except", &text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let (policies, problems) = policyfiles::read(&args.paths)?;
    let mut out = std::io::stdout().lock();
    for problem in &problems {
        writeln!(out, "{}", visible(&problem.to_string()))?;
    }
    let errors = problems.iter().filter(|p| p.fatal).count();
    let mut warnings = problems.len() - errors;
    let mut workloads = if args.workloads.is_empty() {
        Vec::new()
    } else {
        of_manifests(&args.workloads)?
    };
    if args.running {
        workloads.extend(running());
    }
    if !args.workloads.is_empty() || args.running {
        let host = crate::hostname::current();
        for workload in &mut workloads {
            workload.cluster.clone_from(&args.cluster);
            if args.running {
                workload.host.clone_from(&host);
            }
        }
        for policy in &policies {
            let count = workloads
                .iter()
                .filter(|workload| policy.scope.matches(workload))
                .count();
            if count == 0 {
                warnings += 1;
                writeln!(
                    out,
                    "{}: warning: policy `{}` concerns none of {} containers ({})",
                    visible(&policy.origin),
                    visible(&policy.name),
                    workloads.len(),
                    visible(&scope_words(policy))
                )?;
            }
        }
    }
    let now = jiff::Timestamp::now().as_second();
    for policy in &policies {
        for exception in policy.exceptions.iter().filter(|e| !e.holds(now)) {
            warnings += 1;
            writeln!(
                out,
                "{}: warning: an exception of policy `{}` has ended: {}",
                visible(&policy.origin),
                visible(&policy.name),
                visible(&exception.reason)
            )?;
        }
        let both = policy
            .exceptions
            .iter()
            .any(|e| e.path.is_some() && e.process.is_some());
        if both && policy.mode == Mode::Deny {
            warnings += 1;
            writeln!(
                out,
                "{}: warning: policy `{}` has exceptions with both a path and a process: the kernel's hooks go by the path alone",
                visible(&policy.origin),
                visible(&policy.name)
            )?;
        }
    }
    writeln!(
        out,
        "{} policies, {errors} errors, {warnings} warnings",
        policies.len()
    )?;
    Ok(if errors > 0 || args.strict && warnings > 0 {
        ExitCode::from(exit::FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}

/// The containers that manifests would make.
fn of_manifests(paths: &[PathBuf]) -> anyhow::Result<Vec<Workload>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            crate::rulefiles::walk(path, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    let mut sources = Vec::new();
    for file in &files {
        let text =
            fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        sources.push(Source {
            name: file.display().to_string().into(),
            text: text.into(),
        });
    }
    let loaded = load(&sources);
    Ok(loaded.objects.iter().flat_map(containers).collect())
}

fn containers(object: &Object) -> Vec<Workload> {
    let Some(pod) = pod_part(object) else {
        return Vec::new();
    };
    let text = |node: Option<&Node>| node.and_then(Node::as_str).unwrap_or_default().to_owned();
    let labels: BTreeMap<String, String> = pod
        .metadata
        .and_then(|meta| meta.get("labels")?.as_map())
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value.as_str()?.to_owned())))
        .collect();
    let mut out = Vec::new();
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in pod
            .spec
            .get(list)
            .and_then(Node::as_seq)
            .unwrap_or_default()
        {
            out.push(Workload {
                namespace: object
                    .namespace
                    .clone()
                    .unwrap_or_else(|| "default".to_owned()),
                workload: format!("{}/{}", object.kind.to_lowercase(), object.name),
                container: text(container.get("name")),
                image: text(container.get("image")),
                labels: labels.clone(),
                ..Workload::default()
            });
        }
    }
    out
}

/// The containers that run here, as their runtimes' files describe them.
fn running() -> Vec<Workload> {
    let runtimes = Runtimes::new("/");
    let mut found: BTreeMap<String, Workload> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(text) = fs::read_to_string(entry.path().join("cgroup")) else {
            continue;
        };
        let list: String = text
            .lines()
            .filter_map(|line| Some(format!("x={}\0", line.splitn(3, ':').nth(2)?)))
            .collect();
        let Some(located) = locate(list.as_bytes()) else {
            continue;
        };
        if found.contains_key(&located.id) {
            continue;
        }
        let workload = runtimes
            .find(&located)
            .and_then(|metadata| workload::from_metadata(&metadata.to_json()))
            .unwrap_or_else(|| Workload {
                id: located.id.clone(),
                ..Workload::default()
            });
        found.insert(located.id, workload);
    }
    found.into_values().collect()
}
