//! What findings say to people: title, meaning, and what to do. Written by type, or by family where the types of a
//! family mean the same.

/// Texts of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Texts {
    /// One line; `{subject}` and `{actor}` stand for what the finding is about and who did it.
    pub title: &'static str,
    /// What it means.
    pub why: &'static str,
    /// What to do.
    pub remediation: &'static str,
}

/// The texts of a type.
pub fn texts(kind: &str) -> &'static Texts {
    TEXTS
        .iter()
        .find(|(pattern, _)| matches(pattern, kind))
        .map_or(&OTHER, |(_, texts)| texts)
}

/// A pattern is a type, or the end of one behind an asterisk, or the beginning before one, or a part between two.
fn matches(pattern: &str, kind: &str) -> bool {
    let part = pattern
        .strip_prefix('*')
        .and_then(|rest| rest.strip_suffix('*'));
    if let Some(part) = part {
        kind.contains(part)
    } else if let Some(end) = pattern.strip_prefix('*') {
        kind.ends_with(end)
    } else if let Some(start) = pattern.strip_suffix('*') {
        kind.starts_with(start)
    } else {
        pattern == kind
    }
}

static OTHER: Texts = Texts {
    title: "{actor} did something that a rule watches for: {subject}",
    why: "A rule matched. Its description says what it looks for.",
    remediation: "Read the evidence, ask the owner of the account whether this was meant, and take the rights away that were not.",
};

