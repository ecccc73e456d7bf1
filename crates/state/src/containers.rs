//! The table of containers, and which container a control group belongs to.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::container_info::{Info, SHORT_ID};
use crate::text::List;

/// Most containers that are kept at once; more are not kept and counted. Kubernetes runs at most a few hundred on a node.
const MAX_CONTAINERS: usize = 65_536;

/// Length of a full container id.
const ID_LENGTH: usize = 64;

/// The table.
#[derive(Clone, Debug)]
pub(crate) struct Containers {
    by_id: FxHashMap<Box<[u8]>, Arc<Info>>,
    host: Arc<Info>,
}

impl Default for Containers {
    fn default() -> Self {
        Self {
            by_id: FxHashMap::default(),
            host: Arc::new(Info::host()),
        }
    }
}

impl Containers {
    /// What is known of the container with this short id; the empty id is the machine itself.
    pub(crate) fn get(&self, id: &[u8]) -> Option<&Arc<Info>> {
        if id.is_empty() {
            Some(&self.host)
        } else {
            self.by_id.get(id)
        }
    }

    /// Adds or replaces a container. False when there is no room.
    pub(crate) fn add(&mut self, info: Arc<Info>) -> bool {
        let id = info.id.as_bytes();
        if self.by_id.len() >= MAX_CONTAINERS && !self.by_id.contains_key(id) {
            return false;
        }
        self.by_id.insert(id.into(), info);
        true
    }

    /// Takes a container out.
    pub(crate) fn remove(&mut self, id: &str) {
        self.by_id.remove(id.as_bytes());
    }

    /// Number of containers.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}

/// Runtimes that name their containers by their control group alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Lxc,
    LibvirtLxc,
    Bpm,
}

impl Named {
    /// What is known of such a container: its name is its id.
    pub(crate) fn info(self, id: &[u8]) -> Info {
        let id: Box<str> = String::from_utf8_lossy(id).into();
        Info {
            name: id.clone(),
            id,
            kind: match self {
                Self::Lxc => "lxc",
                Self::LibvirtLxc => "libvirt-lxc",
                Self::Bpm => "bpm",
            },
            ..Info::default()
        }
    }
}

/// Beginning and end of a control group between which a container id stands.
type Layout = (&'static [u8], &'static [u8]);

const PODMAN: &[Layout] = &[
    (b"/libpod-", b".scope"),
    (b"/libpod-", b".scope/container"),
    (b"/libpod-", b""),
];
const DOCKER: &[Layout] = &[(b"/", b""), (b"/docker-", b".scope")];
const CRI: &[Layout] = &[
    (b"/", b""),
    (b"/crio-", b""),
    (b"/cri-containerd-", b".scope"),
    (b"/crio-", b".scope"),
    (b":cri-containerd:", b""),
    (b"/docker-", b".scope"),
];

/// Short id of the container that the control groups name, with the runtime when the id is all that is known of it.
pub(crate) fn id_of(cgroups: &List) -> Option<(&[u8], Option<Named>)> {
    cgroups.iter().find_map(|item| {
        let path = &item[memchr::memchr(b'=', item)? + 1..];
        id_in(path)
    })
}

fn id_in(path: &[u8]) -> Option<(&[u8], Option<Named>)> {
    if path.is_empty() || path == b"/" {
        return None;
    }
    for layouts in [PODMAN, DOCKER, CRI] {
        for (prefix, suffix) in layouts {
            if let Some(id) = between(path, prefix, suffix) {
                return Some((id, None));
            }
        }
    }
    if let Some(id) = containerd(path) {
        return Some((id, None));
    }
    if let Some(id) = lxc(path) {
        return Some((id, Some(Named::Lxc)));
    }
    if let Some(id) = libvirt(path) {
        return Some((id, Some(Named::LibvirtLxc)));
    }
    bpm(path).map(|id| (id, Some(Named::Bpm)))
}

