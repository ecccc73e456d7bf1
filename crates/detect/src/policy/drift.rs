//! Whether a program may run: a pure function over facts that somebody else looked up.
//!
//! Drift is what runs in a container without having come with its image. Where a file comes from is told by the kernel's
//! own structures (see [`Source`]), never by its path. A file of the image whose metadata alone was changed is not
//! drift; a file that was written is, whatever it is called and wherever it was linked, mounted or moved to.

use std::fmt;
use std::sync::Arc;

use super::feed::Feed;
use super::{Detectors, Policy};

/// What a process is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Execute a file.
    Execute,
    /// Map a file as code: shared libraries, programs started through the loader.
    Map,
    /// Read a file as an interpreter's program.
    Interpret,
    /// Change another process' memory, or its own through /proc.
    Inject,
}

impl Operation {
    /// Every operation, in the order of the kernel side's tables.
    pub const ALL: [Self; 4] = [Self::Execute, Self::Map, Self::Interpret, Self::Inject];

    /// A verb for messages.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Map => "map as code",
            Self::Interpret => "interpret",
            Self::Inject => "change the memory of a process",
        }
    }
}

/// Where a file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The image: a lower layer of the container's own overlay, or copied up for its metadata only.
    Image,
    /// The container's own root file system, where that has no layers: nothing can be said.
    Unlayered,
    /// Written since the container started: the upper layer.
    Written,
    /// A file system in memory: tmpfs, `/dev/shm`.
    Memory,
    /// A file without a name, made by memfd_create.
    Memfd,
    /// A volume, or any other file system that is not the container's root.
    Volume,
}

impl Source {
    /// The sources that are drift.
    pub const DRIFT: [Self; 4] = [Self::Written, Self::Memory, Self::Memfd, Self::Volume];

    /// True when a file from here did not come with the image.
    pub fn is_drift(self) -> bool {
        Self::DRIFT.contains(&self)
    }

    /// The word that policies use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Unlayered => "unlayered",
            Self::Written => "written",
            Self::Memory => "memory",
            Self::Memfd => "memfd",
            Self::Volume => "volume",
        }
    }

    /// What a message says of a file from here.
    fn phrase(self) -> &'static str {
        match self {
            Self::Image => "came with the image",
            Self::Unlayered => "lies on a root file system without layers",
            Self::Written => "was written after the container started",
            Self::Memory => "lies in memory (tmpfs)",
            Self::Memfd => "has no name and lies in memory (memfd)",
            Self::Volume => "lies on a volume",
        }
    }
}

/// What is known of an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// What is about to happen.
    pub operation: Operation,
    /// Where the file comes from.
    pub source: Source,
    /// No name of the file is left.
    pub deleted: bool,
    /// Path of the file, as the container sees it; empty where there is none.
    pub path: &'a str,
    /// Path of the program that does it.
    pub process: &'a str,
    /// SHA-256 of the file, where somebody asked for it.
    pub sha256: Option<[u8; 32]>,
}

/// How strongly to react. Ordered: the strongest of several policies holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reaction {
    /// Not looked at, or fine.
    #[default]
    Allow,
    /// Goes on and is reported.
    Audit,
    /// Refused and reported.
    Deny,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How to react.
    pub reaction: Reaction,
    /// `drift` or `malware`; empty when nothing decided.
    pub detector: &'static str,
    /// The policy that decided. Several may hold; the first of the strongest is named.
    pub policy: Option<Arc<Policy>>,
    /// In words, with the values seen.
    pub reason: String,
}

impl Decision {
    fn allow() -> Self {
        Self {
            reaction: Reaction::Allow,
            detector: "",
            policy: None,
            reason: String::new(),
        }
    }
}

/// The policies that hold for one container.
#[derive(Clone, Debug, Default)]
pub struct Effective {
    policies: Vec<Arc<Policy>>,
    feed: Arc<Feed>,
}

impl Effective {
    /// These policies, whose scopes match, and this list of known-bad files.
    pub fn new(policies: Vec<Arc<Policy>>, feed: Arc<Feed>) -> Self {
        Self { policies, feed }
    }

    /// The policies.
    pub fn policies(&self) -> &[Arc<Policy>] {
        &self.policies
    }

    /// True when an operation is looked at by any policy.
    pub fn watches(&self, operation: Operation) -> bool {
        self.strongest(operation) > Reaction::Allow
    }

    /// The strongest reaction to an operation on drifted files.
    pub fn strongest(&self, operation: Operation) -> Reaction {
        self.policies
            .iter()
            .map(|policy| policy.reaction_to(operation))
            .max()
            .unwrap_or_default()
    }

    /// True when a file's hash can change a decision.
    pub fn wants_hash(&self) -> bool {
        self.feed.has_hashes() && self.watches_malware()
    }

    fn watches_malware(&self) -> bool {
        self.policies
            .iter()
            .any(|policy| policy.detectors.malware > Reaction::Allow)
    }

    /// True when a file of the image can be refused to run: when it can be on a list of known-bad ones.
    pub fn looks_at_image(&self) -> bool {
        !self.feed.is_empty() && self.watches_malware()
    }

    /// True when anything could be decided for this container.
    pub fn is_idle(&self) -> bool {
        !self.watches_malware() && Operation::ALL.iter().all(|op| !self.watches(*op))
    }

    /// Decides. `now` is in seconds since the Unix epoch: exceptions expire.
    pub fn decide(&self, attempt: &Attempt<'_>, now: i64) -> Decision {
        let mut strongest = Decision::allow();
        for policy in &self.policies {
            let (reaction, detector) = self.reaction(policy, attempt);
            if reaction <= strongest.reaction || policy.excepts(attempt, now) {
                continue;
            }
            strongest = Decision {
                reaction,
                detector,
                policy: Some(Arc::clone(policy)),
                reason: self.reason(detector, attempt),
            };
        }
        strongest
    }

    fn reaction(&self, policy: &Policy, attempt: &Attempt<'_>) -> (Reaction, &'static str) {
        let Detectors { malware, .. } = policy.detectors;
        let malware = if malware > Reaction::Allow && self.feed.finds(attempt).is_some() {
            policy.capped(malware)
        } else {
            Reaction::Allow
        };
        let drift = if attempt.operation == Operation::Inject
            || attempt.source.is_drift() && policy.detectors.sources.contains(&attempt.source)
        {
            policy.reaction_to(attempt.operation)
        } else {
            Reaction::Allow
        };
        // what is known to be bad is worse than what is merely new
        if malware > Reaction::Allow && malware >= drift {
            (malware, "malware")
        } else {
            (drift, "drift")
        }
    }

    fn reason(&self, detector: &str, attempt: &Attempt<'_>) -> String {
        if attempt.operation == Operation::Inject {
            return format!("{} tried to {}", attempt.process, attempt.operation.verb());
        }
        if detector == "malware"
            && let Some(hit) = self.feed.finds(attempt)
        {
            return format!("{} is on the list of known-bad files: {hit}", attempt.path);
        }
        let deleted = if attempt.deleted {
            " and was deleted"
        } else {
            ""
        };
        format!("{} {}{deleted}", attempt.path, attempt.source.phrase())
    }
}

impl fmt::Display for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Audit => "audit",
            Self::Deny => "deny",
        })
    }
}
