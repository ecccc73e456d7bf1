//! Checks of your own in CEL: running them, testing them, and writing checks as admission policies.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use vedette_manifest::Object;
use vedette_posture::user::builtin::{as_cel, exportable};
use vedette_posture::user::{UserCheck, parse, vap};
use vedette_posture::value;

use super::{clean, complain, print};
use crate::commands::exit;

/// Arguments of `posture test`.
#[derive(clap::Args)]
pub(crate) struct Test {
    /// Files with user checks.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Arguments of `posture export`.
#[derive(clap::Args)]
pub(crate) struct Export {
    /// Ids of built-in checks, or files with user checks. Without any, every check that can be expressed.
    what: Vec<String>,
}

fn read(path: &Path) -> anyhow::Result<Vec<UserCheck>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let (checks, mistakes) = parse(&text);
    for mistake in &mistakes {
        complain(&clean(&format!("{}: {mistake}", path.display())))?;
    }
    anyhow::ensure!(
        mistakes.is_empty(),
        "{} has {} mistakes",
        path.display(),
        mistakes.len()
    );
    Ok(checks)
}

/// Runs user checks over objects; says whether something failed. Failures go to standard output for people, and
/// to standard error beside a machine-readable document.
pub(super) fn run_over(
    files: &[PathBuf],
    objects: &[Object],
    people: bool,
) -> anyhow::Result<bool> {
    let mut failed = false;
    for path in files {
        for check in read(path)? {
            for object in objects {
                for failure in check.judge(object) {
                    failed = true;
                    let place = value::place(&object.node, &failure.path);
                    let line = clean(&format!(
                        "{}:{}:{} {} [{}] {} ({})",
                        object.source.name,
                        place.line,
                        place.column,
                        check.severity,
                        check.id,
                        failure.message,
                        object.title()
                    ));
                    if people {
                        print(&format!("{line}\n"))?;
                    } else {
                        complain(&line)?;
                    }
                }
            }
        }
    }
    Ok(failed)
}

/// Runs the tests of user checks.
pub(crate) fn test(args: &Test) -> anyhow::Result<ExitCode> {
    let (mut ran, mut wrong) = (0, 0);
    for path in &args.files {
        for check in read(path)? {
            ran += check.tests.len();
            for name in check.test() {
                wrong += 1;
                print(&clean(&format!(
                    "{}: {}: does not hold: {name}",
                    path.display(),
                    check.id
                )))?;
                print("\n")?;
            }
        }
    }
    print(&format!("{ran} tests ran, {wrong} do not hold\n"))?;
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::FINDINGS)
    })
}

/// Writes policies.
pub(crate) fn export(args: &Export) -> anyhow::Result<ExitCode> {
    let mut checks = Vec::new();
    if args.what.is_empty() {
        checks.extend(exportable().filter_map(as_cel));
    }
    for what in &args.what {
        if Path::new(what).is_file() {
            checks.extend(read(Path::new(what))?);
        } else {
            checks.push(as_cel(what).with_context(|| {
                let known: Vec<&str> = exportable().collect();
                format!(
                    "{what:?} is neither a file nor a check that a policy can express; those are {}",
                    known.join(", ")
                )
            })?);
        }
    }
    for check in &checks {
        print(&format!("---\n{}", vap::export(check)))?;
    }
    Ok(ExitCode::SUCCESS)
}
