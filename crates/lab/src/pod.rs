//! The pods of the lab, as `lab/kubernetes` has them for a real cluster.

use crate::control::Control;

/// How the vulnerable workload is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Root, privileged, the node's processes in sight, a service account that may create workloads.
    Playground,
    /// As Kubernetes' restricted Pod Security Standard wants it.
    Restricted,
    /// The same, watched by drift prevention.
    RestrictedNodrift,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Playground, Self::Restricted, Self::RestrictedNodrift];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Playground => "playground",
            Self::Restricted => "restricted",
            Self::RestrictedNodrift => "restricted-nodrift",
        }
    }

    /// A profile by its name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Namespace of the vulnerable workload.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Playground => "security-playground",
            Self::Restricted => "security-playground-restricted",
            Self::RestrictedNodrift => "security-playground-restricted-nodrift",
        }
    }
}

/// How much of the kernel a container sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// `privileged: true`: kernel files in full and writable.
    Privileged,
    /// What a container gets when nothing is said: kernel files hidden or read-only.
    Default,
    /// The same with `allowPrivilegeEscalation: false` and a filter of system calls, as the restricted Pod Security Standard
    /// wants them.
    Restricted,
}

/// Capabilities of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capabilities {
    /// Every one that the lab's node has.
    All,
    /// Those that runtimes give when nothing is said.
    Default,
    /// None.
    None,
}

/// A pod with its one container.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own in a pod's manifest"
)]
pub struct Pod {
    /// Name of the container.
    pub name: &'static str,
    /// Name of the pod.
    pub pod: &'static str,
    /// Its namespace.
    pub namespace: &'static str,
    /// Directory of its image.
    pub image: &'static str,
    /// Name under which the image is known.
    pub image_name: &'static str,
    /// Command line.
    pub args: &'static [&'static str],
    /// Environment besides `PATH`.
    pub env: &'static [&'static str],
    /// Working directory.
    pub cwd: &'static str,
    /// User and group.
    pub user: u32,
    /// How much of the kernel it sees.
    pub security: Security,
    /// What it may ask of the kernel.
    pub capabilities: Capabilities,
    /// Whether it sees the node's processes.
    pub host_pid: bool,
    /// Whether its root file system cannot be written.
    pub read_only_root: bool,
    /// Whether the service account's token is mounted.
    pub token: bool,
    /// Whether it may make connections; where not, only to port 53, and replies.
    pub egress: bool,
    /// Address on the node's bridge.
    pub address: &'static str,
    /// Whether it runs from the beginning.
    pub started: bool,
    /// Whether its service account may create deployments in its namespace.
    pub may_create: bool,
}

/// Address of the vulnerable service.
pub(crate) const WEB: &str = "10.244.1.10";

/// Names of the lab's world, the same in every container and on the node.
pub(crate) const HOSTS: &str = "127.0.0.1 localhost
10.244.1.10 security-playground
10.244.1.11 hello-server hello-server.hello.svc
10.244.1.13 postgres-sakila
10.96.0.1 kubernetes.default.svc kubernetes.default.svc.cluster.local
203.0.113.10 mirror.range deb.debian.org
203.0.113.20 scanme.range
198.51.100.7 pool.range
";

/// The victims' namespaces hold what the attacker is after; the key is a mark, not a secret.
const HELLO_CLIENT: &[&str] = &[
    "/bin/sh",
    "-c",
    "while true; do wget -q -T 2 -O- http://hello-server:8080/customers; sleep 5; done",
];

/// The pods of a profile, the vulnerable one first.
pub fn pods(profile: Profile) -> Vec<Pod> {
    pods_with(profile, None)
}

/// The pods of a profile with one more control on the vulnerable workload, and on what it starts.
pub(crate) fn pods_with(profile: Profile, control: Option<Control>) -> Vec<Pod> {
    let web = Pod {
        name: "security-playground",
        pod: "security-playground-6f7d4b9c5-x2x9k",
        namespace: profile.namespace(),
        image: "web",
        image_name: "registry.range/security-playground:1.0",
        args: &["gunicorn", "--bind", "0.0.0.0:8080", "app:app"],
        env: &["RANGE_MINER_SECONDS=3"],
        cwd: "/app",
        user: 0,
        security: Security::Privileged,
        capabilities: Capabilities::All,
        host_pid: true,
        read_only_root: false,
        token: true,
        egress: true,
        address: WEB,
        started: true,
        may_create: true,
    };
    let mut web = match profile {
        Profile::Playground => web,
        Profile::Restricted | Profile::RestrictedNodrift => Pod {
            cwd: "/home/python",
            user: 1000,
            security: Security::Restricted,
            capabilities: Capabilities::None,
            host_pid: false,
            may_create: false,
            ..web
        },
    };
    if let Some(control) = control {
        control.apply(&mut web);
    }
    let victim = Pod {
        env: &[],
        cwd: "/",
        user: 0,
        security: Security::Default,
        capabilities: Capabilities::Default,
        host_pid: false,
        read_only_root: false,
        token: true,
        egress: true,
        may_create: false,
        ..web.clone()
    };
    vec![
        web.clone(),
        Pod {
            name: "hello-server",
            pod: "hello-server-7c5b9d8f4-m4k2p",
            namespace: "hello",
            image: "hello",
            image_name: "registry.range/hello:1.0",
            args: &["hello-server"],
            address: "10.244.1.11",
            ..victim.clone()
        },
        Pod {
            name: "hello-client",
            pod: "hello-client-5d6c7f8b9-q8w7z",
            namespace: "hello",
            image: "hello",
            image_name: "registry.range/hello:1.0",
            args: HELLO_CLIENT,
            env: &["API_KEY=range-marker-not-a-secret"],
            address: "10.244.1.12",
            ..victim.clone()
        },
        Pod {
            name: "postgres-sakila",
            pod: "postgres-sakila-59c8d6b7f-t5r4e",
            namespace: "postgres-sakila",
            image: "postgres",
            image_name: "registry.range/postgres-sakila:16.2",
            args: &["postgres"],
            env: &["POSTGRES_PASSWORD=range-marker-not-a-secret"],
            address: "10.244.1.13",
            ..victim.clone()
        },
        // What the attacker's deployment would start: prepared, and started only by the API server's yes.
        Pod {
            name: "nefarious-workload",
            pod: "nefarious-workload-84f5c6d7b-z9y8x",
            args: &["/bin/sleep", "600"],
            env: &[],
            address: "10.244.1.14",
            started: false,
            ..web
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_one_of_a_kind() {
        for profile in Profile::ALL {
            let pods = pods(profile);
            for (at, pod) in pods.iter().enumerate() {
                for other in &pods[..at] {
                    assert_ne!(pod.address, other.address);
                    assert_ne!(pod.name, other.name);
                }
            }
            assert_eq!(Profile::by_name(profile.name()), Some(profile));
        }
    }
}
