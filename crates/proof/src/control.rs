//! The controls: what each refuses, and by which clause.

use std::net::IpAddr;

use serde::Serialize;

use crate::act::{Act, Deed};
use crate::paths;

/// A control that could have been in place.
#[derive(Debug)]
pub struct Control {
    /// Its name on the command line.
    pub id: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Where it is set.
    pub setting: &'static str,
    judge: fn(&Act) -> Answer,
}

impl PartialEq for Control {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// What a control says of an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It would have refused it.
    Stops {
        /// The clause that decides.
        clause: String,
        /// What was seen that the clause refuses.
        fact: String,
    },
    /// It has nothing against it.
    Allows,
    /// The recording does not say enough.
    Unknown {
        /// What is missing.
        why: String,
    },
}

impl Control {
    /// What this control says of an act.
    pub fn answer(&self, act: &Act) -> Answer {
        if act.container.is_none() {
            return Answer::Allows;
        }
        match ((self.judge)(act), &act.deed) {
            // a file that could not have been written is not there to be started
            (
                Answer::Allows,
                Deed::Execute {
                    path,
                    brought: Some(brought),
                    ..
                },
            ) => match self.answer(brought) {
                Answer::Stops { clause, fact } => Answer::Stops {
                    clause,
                    fact: format!("{path} is not there to be run: {fact}"),
                },
                answer => answer,
            },
            (answer, _) => answer,
        }
    }
}

/// The control of this name.
pub fn by_id(id: &str) -> Option<&'static Control> {
    CONTROLS.iter().find(|control| control.id == id)
}

/// Every control, by id.
pub const CONTROLS: &[Control] = &[
    Control {
        id: "drift-prevention",
        title: "Only programs of the image run",
        setting: "a Vedette policy with `detectors: [drift]` and `mode: deny`",
        judge: drift,
    },
    Control {
        id: "drop-capabilities",
        title: "No capabilities",
        setting: "securityContext.capabilities.drop: [ALL]",
        judge: drop_capabilities,
    },
    Control {
        id: "egress-policy",
        title: "No connections out but to the cluster's name service",
        setting: "a NetworkPolicy with policyTypes: [Egress] and a rule for port 53",
        judge: egress,
    },
    Control {
        id: "least-privilege-rbac",
        title: "The service account may do nothing",
        setting: "no RoleBinding or ClusterRoleBinding for the pod's service account",
        judge: rbac,
    },
    Control {
        id: "metadata-hop-limit",
        title: "The instance metadata service answers the node only",
        setting: "HttpPutResponseHopLimit: 1 with HttpTokens: required",
        judge: hop_limit,
    },
    Control {
        id: "no-host-pid",
        title: "No view of the host's processes",
        setting: "spec.hostPID: false",
        judge: host_pid,
    },
    Control {
        id: "no-privileged",
        title: "Not privileged",
        setting: "securityContext.privileged: false",
        judge: privileged,
    },
    Control {
        id: "no-service-account-token",
        title: "No service account token in the pod",
        setting: "automountServiceAccountToken: false",
        judge: token,
    },
    Control {
        id: "pss-baseline",
        title: "Pod Security Standard: baseline",
        setting: "pod-security.kubernetes.io/enforce: baseline",
        judge: baseline,
    },
    Control {
        id: "pss-restricted",
        title: "Pod Security Standard: restricted",
        setting: "pod-security.kubernetes.io/enforce: restricted",
        judge: restricted,
    },
    Control {
        id: "read-only-root",
        title: "A root file system that cannot be written",
        setting: "securityContext.readOnlyRootFilesystem: true",
        judge: read_only,
    },
    Control {
        id: "run-as-non-root",
        title: "Not root",
        setting: "securityContext.runAsNonRoot: true",
        judge: non_root,
    },
];

fn stops(clause: &str, fact: String) -> Answer {
    Answer::Stops {
        clause: clause.to_owned(),
        fact,
    }
}

fn drift(act: &Act) -> Answer {
    match &act.deed {
        // what runs in the host's mount namespace is a matter of the host's policy
        Deed::Execute {
            path,
            foreign: Some(why),
            ..
        } if !act.left.mount => stops("detectors: [drift], mode: deny", format!("{path}: {why}")),
        _ => Answer::Allows,
    }
}

fn drop_capabilities(act: &Act) -> Answer {
    match &act.deed {
        Deed::Enter { .. } => stops(
            "capabilities.drop: [ALL]",
            format!("{} needs CAP_SYS_ADMIN", act.deed.words()),
        ),
        Deed::Privileged {
            call, capability, ..
        } => stops(
            "capabilities.drop: [ALL]",
            format!("{call} needs {capability}"),
        ),
        _ => Answer::Allows,
    }
}

