//! What the keeper is told.

use std::path::PathBuf;
use std::sync::Arc;

use vedette_detect::policy::Policy;
use vedette_detect::policy::feed::Feed;
use vedette_detect::policy::scope::Workload;

/// Policies and lists, read.
pub(crate) struct Loaded {
    pub(crate) policies: Arc<[Arc<Policy>]>,
    pub(crate) feed: Arc<Feed>,
}

/// A process of a container.
pub(crate) struct Sighting {
    pub(crate) workload: Workload,
    pub(crate) pid: u32,
    /// Directories of its control groups.
    pub(crate) groups: Vec<PathBuf>,
}

/// One thing.
pub(crate) enum Command {
    /// A process of a container that is new, or is described better now.
    Seen(Box<Sighting>),
    /// Other policies hold from now on.
    Policies(Loaded),
    /// Tell what is left, and end.
    End,
}
