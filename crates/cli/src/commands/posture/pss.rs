//! `vedette posture pss`: the API server's Pod Security answer for every object, and the impact of a label.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;
use vedette_manifest::Object;
use vedette_posture::pss::admission::{Policy, warning_for};
use vedette_posture::pss::impact::impact;
use vedette_posture::pss::{Level, Pod, Verdict, evaluate};

use super::{clean, load, print};
use crate::commands::exit;

/// Arguments of `posture pss`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Level to evaluate: privileged, baseline or restricted.
    #[arg(long, default_value = "restricted")]
    level: Level,
    /// Version of the standards: latest or v1.N.
    #[arg(long, default_value = "latest")]
    version: String,
    /// Says what labelling the namespace with this level would refuse, and where it would show.
    #[arg(long)]
    impact: bool,
    /// Considers only objects of this namespace.
    #[arg(long, short)]
    namespace: Option<String>,
    /// Output: text, or json with one object a line.
    #[arg(long, short, default_value = "text", value_parser = ["text", "json"])]
    output: String,
    /// Files, directories, or - for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Exit code 0 when everything is allowed, 1 when something is not.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let policy =
        Policy::new(args.level, &args.version).map_err(|e| anyhow::anyhow!("--version: {e}"))?;
    let loaded = load(&args.files)?;
    let refused = if args.impact {
        print_impact(args, &policy, &loaded.objects)?
    } else {
        print_answers(args, &policy, &loaded.objects)?
    };
    Ok(if refused {
        ExitCode::from(exit::FINDINGS)
    } else if loaded.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::USAGE)
    })
}

fn print_answers(args: &Args, policy: &Policy, objects: &[Object]) -> anyhow::Result<bool> {
    let (mut out, mut refused) = (String::new(), false);
    for object in objects {
        let elsewhere = args
            .namespace
            .as_deref()
            .is_some_and(|namespace| namespace != object.namespace.as_deref().unwrap_or("default"));
        if elsewhere {
            continue;
        }
        let verdict = Pod::of(object).map_or_else(Verdict::default, |pod| {
            evaluate(&pod, policy.level, policy.version)
        });
        let warning = warning_for(object, policy).unwrap_or_default();
        refused |= !verdict.allowed();
        if args.output == "json" {
            let line = json!({
                "file": &*object.source.name,
                "kind": object.kind,
                "namespace": object.namespace,
                "name": object.name,
                "allowed": verdict.allowed(),
                "reason": verdict.reason(),
                "detail": verdict.detail(),
                "warning": warning,
            });
            out.push_str(&format!("{line}\n"));
        } else if !verdict.allowed() {
            out.push_str(&format!(
                "{}: {}\nWarning: {}\n",
                clean(&object.source.name),
                clean(&object.title()),
                clean(&warning)
            ));
        }
    }
    print(&out)?;
    Ok(refused)
}

fn print_impact(args: &Args, policy: &Policy, objects: &[Object]) -> anyhow::Result<bool> {
    let impact = impact(objects, args.namespace.as_deref(), policy);
    let mut out = String::new();
    if args.output == "json" {
        for refused in &impact.refused {
            let violations: Vec<_> = refused
                .violations
                .iter()
                .map(|v| json!({"check": v.check, "reason": v.reason, "detail": v.detail, "fields": v.fields}))
                .collect();
            let line = json!({
                "file": &*refused.object.source.name,
                "kind": refused.object.kind,
                "namespace": refused.object.namespace,
                "name": refused.object.name,
                "message": refused.message,
                "symptom": refused.symptom,
                "violations": violations,
            });
            out.push_str(&format!("{line}\n"));
        }
    } else {
        out.push_str(&format!(
            "enforce={policy} would refuse {} of {} pods and workloads\n",
            impact.refused.len(),
            impact.considered
        ));
        for warning in &impact.label_warnings {
            out.push_str(&format!("Warning: {}\n", clean(warning)));
        }
        for refused in &impact.refused {
            out.push_str(&format!(
                "\n{} ({})\n",
                clean(&refused.object.title()),
                clean(&refused.object.source.name)
            ));
            for violation in &refused.violations {
                out.push_str(&format!("  {}\n", clean(&violation.reason)));
                for field in &violation.fields {
                    out.push_str(&format!("    {}\n", clean(field)));
                }
            }
            out.push_str(&format!(
                "  {}\n  message: Error creating: {}\n",
                clean(&refused.symptom),
                clean(&refused.message)
            ));
        }
    }
    print(&out)?;
    Ok(!impact.refused.is_empty())
}
