//! What makes the lab's pods.

use crate::tools;

/// A container runtime of the lab's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// The machine's containerd, by the interface for Kubernetes (CRI v1), with its shims, its images and its snapshots.
    Containerd,
    /// runc alone, with a daemon that plays containerd's part.
    Runc,
}

impl Runtime {
    /// Every runtime, the one that is tried first first.
    pub const ALL: [Self; 2] = [Self::Containerd, Self::Runc];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Runc => "runc",
        }
    }

    /// A runtime by its name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|runtime| runtime.name() == name)
    }

    /// What keeps this runtime from being used on this machine besides what [`crate::missing`] says; `None` when it can be
    /// tried.
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Runc => None,
            Self::Containerd => tools::missing_of_containerd().map(|program| {
                format!("the program {program} is not installed (package containerd)")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for runtime in Runtime::ALL {
            assert_eq!(Runtime::by_name(runtime.name()), Some(runtime));
        }
        assert_eq!(Runtime::by_name("docker"), None);
        assert_eq!(Runtime::Runc.missing(), None);
    }
}
