//! `vedette posture fix`: proved changes to manifests, as patch, overlay, merge or in place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use vedette_posture::fix::present::{diff, kustomize, strategic_merge, yaml};
use vedette_posture::fix::{Applied, Fixed, fix};
use vedette_posture::input::{Settings, load};

use super::{check, clean, complain, print};
use crate::commands::exit;
use crate::sources;

/// Arguments of `posture fix`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Form of the fix: a unified diff, a kustomization, strategic merge patches, or the files themselves.
    #[arg(long = "as", default_value = "patch", value_parser = ["patch", "kustomize", "merge", "in-place"])]
    form: String,
    /// Fixes only what these checks find.
    #[arg(long = "check", value_name = "ID")]
    only: Vec<String>,
    /// Fixes only what the checks of this benchmark find.
    #[arg(long, short)]
    benchmark: Option<String>,
    /// Files or directories.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Exit code 0 when every fix was made, 1 when some were refused.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let before = sources::read(&args.files)?;
    let checks = check::chosen(&args.only, args.benchmark.as_deref())?;
    let fixed = fix(&before, &checks, &Settings::default());
    let objects = load(&before).objects;
    match args.form.as_str() {
        "in-place" => {
            for (old, new) in before.iter().zip(&fixed.sources) {
                if old.text != new.text {
                    anyhow::ensure!(
                        &*old.name != "<stdin>",
                        "standard input cannot be changed in place"
                    );
                    std::fs::write(&*old.name, new.text.as_bytes())
                        .with_context(|| format!("writing {}", old.name))?;
                }
            }
        }
        "patch" => {
            for (old, new) in before.iter().zip(&fixed.sources) {
                print(&diff(&old.name, &old.text, &new.text))?;
            }
        }
        form => {
            let mut by_object: BTreeMap<usize, Vec<&Applied>> = BTreeMap::new();
            for applied in &fixed.applied {
                by_object.entry(applied.object).or_default().push(applied);
            }
            let patches: Vec<_> = by_object
                .iter()
                .map(|(index, applied)| {
                    let (merge, left) = strategic_merge(&objects[*index], applied);
                    (&objects[*index], merge, left)
                })
                .collect();
            if form == "kustomize" {
                let files: Vec<String> = before.iter().map(|s| s.name.to_string()).collect();
                print(&kustomize(&files, &patches))?;
            } else {
                for (object, merge, left) in &patches {
                    print(&format!("---\n{}", yaml(merge, 0)))?;
                    for edit in left {
                        complain(&clean(&format!(
                            "{}: a merge cannot express {edit:?}; use --as kustomize or patch",
                            object.title()
                        )))?;
                    }
                }
            }
        }
    }
    tell(&fixed, &objects)?;
    Ok(if fixed.not_applied.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::FINDINGS)
    })
}

/// What was done, what to test, what was refused, and where it really has to be changed.
fn tell(fixed: &Fixed, objects: &[vedette_manifest::Object]) -> anyhow::Result<()> {
    complain(&format!(
        "{} fixes made and proved, {} refused",
        fixed.applied.len(),
        fixed.not_applied.len()
    ))?;
    let mut cautions: BTreeMap<&str, usize> = BTreeMap::new();
    for applied in &fixed.applied {
        if let Some(caution) = applied.caution {
            *cautions.entry(caution).or_default() += 1;
        }
    }
    for (caution, times) in cautions {
        complain(&format!(
            "test before rolling out ({times} times): {caution}"
        ))?;
    }
    for refused in &fixed.not_applied {
        complain(&clean(&format!(
            "not fixed: {}: {} at {}: {}",
            objects[refused.object].title(),
            refused.check,
            refused.path,
            refused.reason
        )))?;
    }
    let mut told = std::collections::BTreeSet::new();
    for applied in &fixed.applied {
        let object = &objects[applied.object];
        let label = |key: &str| {
            ["labels", "annotations"].iter().find_map(|part| {
                object
                    .at(&["metadata", part, key])
                    .and_then(vedette_yaml_text)
            })
        };
        let owner = if let Some(template) = &object.template {
            format!(
                "it was rendered from {template}; change the template or its values there. Which value feeds the \
                 field cannot be told from the rendered text"
            )
        } else if label("app.kubernetes.io/managed-by").is_some_and(|by| by == "Helm") {
            "Helm manages it; change the chart's values, or the next upgrade brings it back"
                .to_owned()
        } else if label("argocd.argoproj.io/instance").is_some() {
            "Argo CD manages it; change it in Git, or it comes back".to_owned()
        } else if label("kustomize.toolkit.fluxcd.io/name").is_some() {
            "Flux manages it; change it in Git, or it comes back".to_owned()
        } else {
            continue;
        };
        if told.insert(applied.object) {
            complain(&clean(&format!("{}: {owner}", object.title())))?;
        }
    }
    Ok(())
}

fn vedette_yaml_text(node: &vedette_yaml::Node) -> Option<&str> {
    node.as_str()
}
