//! Where rules come from: the files and directories that were named, or the rules that are shipped in the binary.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use vedette_rules::diagnostic::{Diagnostic, Files};

/// Largest rules file, in bytes; the largest upstream file has about 200 KB.
const MAX_RULES: u64 = 32 * 1024 * 1024;

/// A rules file inside the binary.
pub(crate) struct Shipped {
    /// Name under which complaints mention it.
    pub(crate) name: &'static str,
    /// Its text.
    pub(crate) text: &'static str,
}

/// Every shipped rules file.
pub(crate) const SHIPPED: &[Shipped] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// Names and texts of rule files, in order. A directory gives its `.yaml` and `.yml` files in byte order of their names;
/// no path at all gives the shipped rules.
pub(crate) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    if paths.is_empty() {
        return Ok(SHIPPED
            .iter()
            .map(|file| (file.name.to_owned(), file.text.to_owned()))
            .collect());
    }
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside = Vec::new();
            walk(path, &mut inside)?;
            inside.sort();
            for file in inside {
                files.push(read_one(&file)?);
            }
        } else {
            files.push(read_one(path)?);
        }
    }
    Ok(files)
}

/// The rule files below a directory.
pub(crate) fn walk(dir: &Path, out: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in
        fs::read_dir(dir).with_context(|| format!("reading directory {}", dir.display()))?
    {
        let entry = entry.with_context(|| format!("reading directory {}", dir.display()))?;
        let path = entry.path();
        if entry
            .file_type()
            .with_context(|| format!("reading {}", path.display()))?
            .is_dir()
        {
            walk(&path, out)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            out.push(path);
        }
    }
    Ok(())
}

fn read_one(path: &Path) -> anyhow::Result<(String, String)> {
    let name = path.display().to_string();
    let size = fs::metadata(path)
        .with_context(|| format!("reading rules file {name}"))?
        .len();
    anyhow::ensure!(
        size <= MAX_RULES,
        "rules file {name} has {size} bytes, more than the {MAX_RULES} that are read"
    );
    let bytes = fs::read(path).with_context(|| format!("reading rules file {name}"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow::anyhow!("rules file {name}: byte {at} is not UTF-8; save the file as UTF-8")
    })?;
    Ok((name, text))
}

/// Prints complaints on standard error: errors always, warnings when `warnings` is set. Gives the number of errors.
pub(crate) fn complain(
    diagnostics: &[Diagnostic],
    files: &[(String, String)],
    warnings: bool,
) -> anyhow::Result<usize> {
    let mut err = std::io::stderr().lock();
    let colour = err.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut errors = 0;
    for diagnostic in diagnostics {
        errors += usize::from(diagnostic.is_error());
        if !diagnostic.is_error() && !warnings {
            continue;
        }
        let text = diagnostic.render(&Files(files));
        let (on, off) = match (colour, diagnostic.is_error()) {
            (false, _) => ("", ""),
            (true, true) => ("\x1b[31m", "\x1b[0m"),
            (true, false) => ("\x1b[33m", "\x1b[0m"),
        };
        match text.split_once(':') {
            Some((head, rest)) if !head.contains('\n') => writeln!(err, "{on}{head}{off}:{rest}")?,
            _ => writeln!(err, "{text}")?,
        }
    }
    Ok(errors)
}
