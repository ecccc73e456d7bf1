//! Containers: control group → container id → what the runtime knows of it.
//!
//! The runtimes are not asked over their sockets: what is needed lies on disk before a container's first process runs
//! (the OCI bundle, containerd's database, Docker's configuration, the storage of Podman and CRI-O), so that even a container that lives for
//! milliseconds is known by its first exec. [`Observer`] watches the events and answers with the `container` event that
//! belongs before the one it has just seen.
//!
//! Every file is read up to [`MAX_FILE`] bytes; what is malformed is passed over; secrets in environments are hidden.

mod bolt;
mod containerd;
mod docker;
mod locate;
mod metadata;
mod observe;
mod oci;
mod storage;
mod usage;
mod watch;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub use locate::{Engine, Located, locate};
pub use metadata::{Metadata, Mount};
pub use observe::{Observer, Stats};
pub use usage::Meter;

/// Most bytes of one of the runtimes' files. Real bundles have some ten kilobytes.
pub const MAX_FILE: u64 = 4 << 20;

/// The runtimes of a host.
#[derive(Clone, Debug)]
pub struct Runtimes {
    root: PathBuf,
}

impl Runtimes {
    /// Runtimes below this root: `/`, or where the host's root is mounted.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// What is known of a container. `None` when no runtime's files name it.
    pub fn find(&self, located: &Located) -> Option<Metadata> {
        let id = &located.id;
        // an id becomes part of a path: nothing but letters, digits, `_`, `.` and `-`, and not `..`
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if id.is_empty() || id.starts_with('.') || !id.chars().all(plain) {
            return None;
        }
        docker::find(&self.root, id)
            .or_else(|| storage::find(&self.root, id))
            .or_else(|| containerd::find(&self.root, id))
            .or_else(|| oci::find(&self.root, id))
    }
}

/// A JSON file of bounded size.
fn json(path: &Path) -> Option<Value> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .ok()?
        .take(MAX_FILE)
        .read_to_end(&mut bytes)
        .ok()?;
    serde_json::from_slice(&bytes).ok()
}
