//! Rules and policies that were saved at the server, kept on this node's disk so that they hold when the server is away and
//! after a restart. What is on disk is believed only when its digest is its version.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use vedette_server::Bundle;

/// Largest bundle, in bytes: hundreds of rule files as large as the largest upstream one.
pub(crate) const MAX_BUNDLE: u64 = 64 << 20;
/// Name of the file.
const FILE: &str = "bundle.json";

/// Which bundle is at work, told to the server with every heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InUse {
    /// Version of the rules and policies at work; empty for none.
    pub(crate) version: String,
    /// Why not a newer one, or what of this one is left out.
    pub(crate) problem: String,
}

/// Shared by whoever takes bundles in, puts them to work and tells of it.
pub(crate) type Board = Arc<Mutex<InUse>>;

/// Writes down what is at work.
pub(crate) fn tell(board: &Board, change: impl FnOnce(&mut InUse)) {
    if let Ok(mut board) = board.lock() {
        change(&mut board);
    }
}

/// Where bundles lie, beside the spool.
pub(crate) fn directory(spool: &Path) -> PathBuf {
    spool.join("bundle")
}

/// Makes the directory, so that it can be watched before there is a bundle.
pub(crate) fn prepare(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))
}

/// The bundle on disk; `None` when there never was one.
///
/// # Errors
/// When it cannot be read or is not what was stored.
pub(crate) fn read(dir: &Path) -> anyhow::Result<Option<Bundle>> {
    let path = dir.join(FILE);
    let what = || format!("reading {}", path.display());
    let file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(what),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BUNDLE + 1)
        .read_to_end(&mut bytes)
        .with_context(what)?;
    verified(&bytes).with_context(what).map(Some)
}

/// A bundle whose version is its digest.
pub(crate) fn verified(bytes: &[u8]) -> anyhow::Result<Bundle> {
    anyhow::ensure!(
        bytes.len() as u64 <= MAX_BUNDLE,
        "the bundle has more than {MAX_BUNDLE} bytes"
    );
    let bundle: Bundle = serde_json::from_slice(bytes).context("the bundle is no JSON")?;
    anyhow::ensure!(
        bundle.version == bundle.digest(),
        "the bundle's version is not its digest: it was changed or cut on its way"
    );
    Ok(bundle)
}

/// Puts a bundle on disk: whole, or the one before stays.
pub(crate) fn store(dir: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let (path, new) = (dir.join(FILE), dir.join("bundle.new"));
    let write = || {
        let mut file = fs::File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_kept_and_a_changed_one_is_not_believed() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(read(dir.path()).expect("none is no error"), None);
        let mut bundle = Bundle {
            rules: vec![vedette_server::Named {
                name: "a".to_owned(),
                text: "- list: x\n".to_owned(),
            }],
            ..Bundle::default()
        };
        bundle.version = bundle.digest();
        let text = serde_json::to_string(&bundle).expect("JSON");
        store(dir.path(), text.as_bytes()).expect("written");
        assert_eq!(read(dir.path()).expect("sound"), Some(bundle));
        store(dir.path(), text.replace("list", "lisp").as_bytes()).expect("written");
        let error = read(dir.path()).expect_err("it was changed");
        assert!(format!("{error:#}").contains("digest"), "{error:#}");
        store(dir.path(), &text.as_bytes()[..20]).expect("written");
        assert!(read(dir.path()).is_err());
    }
}
