//! Reads manifests for the engines that want text: files, directories (recursively, sorted), standard input as `-`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use vedette_manifest::Source;

/// Largest file that is read, in bytes; a larger one is refused by name.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// Reads every path. Directories give their `.yaml`, `.yml` and `.json` files in byte order of the path.
pub(crate) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut out = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin()
                .take(MAX_FILE)
                .read_to_string(&mut text)
                .context("reading standard input")?;
            out.push(Source {
                name: "<stdin>".into(),
                text: text.into(),
            });
        } else if path.is_dir() {
            let mut files = Vec::new();
            walk(path, &mut files)?;
            files.sort();
            for file in files {
                out.push(file_source(&file)?);
            }
        } else {
            out.push(file_source(path)?);
        }
    }
    Ok(out)
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in
        fs::read_dir(dir).with_context(|| format!("reading directory {}", dir.display()))?
    {
        let entry = entry.with_context(|| format!("reading directory {}", dir.display()))?;
        let path = entry.path();
        // A link to a directory is not followed: it may lead back up.
        let kind = entry
            .file_type()
            .with_context(|| format!("reading {}", path.display()))?;
        if kind.is_dir() {
            walk(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
        {
            files.push(path);
        }
    }
    Ok(())
}

fn file_source(path: &Path) -> anyhow::Result<Source> {
    let name = path.display().to_string();
    let size = fs::metadata(path)
        .with_context(|| format!("reading {name}"))?
        .len();
    anyhow::ensure!(
        size <= MAX_FILE,
        "{name} has {size} bytes, more than the {MAX_FILE} that are read"
    );
    let bytes = fs::read(path).with_context(|| format!("reading {name}"))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Source {
        name: name.into(),
        text: text.into(),
    })
}
