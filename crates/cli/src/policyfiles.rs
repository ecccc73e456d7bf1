//! Where policies come from: the files and directories that were named, and `managed`, the set inside the binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use vedette_detect::policy::feed::Feed;
use vedette_detect::policy::{Policy, PolicyProblem, read_all};

/// Largest policy file, in bytes; a thousand policies have some hundred kilobytes.
const MAX_POLICY_FILE: u64 = 8 << 20;
/// Largest list of known-bad files, in bytes.
const MAX_FEED: u64 = 512 << 20;

/// The word for the set inside the binary.
pub(crate) const MANAGED: &str = "managed";

/// The managed set, sorted by name.
pub(crate) const SHIPPED: &[(&str, &str)] = &[
    (
        "policies/drift.yaml",
        include_str!("../../../policies/drift.yaml"),
    ),
    (
        "policies/malware.yaml",
        include_str!("../../../policies/malware.yaml"),
    ),
    (
        "policies/response.yaml",
        include_str!("../../../policies/response.yaml"),
    ),
];

/// Reads policies: of files, of the `.yaml` and `.yml` files of directories, and the managed set where it is named.
pub(crate) fn read(paths: &[PathBuf]) -> anyhow::Result<(Vec<Arc<Policy>>, Vec<PolicyProblem>)> {
    let (mut policies, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        if path.as_os_str() == MANAGED {
            let (found, told) = read_all(SHIPPED, true);
            policies.extend(found);
            problems.extend(told);
            continue;
        }
        let mut files = Vec::new();
        if path.is_dir() {
            crate::rulefiles::walk(path, &mut files)?;
            files.sort();
        } else {
            files.push(path.clone());
        }
        for file in files {
            let text = text(&file, MAX_POLICY_FILE)?;
            let name = file.display().to_string();
            let (found, told) = read_all(&[(&name, &text)], false);
            policies.extend(found);
            problems.extend(told);
        }
    }
    Ok((policies, problems))
}

/// Reads lists of known-bad files. Lines that are no entry come back as complaints.
pub(crate) fn feeds(paths: &[PathBuf]) -> anyhow::Result<(Feed, Vec<String>)> {
    let (mut feed, mut told) = (Feed::default(), Vec::new());
    for path in paths {
        for problem in feed.add(&text(path, MAX_FEED)?) {
            told.push(format!(
                "{}:{}: {}",
                path.display(),
                problem.line,
                problem.message
            ));
        }
    }
    Ok((feed, told))
}

fn text(path: &Path, most: u64) -> anyhow::Result<String> {
    let size = fs::metadata(path)
        .with_context(|| format!("reading {}", path.display()))?
        .len();
    anyhow::ensure!(
        size <= most,
        "{} has {size} bytes; at most {most} are read",
        path.display()
    );
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_managed_policy_is_shipped_and_sound() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
        let mut files: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| format!("policies/{}", entry.unwrap().file_name().to_string_lossy()))
            .collect();
        files.sort();
        let shipped: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        assert_eq!(files, shipped);
        let (policies, problems) = read(&[PathBuf::from(MANAGED)]).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        assert!(policies.len() >= 4 && policies.iter().all(|policy| policy.managed));
    }
}