static TEXTS: &[(&str, Texts)] = &[
    (
        "Execution:Kubernetes/ExecInKubeSystemPod",
        Texts {
            title: "{actor} ran a command in a kube-system pod ({subject})",
            why: "Pods in kube-system hold credentials of the control plane and often run with the node's rights. Administration does not need a shell in them.",
            remediation: "If nobody owns up to it, revoke the caller's credentials, replace the pod, rotate what the pod could read, and take `pods/exec` in kube-system away from all but a break-glass role.",
        },
    ),
    (
        "Policy:Kubernetes/AdminAccessToDefaultServiceAccount",
        Texts {
            title: "The default service account got administrator rights ({subject})",
            why: "Every pod of the namespace that names no account runs as `default`. Whoever gets into any of them now rules the cluster or the namespace.",
            remediation: "Remove the subject from the binding. Give the one workload that needs rights an account of its own with just those rights, and switch off token mounting for `default`.",
        },
    ),
    (
        "Policy:Kubernetes/AnonymousAccessGranted",
        Texts {
            title: "Rights were granted to callers without credentials ({subject})",
            why: "The binding names `system:anonymous` or `system:unauthenticated`: anybody who reaches the API server has these rights.",
            remediation: "Delete the binding, then look in the audit log for what anonymous callers did since it was made.",
        },
    ),
    (
        "Policy:Kubernetes/ExposedDashboard",
        Texts {
            title: "The Kubernetes dashboard is open to the internet ({subject})",
            why: "A service of type LoadBalancer without an internal annotation puts the dashboard on a public address. Its login is all that stands between the internet and the cluster.",
            remediation: "Make the service ClusterIP and reach it through `kubectl port-forward` or a proxy that authenticates; remove the cloud load balancer.",
        },
    ),
    (
        "Policy:Kubernetes/KubeflowDashboardExposed",
        Texts {
            title: "The Kubeflow dashboard is open to the internet ({subject})",
            why: "Kubeflow's gateway got a public load balancer. Whoever passes it can run code in the cluster.",
            remediation: "Make the gateway's service ClusterIP or internal, put authentication before it, and look for notebooks and pipelines that nobody owns.",
        },
    ),
    (
        "PrivilegeEscalation:Kubernetes/PrivilegedContainer",
        Texts {
            title: "{actor} started a privileged container from an image that never ran so ({subject})",
            why: "A privileged container sees the node's devices and kernel interfaces; leaving it takes one command.",
            remediation: "Delete the workload unless its owner needs it. Enforce the Pod Security level `baseline` in the namespace, so that the next one is refused.",
        },
    ),
    (
        "Persistence:Kubernetes/ContainerWithSensitiveMount",
        Texts {
            title: "{actor} started a container that can write to the node's files ({subject})",
            why: "The mounted path holds files that decide over the node: who can write there can plant keys, jobs or kubelet manifests that outlive the pod.",
            remediation: "Delete the workload unless its owner needs it, look on the node for what was changed, and forbid host paths with the Pod Security level `baseline`.",
        },
    ),
    (
        "*SuccessfulAnonymousAccess",
        Texts {
            title: "A caller without credentials was let in ({subject})",
            why: "The API server answered a request of `system:anonymous` with success: a binding gives rights to everybody.",
            remediation: "Find the binding that names `system:anonymous` or `system:unauthenticated` and delete it; treat what the caller read as known to others.",
        },
    ),
    (
        "*MaliciousIPCaller.Custom",
        Texts {
            title: "{actor} called from {subject}, which is on one of your threat lists",
            why: "The address that the connection came from is on a list that you loaded.",
            remediation: "If the address should not have credentials, revoke them, follow what they did, and restrict the endpoint to known networks. Put addresses of your own on a trusted list.",
        },
    ),
    (
        "*MaliciousIPCaller",
        Texts {
            title: "{actor} called from {subject}, which is on a threat list",
            why: "The address that the connection came from is on a public list of addresses that attack others.",
            remediation: "Revoke the credentials that were used, follow what they did, and restrict the endpoint to known networks.",
        },
    ),
    (
        "*TorIPCaller",
        Texts {
            title: "{actor} called through Tor ({subject})",
            why: "The connection came from a Tor exit. People at work rarely come that way; people who hide do.",
            remediation: "Revoke the credentials unless their owner explains it, and restrict the endpoint to known networks.",
        },
    ),
    (
        "PenTest:*",
        Texts {
            title: "{actor} called from a distribution made for attackers",
            why: "The client names Kali, Parrot or Pentoo. Outside an ordered test that is an attacker who did not hide well.",
            remediation: "Ask whether a test was ordered. If not, revoke the credentials and follow what they did.",
        },
    ),
    (
        "Policy:IAMUser/*",
        Texts {
            title: "Root credentials were used",
            why: "Root cannot be limited by policies; daily work must not need it.",
            remediation: "Check that the owner did it, delete root's access keys, switch on a second factor, and use roles.",
        },
    ),
    (
        "Stealth:IAMUser/CloudTrailLoggingDisabled",
        Texts {
            title: "{actor} stopped the trail {subject}",
            why: "Without the trail nobody sees what comes next.",
            remediation: "Start the trail again, revoke the caller's credentials unless it was meant, and forbid these calls by a service control policy.",
        },
    ),
    (
        "Stealth:IAMUser/PasswordPolicyChange",
        Texts {
            title: "{actor} changed the password policy of the account",
            why: "A weaker policy lets in weaker passwords for every user.",
            remediation: "Compare the policy with your standard and set it back.",
        },
    ),
    (
        "DefenseEvasion:IAMUser/BedrockLoggingDisabled",
        Texts {
            title: "{actor} switched off the logging of model calls",
            why: "Without it, use of models at your cost stays unseen.",
            remediation: "Switch logging on again and check what models were called since.",
        },
    ),
    ("*BlockPublicAccessDisabled", OPEN_BUCKET),
    (
        "Policy:S3/BucketAnonymousAccessGranted",
        Texts {
            title: "The bucket {subject} was opened to everybody",
            why: "Its policy or access list allows callers without credentials.",
            remediation: "Remove the grant, switch on the public access block, and look in the access log for who read what.",
        },
    ),
    (
        "Policy:S3/BucketPublicAccessGranted",
        Texts {
            title: "The bucket {subject} was opened to every AWS account",
            why: "Its access list allows every authenticated user of AWS, which is everybody who opens an account.",
            remediation: "Remove the grant, switch on the public access block, and look in the access log for who read what.",
        },
    ),
    (
        "Stealth:S3/ServerAccessLoggingDisabled",
        Texts {
            title: "{actor} switched off the access log of the bucket {subject}",
            why: "Without it, what is read from the bucket stays unseen.",
            remediation: "Switch it on again and check what else the caller did.",
        },
    ),
    (
        "*InstanceCredentialExfiltration.OutsideAWS",
        Texts {
            title: "Credentials of the instance {subject} are used outside AWS",
            why: "The keys that the metadata service gave to an instance come from an address that is not AWS's: somebody took them.",
            remediation: "Revoke the role's sessions, find how the keys left the instance, require IMDSv2 with a hop limit of one.",
        },
    ),
    (
        "*ResourceCredentialExfiltration.OutsideAWS",
        Texts {
            title: "Credentials of a function or task are used outside AWS ({subject})",
            why: "The keys come from an address that is not AWS's: somebody took them.",
            remediation: "Revoke the role's sessions and find how the keys left.",
        },
    ),
    (
        "*PodCredentialExfiltration.OutsideCluster",
        Texts {
            title: "Cloud credentials of {subject} are used outside the cluster",
            why: "The session was given to a service account, but its keys come from an address that is none of the cluster's.",
            remediation: "Revoke the role's sessions, find the pod that the token came from, and bind the role to known networks by `aws:SourceVpc` or `aws:SourceIp`.",
        },
    ),
    (
        "AttackSequence:*",
        Texts {
            title: "Several steps of an attack belong together ({subject})",
            why: "Findings of different tactics on the same entity within a day look like one intruder on his way.",
            remediation: "Contain the entity first, then work through the steps in the order of the time line.",
        },
    ),
    ("*AnomalousBehavior.SecretsAccessed", UNUSUAL),
    ("*AnomalousBehavior.PermissionChecked", UNUSUAL),
    ("*AnomalousBehavior.ExecInPod", UNUSUAL),
    ("*AnomalousBehavior.WorkloadDeployed", UNUSUAL),
    ("*AnomalousBehavior.RoleBindingCreated", UNUSUAL),
    ("*AnomalousBehavior.RoleCreated", UNUSUAL),
    ("*!PrivilegedContainer", UNUSUAL),
    ("*!ContainerWithSensitiveMount", UNUSUAL),
    ("*IAMUser/AnomalousBehavior", UNUSUAL),
    ("*S3/AnomalousBehavior*", UNUSUAL),
    ("*:Runtime/ProcessInjection*", INJECTION),
    ("*:Runtime/SensitiveFileModified*", CHANGED_FILE),
    ("*:Runtime/NewBinaryExecuted*", NEW_CODE),
    ("*:Runtime/NewLibraryLoaded*", NEW_CODE),
    ("*:Runtime/FilelessExecution*", NEW_CODE),
    ("*MaliciousFile*", NEW_CODE),
    ("*SuspiciousFile*", NEW_CODE),
    ("*:Runtime/ReverseShell*", SHELL),
    ("*:Runtime/SuspiciousShellCreated*", SHELL),
    ("*!DNS", BAD_NAME),
    ("*Domain*", BAD_NAME),
    ("*MetadataDNSRebind*", BAD_NAME),
    ("*BitcoinTool*", MINER),
    ("*CryptoMiner*", MINER),
    ("*C&CActivity*", BAD_PEER),
    ("*Traffic*", BAD_PEER),
    ("*DropPoint*", BAD_PEER),
    ("*/Tor*", BAD_PEER),
    ("PrivilegeEscalation:Runtime/*", ESCAPE),
    ("*:Runtime/*", RUNTIME),
    ("*:EC2/*", NETWORK),
];

