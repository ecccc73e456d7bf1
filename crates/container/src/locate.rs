//! The container that a control group belongs to.

/// Who made a container, as far as its control group tells. The numbers are those of the `container` event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Docker.
    Docker,
    /// A runtime behind Kubernetes' interface whose own name does not show.
    Cri,
    /// containerd.
    Containerd,
    /// CRI-O.
    Crio,
    /// Podman.
    Podman,
    /// None of these; plain runc, for example.
    Other,
}

impl Engine {
    /// Number in the `container` event.
    pub fn number(self) -> u8 {
        match self {
            Self::Docker => 0,
            Self::Other => 5,
            Self::Cri => 6,
            Self::Containerd => 7,
            Self::Crio => 8,
            Self::Podman => 11,
        }
    }
}

/// A container as its control group names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Its full id.
    pub id: String,
    /// Who made it.
    pub engine: Engine,
    /// Whether it is a container for certain. Where people choose names, a control group of anything may look the same.
    pub is_certain: bool,
}

/// Length of the ids that every runtime makes by itself.
const ID: usize = 64;

/// Scope names of the runtimes: what stands before the id.
const PREFIXES: &[(&str, Engine)] = &[
    ("cri-containerd-", Engine::Containerd),
    ("nerdctl-", Engine::Containerd),
    ("docker-", Engine::Docker),
    ("crio-", Engine::Crio),
    ("libpod-", Engine::Podman),
];

/// Finds the container in a list of control groups (`controller=/path`, each closed by a NUL), as events carry it. The
/// innermost component that names one counts.
pub fn locate(cgroups: &[u8]) -> Option<Located> {
    cgroups
        .split(|&b| b == 0)
        .filter_map(|entry| std::str::from_utf8(entry).ok()?.split_once('='))
        .find_map(|(_, path)| in_path(path))
}

fn in_path(path: &str) -> Option<Located> {
    for (depth, component) in path.split('/').rev().enumerate() {
        // systemd: PREFIX-ID.scope; with containerd's slice driver, SLICE:PREFIX:ID
        let name = component.strip_suffix(".scope").unwrap_or(component);
        let name = name.rsplit_once(':').map_or(name, |(_, id)| id);
        if let Some((prefix, engine)) = PREFIXES.iter().find(|(p, _)| name.starts_with(p)) {
            let id = &name[prefix.len()..];
            // `crio-conmon-…` and `libpod-conmon-…` hold the monitor, not the container
            if is_id(id) {
                return Some(Located {
                    id: id.to_owned(),
                    engine: *engine,
                    is_certain: true,
                });
            }
        }
        if is_id(name) {
            let engine = if path.contains("/docker/") || path.contains("/docker-") {
                Engine::Docker
            } else if path.contains("kubepods") {
                Engine::Cri
            } else if path.contains("libpod") {
                Engine::Podman
            } else {
                Engine::Other
            };
            return Some(Located {
                id: name.to_owned(),
                engine,
                is_certain: true,
            });
        }
        // names that people give: `/NAMESPACE/NAME` of containerd's own client, `/NAME` of runc's; units of the service
        // manager are none
        if depth == 0
            && let Some(rest) = path.strip_prefix('/')
            && rest.split('/').count() <= 2
            && !name.is_empty()
            && ![".service", ".slice", ".scope", ".mount", ".socket", ".swap"]
                .iter()
                .any(|unit| component.ends_with(unit))
        {
            return Some(Located {
                id: name.to_owned(),
                engine: if rest.contains('/') {
                    Engine::Containerd
                } else {
                    Engine::Other
                },
                is_certain: path.starts_with("/default/"),
            });
        }
    }
    None
}

fn is_id(text: &str) -> bool {
    text.len() == ID && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts() {
        let id = "3ad7b26ded6d8e7b23da7d48fe889434573036c27ae5a74837233de441c3601e";
        for (path, engine) in [
            (format!("/docker/{id}"), Engine::Docker),
            (format!("/system.slice/docker-{id}.scope"), Engine::Docker),
            (format!("/kubepods/besteffort/pod1b2c/{id}"), Engine::Cri),
            (
                format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"),
                Engine::Containerd,
            ),
            (
                format!("/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{id}"),
                Engine::Cri,
            ),
            (format!("/kubepods.slice/crio-{id}.scope"), Engine::Crio),
            (
                format!("/machine.slice/libpod-{id}.scope/container"),
                Engine::Podman,
            ),
            (format!("/docker/{id}/init.scope"), Engine::Docker),
        ] {
            let list = format!("cpuset=/\0cpu=/\0memory={path}\0");
            let located = locate(list.as_bytes()).expect(&path);
            assert_eq!(
                (located.id.as_str(), located.engine),
                (id, engine),
                "{path}"
            );
        }
        assert_eq!(
            locate(b"memory=/default/web\0"),
            Some(Located {
                id: "web".into(),
                engine: Engine::Containerd,
                is_certain: true,
            })
        );
        for host in [
            "memory=/\0",
            "memory=/system.slice/ssh.service\0",
            "memory=/user.slice/user-0.slice\0",
            "memory=/user.slice/user-0.slice/session-1.scope\0",
            "",
            "rubbish",
        ] {
            assert_eq!(locate(host.as_bytes()), None, "{host}");
        }
        let named = locate(b"memory=/shop/web\0").expect("may be one");
        assert_eq!((named.id.as_str(), named.is_certain), ("web", false));
        let monitor = format!("memory=/machine.slice/libpod-conmon-{id}.scope\0");
        assert_eq!(locate(monitor.as_bytes()), None);
    }
}
