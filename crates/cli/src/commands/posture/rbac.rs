//! `vedette posture rbac`: who can do this, and what can this one do.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use vedette_manifest::Object;
use vedette_posture::rbac::{Question, Rbac, can, who_can};
use vedette_posture::value;

use super::{clean, load, print};

/// What to ask.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Everybody who may send such a request: `who-can get secrets -n shop FILES`.
    WhoCan(WhoCan),
    /// Everything that a subject may do: `can serviceaccount shop/default FILES`.
    Can(Can),
}

/// Arguments of `rbac who-can`.
#[derive(clap::Args)]
pub(crate) struct WhoCan {
    /// Verb, such as get.
    verb: String,
    /// Resource, such as secrets, pods/exec or deployments.apps.
    resource: String,
    /// Namespace; without it the question is about all namespaces.
    #[arg(long, short)]
    namespace: Option<String>,
    /// Name of the object.
    #[arg(long)]
    name: Option<String>,
    /// Output: table or json.
    #[arg(long, short, default_value = "table", value_parser = ["table", "json"])]
    output: String,
    /// Files, directories, or - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Arguments of `rbac can`.
#[derive(clap::Args)]
pub(crate) struct Can {
    /// user, group or serviceaccount.
    #[arg(value_parser = ["user", "group", "serviceaccount"])]
    kind: String,
    /// Name; for service accounts namespace/name.
    subject: String,
    /// Output: table or json.
    #[arg(long, short, default_value = "table", value_parser = ["table", "json"])]
    output: String,
    /// Files, directories, or - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Answers.
pub(crate) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::WhoCan(args) => answer_who(args),
        Command::Can(args) => answer_can(args),
    }
}

fn answer_who(args: &WhoCan) -> anyhow::Result<ExitCode> {
    let objects = load(&args.files)?.objects;
    let rbac = Rbac::new(&objects);
    let (resource, group) = split(&args.resource);
    let question = Question {
        verb: &args.verb,
        group: &group,
        resource: &resource,
        name: args.name.as_deref(),
        namespace: args.namespace.as_deref(),
    };
    let mut out = String::new();
    for access in who_can(&rbac, &question) {
        let binding = &objects[access.binding];
        let rule = access.rule.as_ref().map_or_else(
            || "built-in cluster-admin".to_owned(),
            |(object, path)| format!("{} {path}", objects[*object].title()),
        );
        if args.output == "json" {
            let line = json!({
                "kind": access.subject.kind, "name": access.subject.title(), "binding": binding.title(),
                "rule": rule, "namespace": access.namespace, "names": access.names,
            });
            out.push_str(&format!("{line}\n"));
        } else {
            let names = if access.names.is_empty() {
                String::new()
            } else {
                format!(", only {}", access.names.join(", "))
            };
            out.push_str(&clean(&format!(
                "{} {} by {} through {rule}{names}",
                access.subject.kind,
                access.subject.title(),
                binding.title(),
            )));
            out.push('\n');
        }
    }
    print(&out)?;
    Ok(ExitCode::SUCCESS)
}

/// `deployments.apps` and `pods/exec`: resource with subresource, and group.
fn split(text: &str) -> (String, String) {
    let (whole, sub) = match text.split_once('/') {
        Some((whole, sub)) => (whole, format!("/{sub}")),
        None => (text, String::new()),
    };
    let (resource, group) = whole.split_once('.').unwrap_or((whole, ""));
    (format!("{resource}{sub}"), group.to_owned())
}

fn answer_can(args: &Can) -> anyhow::Result<ExitCode> {
    let objects = load(&args.files)?.objects;
    let rbac = Rbac::new(&objects);
    let (kind, name, namespace) = match args.kind.as_str() {
        "serviceaccount" => {
            let (namespace, name) = args
                .subject
                .split_once('/')
                .unwrap_or(("default", &args.subject));
            ("ServiceAccount", name, Some(namespace))
        }
        "group" => ("Group", args.subject.as_str(), None),
        _ => ("User", args.subject.as_str(), None),
    };
    let mut out = String::new();
    for right in can(&rbac, kind, name, namespace) {
        let binding: &Object = &objects[right.binding];
        let list = |key: &str| -> Vec<String> {
            right.rule.as_ref().map_or_else(
                || vec!["*".to_owned()],
                |rule| value::texts(rule.node, &[key]).map(str::to_owned).collect(),
            )
        };
        if args.output == "json" {
            let line = json!({
                "verbs": list("verbs"), "apiGroups": list("apiGroups"), "resources": list("resources"),
                "names": list("resourceNames"), "urls": list("nonResourceURLs"),
                "namespace": right.namespace, "binding": binding.title(),
            });
            out.push_str(&format!("{line}\n"));
        } else {
            let mut what = list("resources");
            what.extend(list("nonResourceURLs"));
            out.push_str(&clean(&format!(
                "{} on {} in {} by {}",
                list("verbs").join(","),
                what.join(","),
                right.namespace.unwrap_or("all namespaces"),
                binding.title()
            )));
            out.push('\n');
        }
    }
    print(&out)?;
    Ok(ExitCode::SUCCESS)
}