const OPEN_BUCKET: Texts = Texts {
    title: "{actor} lifted the public access block ({subject})",
    why: "From now on one careless policy or access list is enough to open data to everybody.",
    remediation: "Set the four switches of the block again unless the bucket is meant to be public.",
};

const INJECTION: Texts = Texts {
    title: "{actor} wrote into the memory of another process ({subject})",
    why: "Code that runs inside another process borrows its name, its rights and its open connections. Debuggers do it too; in production few should.",
    remediation: "Look at both processes, keep a capture, and replace the workload. Take `SYS_PTRACE` away and set a seccomp profile that refuses the calls.",
};

const CHANGED_FILE: Texts = Texts {
    title: "{actor} changed a file that decides over access or over traces ({subject})",
    why: "Keys, password and sudo files, start-up jobs, logs and histories are what intruders change to stay, to rise or to hide.",
    remediation: "Compare the file with its image or package, undo the change, and replace the workload. Run with a read-only root file system.",
};

const NEW_CODE: Texts = Texts {
    title: "Code ran that did not come with the image ({subject})",
    why: "A container's programs are in its image. What was written or fetched while it ran was brought by somebody.",
    remediation: "Keep the file and its hash, find who wrote it, replace the workload from a clean image, and prevent drift.",
};

const SHELL: Texts = Texts {
    title: "A shell was opened where none belongs ({subject})",
    why: "A shell below a server process, or one whose input and output are a connection, is how an exploited service is steered.",
    remediation: "Cut the connection, keep a capture, replace the workload, and mend the hole in the service that started the shell.",
};

const BAD_NAME: Texts = Texts {
    title: "A name was asked for that attackers use ({subject})",
    why: "Malware finds its masters, its pools and its victims by name; the question itself gives it away.",
    remediation: "Find the process that asked, keep a capture, and block the name at the resolver. If a resolver asked, find its client.",
};

const BAD_PEER: Texts = Texts {
    title: "A connection was made to an address that attackers use ({subject})",
    why: "Command servers, drop points, black holes and anonymity networks are not where workloads go by themselves.",
    remediation: "Cut the connection, find the process that opened it, and allow egress only to where the workload needs to go.",
};

const MINER: Texts = Texts {
    title: "Something mines cryptocurrency ({subject})",
    why: "Mining at your cost is what most intruders do first. It also shows that they can run what they like.",
    remediation: "Stop the workload, find how it was started (image, exec, exploited service), and close that way before restarting.",
};

const ESCAPE: Texts = Texts {
    title: "A container reaches for its node ({subject})",
    why: "Mounts, runtime sockets, namespaces and cgroup files are the ways out of a container. Success means the node, and with it every pod there.",
    remediation: "Isolate the node, keep a capture, replace the workload, and enforce the Pod Security level `restricted` where it can be.",
};

const RUNTIME: Texts = Texts {
    title: "A process did what attackers do ({subject})",
    why: "The rule that fired says what it saw; the same command can be an administrator's. Its ancestors and its container tell which.",
    remediation: "Read the process tree, ask the owner of the workload, and replace the workload if nobody knows of it.",
};

const NETWORK: Texts = Texts {
    title: "Traffic of an instance looks like an attack ({subject})",
    why: "Flow and DNS logs of the cloud show it for the whole instance; which pod it was, a sensor on the node can tell.",
    remediation: "Find the process on the node, isolate it, and restrict the security group.",
};

const UNUSUAL: Texts = Texts {
    title: "{actor} did something unusual: {subject}",
    why: "Compared with what this principal, its peers and the cluster do, this is rare; the factors say in what way.",
    remediation: "Ask the owner of the account. If it was meant, confirm it, and it becomes usual; if not, revoke the credentials and follow what they did.",
};