/// The id between the last `prefix` and the last `suffix`, cut to its short form: 64 hexadecimal digits.
fn between<'a>(path: &'a [u8], prefix: &[u8], suffix: &[u8]) -> Option<&'a [u8]> {
    let start = memchr::memmem::rfind(path, prefix)? + prefix.len();
    let end = if suffix.is_empty() {
        path.len()
    } else {
        memchr::memmem::rfind(path, suffix)?
    };
    if end.checked_sub(start)? != ID_LENGTH {
        return None;
    }
    // Counted from the beginning of the whole text, as Falco does.
    let first_other = path[start..]
        .iter()
        .position(|byte| !byte.is_ascii_hexdigit())
        .map_or(usize::MAX, |at| at + start);
    (first_other >= ID_LENGTH).then(|| &path[start..start + SHORT_ID])
}

/// containerd by itself names the group `/namespace/id`, and ids may be any text. What looks like a unit of the service
/// manager is none.
fn containerd(path: &[u8]) -> Option<&[u8]> {
    if [&b".service"[..], b".slice", b".scope"]
        .iter()
        .any(|ending| path.ends_with(ending))
    {
        return None;
    }
    let id = path
        .strip_prefix(b"/")?
        .split(|&byte| byte == b'/')
        .nth(1)?;
    (1..=ID_LENGTH)
        .contains(&id.len())
        .then(|| &id[..id.len().min(SHORT_ID)])
}

fn lxc(path: &[u8]) -> Option<&[u8]> {
    [&b"/lxc/"[..], b"/lxc.payload/", b"/lxc.payload."]
        .iter()
        .find_map(|layout| {
            let start = memchr::memmem::find(path, layout)? + layout.len();
            let rest = &path[start..];
            Some(&rest[..memchr::memchr(b'/', rest).unwrap_or(rest.len())])
        })
}

fn libvirt(path: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = path.strip_suffix(b".libvirt-lxc") {
        return memchr::memrchr(b'/', rest).map(|slash| &rest[slash + 1..]);
    }
    if let Some(at) = memchr::memmem::find(path, b"-lxc\\x2")
        && let Some(rest) = path.strip_suffix(b".scope")
    {
        return rest.get(at + b"-lxc\\x2d".len()..);
    }
    let at = memchr::memmem::find(path, b"/libvirt/lxc/")?;
    Some(&path[at + b"/libvirt/lxc/".len()..])
}

fn bpm(path: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(path, b"/bpm-")? + b"/bpm-".len();
    let rest = &path[at..];
    Some(rest.strip_suffix(b".scope").unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::id_of;
    use crate::text::List;

    #[test]
    fn control_groups_name_containers() {
        let id64 = "3ad7b26ded6d8e7b23da7d48fe889434573036c27ae5a74837233de441c3601e";
        for (path, want) in [
            ("/".to_owned(), None),
            (format!("/docker/{id64}"), Some("3ad7b26ded6d")),
            (
                format!("/kubepods/burstable/pod1b2c/{id64}"),
                Some("3ad7b26ded6d"),
            ),
            (
                format!("/system.slice/docker-{id64}.scope"),
                Some("3ad7b26ded6d"),
            ),
            (
                format!("/machine.slice/libpod-{id64}.scope"),
                Some("3ad7b26ded6d"),
            ),
            (
                format!("/kubepods.slice/cri-containerd-{id64}.scope"),
                Some("3ad7b26ded6d"),
            ),
            (
                format!("/kubepods.slice/crio-{id64}.scope"),
                Some("3ad7b26ded6d"),
            ),
            ("/system.slice/ssh.service".to_owned(), None),
            ("/user.slice/user-0.slice/session-1.scope".to_owned(), None),
            (
                "/system_apps/ab9730f9880754907c66bbc9ad068b95".to_owned(),
                Some("ab9730f98807"),
            ),
        ] {
            let list = List::parse(format!("cpuset=/\0memory={path}\0").as_bytes());
            let id = id_of(&list).map(|(id, _)| std::str::from_utf8(id).unwrap());
            assert_eq!(id, want, "{path}");
        }
    }
}