fn privileged(act: &Act) -> Answer {
    match &act.deed {
        Deed::Enter { .. } => stops(
            "privileged: false",
            format!(
                "{} needs CAP_SYS_ADMIN, which the default set lacks",
                act.deed.words()
            ),
        ),
        Deed::Privileged {
            call,
            capability,
            default: false,
        } => stops(
            "privileged: false",
            format!("{call} needs {capability}, which the default set lacks"),
        ),
        _ => Answer::Allows,
    }
}

fn host_pid(act: &Act) -> Answer {
    match &act.deed {
        Deed::Enter { target, .. } => stops(
            "hostPID: false",
            if target.is_empty() {
                "the process whose namespaces were entered is not visible".to_owned()
            } else {
                format!("{target} belongs to a process that is not visible")
            },
        ),
        _ => Answer::Allows,
    }
}

fn baseline(act: &Act) -> Answer {
    either(&[privileged, host_pid], act)
}

fn restricted(act: &Act) -> Answer {
    either(&[privileged, host_pid, drop_capabilities, non_root], act)
}

/// The first of several clauses that stops it; unknown when one might.
fn either(judges: &[fn(&Act) -> Answer], act: &Act) -> Answer {
    let mut unknown = None;
    for judge in judges {
        match judge(act) {
            Answer::Allows => {}
            stops @ Answer::Stops { .. } => return stops,
            other => unknown = Some(other),
        }
    }
    unknown.unwrap_or(Answer::Allows)
}

fn non_root(act: &Act) -> Answer {
    match act.uid {
        Some(0) => {}
        Some(_) => return Answer::Allows,
        None => {
            return Answer::Unknown {
                why: "the recording does not say as which user it was done".to_owned(),
            };
        }
    }
    match act.deed.needs_root() {
        Some(true) => stops(
            "runAsNonRoot: true",
            format!("{}, which only root may", act.deed.words()),
        ),
        Some(false) => Answer::Allows,
        None => Answer::Unknown {
            why: format!(
                "{}: the file's owner is not in the recording",
                act.deed.words()
            ),
        },
    }
}

fn read_only(act: &Act) -> Answer {
    let Deed::Write { path, upper } = &act.deed else {
        return Answer::Allows;
    };
    if act.left.mount || paths::is_mounted_by_runtimes(path) {
        return Answer::Allows;
    }
    match upper {
        Some(true) => stops(
            "readOnlyRootFilesystem: true",
            format!("{path} lies in the container's writable layer"),
        ),
        _ if paths::below(
            path,
            &["/bin/", "/sbin/", "/usr/", "/lib/", "/lib64/", "/etc/"],
        ) =>
        {
            stops(
                "readOnlyRootFilesystem: true",
                format!("{path} is part of the root file system"),
            )
        }
        _ => Answer::Unknown {
            why: format!("{path}: the recording does not say whether a volume is mounted there"),
        },
    }
}

fn token(act: &Act) -> Answer {
    match &act.deed {
        Deed::Read { path } if paths::is_token(path) => stops(
            "automountServiceAccountToken: false",
            format!("read {path}"),
        ),
        _ => Answer::Allows,
    }
}

fn rbac(act: &Act) -> Answer {
    match &act.deed {
        Deed::Read { path } if paths::is_token(path) => stops(
            "no binding for the service account",
            format!("what {path} identifies may do nothing"),
        ),
        _ => Answer::Allows,
    }
}

/// AWS's metadata service. Source: "Instance metadata and user data", EC2 user guide.
const METADATA: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];

fn hop_limit(act: &Act) -> Answer {
    match &act.deed {
        Deed::Receive { ip, .. } if is_metadata(ip) && !act.left.network => stops(
            "HttpTokens: required, HttpPutResponseHopLimit: 1",
            format!("{ip} gave a pod what it gives for a token, which dies one hop before the pod"),
        ),
        // the connection is made either way
        Deed::Connect { ip, .. } if is_metadata(ip) && !act.left.network => Answer::Unknown {
            why: format!("whether {ip} said more to a pod than that it wants a token"),
        },
        _ => Answer::Allows,
    }
}

fn is_metadata(ip: &IpAddr) -> bool {
    METADATA.contains(&ip.to_string().as_str())
}

fn egress(act: &Act) -> Answer {
    match &act.deed {
        Deed::Connect { ip, port } | Deed::Receive { ip, port } => {
            let loopback = match ip {
                IpAddr::V4(ip) => ip.is_loopback(),
                IpAddr::V6(ip) => ip.is_loopback(),
            };
            if loopback || *port == 53 || act.left.network {
                Answer::Allows
            } else {
                stops(
                    "policyTypes: [Egress]",
                    format!("no egress rule allows {ip} port {port}"),
                )
            }
        }
        _ => Answer::Allows,
    }
}
