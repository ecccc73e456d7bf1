//! Controls that can be put in place one at a time on the playground, each where a cluster has it: in the pod's security
//! context, in its network, in its service account, at the metadata service, or in an agent on the node.

use crate::pod::{Capabilities, Pod, Security};

/// A control by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// An agent on the node refuses what did not come with the image. The node only has to be watched.
    DriftPrevention,
    /// `capabilities.drop: [ALL]`, and nothing else of the restricted standard.
    DropCapabilities,
    /// A network policy: replies, and questions to port 53, are all that leaves the pod.
    EgressPolicy,
    /// The service account may do nothing.
    LeastPrivilegeRbac,
    /// The metadata service wants a token, whose answer dies after one hop.
    MetadataHopLimit,
    /// `hostPID: false`.
    NoHostPid,
    /// `privileged: false`: the runtime's default capabilities, and its list of hidden kernel files.
    NoPrivileged,
    /// `automountServiceAccountToken: false`.
    NoServiceAccountToken,
    /// What the baseline Pod Security Standard forbids of the playground.
    PssBaseline,
    /// What the restricted one forbids of it.
    PssRestricted,
    /// `readOnlyRootFilesystem: true`.
    ReadOnlyRoot,
    /// `runAsUser: 1000`.
    RunAsNonRoot,
}

impl Control {
    /// Every control.
    pub const ALL: [Self; 12] = [
        Self::DriftPrevention,
        Self::DropCapabilities,
        Self::EgressPolicy,
        Self::LeastPrivilegeRbac,
        Self::MetadataHopLimit,
        Self::NoHostPid,
        Self::NoPrivileged,
        Self::NoServiceAccountToken,
        Self::PssBaseline,
        Self::PssRestricted,
        Self::ReadOnlyRoot,
        Self::RunAsNonRoot,
    ];

    /// The name on the command line, which is that of `vedette prove`.
    pub fn name(self) -> &'static str {
        match self {
            Self::DriftPrevention => "drift-prevention",
            Self::DropCapabilities => "drop-capabilities",
            Self::EgressPolicy => "egress-policy",
            Self::LeastPrivilegeRbac => "least-privilege-rbac",
            Self::MetadataHopLimit => "metadata-hop-limit",
            Self::NoHostPid => "no-host-pid",
            Self::NoPrivileged => "no-privileged",
            Self::NoServiceAccountToken => "no-service-account-token",
            Self::PssBaseline => "pss-baseline",
            Self::PssRestricted => "pss-restricted",
            Self::ReadOnlyRoot => "read-only-root",
            Self::RunAsNonRoot => "run-as-non-root",
        }
    }

    /// A control by its name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|control| control.name() == name)
    }

    /// Puts it in place on a pod. What is not the pod's is the node's, see [`Control::on_node`].
    pub(crate) fn apply(self, pod: &mut Pod) {
        match self {
            Self::DriftPrevention | Self::MetadataHopLimit => {}
            Self::DropCapabilities => pod.capabilities = Capabilities::None,
            Self::EgressPolicy => pod.egress = false,
            Self::LeastPrivilegeRbac => pod.may_create = false,
            Self::NoHostPid => pod.host_pid = false,
            Self::NoPrivileged => {
                pod.security = Security::Default;
                pod.capabilities = Capabilities::Default;
            }
            Self::NoServiceAccountToken => pod.token = false,
            Self::PssBaseline => {
                Self::NoPrivileged.apply(pod);
                Self::NoHostPid.apply(pod);
            }
            Self::PssRestricted => {
                pod.security = Security::Restricted;
                Self::NoHostPid.apply(pod);
                Self::DropCapabilities.apply(pod);
                Self::RunAsNonRoot.apply(pod);
            }
            Self::ReadOnlyRoot => pod.read_only_root = true,
            Self::RunAsNonRoot => {
                pod.user = 1000;
                pod.cwd = "/home/python";
            }
        }
    }

    /// What the node's start script is told about it, in the directory of what was prepared.
    pub(crate) fn on_node(self) -> Option<&'static str> {
        (self == Self::MetadataHopLimit).then_some("metadata-tokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::{Profile, pods, pods_with};

    #[test]
    fn each_control_changes_something_and_only_the_vulnerable_workload() {
        let before = pods(Profile::Playground);
        for control in Control::ALL {
            assert_eq!(Control::by_name(control.name()), Some(control));
            let after = pods_with(Profile::Playground, Some(control));
            let elsewhere = matches!(
                control,
                Control::DriftPrevention | Control::MetadataHopLimit
            );
            assert_eq!(before[0] == after[0], elsewhere, "{}", control.name());
            assert_eq!(before[1..4], after[1..4], "{}", control.name());
        }
    }

    #[test]
    fn the_restricted_profile_is_its_two_controls() {
        let restricted = &pods(Profile::Restricted)[0];
        let mut pod = pods(Profile::Playground)[0].clone();
        Control::PssRestricted.apply(&mut pod);
        Control::LeastPrivilegeRbac.apply(&mut pod);
        pod.namespace = restricted.namespace;
        assert_eq!(pod, *restricted);
    }
}
