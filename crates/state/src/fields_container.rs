//! Fields of containers and pods: `container.*` and `k8s.*`.

use vedette_event::{Extracted, FieldArg, Values};

use crate::container_info::{Info, SHORT_ID, find};
use crate::fields::Container;
use crate::text_match::glob;
use crate::view::{View, boolean, text, unsigned, written};

impl View<'_> {
    /// What is known of the container behind the event, and the id when nothing else is.
    fn container_info(&self) -> (Option<&Info>, Option<&[u8]>) {
        if let Some(info) = &self.state.context.container {
            return (Some(info), None);
        }
        let Some(slot) = self.state.threads.find(self.event.tid) else {
            return (None, None);
        };
        let id = &*self.state.threads.at(slot).container_id;
        (self.state.containers.get(id).map(|info| &**info), Some(id))
    }

    pub(crate) fn container<'s>(
        &'s self,
        which: Container,
        arg: &FieldArg,
        room: &'s mut Values,
    ) -> Extracted<'s> {
        let (info, id) = self.container_info();
        match which {
            Container::ContainerId => {
                return match (info, id) {
                    (Some(info), _) => text(info.id.as_bytes()),
                    (None, Some(id)) => text(id),
                    (None, None) => Extracted::Missing,
                };
            }
            Container::ContainerStartTs | Container::ContainerDuration => {
                let started = self
                    .state
                    .threads
                    .find(self.event.tid)
                    .map_or(0, |slot| self.state.threads.at(slot).pidns_init_start_ts);
                return match (started, which) {
                    (0, _) => Extracted::Missing,
                    // Falco gives the start of the pid namespace by the boot clock here, without the time of boot; the
                    // host's own has none then.
                    (_, Container::ContainerStartTs) => {
                        match started.saturating_sub(self.state.boot_ts) {
                            0 => Extracted::Missing,
                            since_boot => unsigned(since_boot),
                        }
                    }
                    _ => unsigned(self.event.ts.wrapping_sub(started)),
                };
            }
            _ => {}
        }
        let Some(info) = info else {
            return Extracted::Missing;
        };
        let label = |name: &str| {
            info.label(name)
                .map_or(Extracted::Missing, |value| text(value.as_bytes()))
        };
        match which {
            Container::ContainerId | Container::ContainerStartTs | Container::ContainerDuration => {
                Extracted::Missing
            }
            Container::ContainerFullId => text(info.full_id.as_bytes()),
            Container::ContainerName => text(info.name.as_bytes()),
            Container::ContainerImage => text(info.image.as_bytes()),
            Container::ContainerImageId => text(info.image_id.as_bytes()),
            Container::ContainerType => text(info.kind.as_bytes()),
            Container::ContainerPrivileged => boolean(info.privileged),
            Container::ContainerMounts => written(room, |out| {
                for (at, mount) in info.mounts.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    mount.write(out);
                }
            }),
            Container::ContainerMount
            | Container::ContainerMountSource
            | Container::ContainerMountDest
            | Container::ContainerMountMode
            | Container::ContainerMountRdwr
            | Container::ContainerMountPropagation => mount(info, which, arg, room),
            Container::ContainerImageRepository => text(info.image_repository.as_bytes()),
            Container::ContainerImageTag => text(info.image_tag.as_bytes()),
            Container::ContainerImageDigest => text(info.image_digest.as_bytes()),
            // Deprecated upstream; they never have a value.
            Container::ContainerHealthcheck
            | Container::ContainerLivenessProbe
            | Container::ContainerReadinessProbe
            | Container::ProcIsContainerHealthcheck
            | Container::ProcIsContainerLivenessProbe
            | Container::ProcIsContainerReadinessProbe => Extracted::Missing,
            Container::ContainerIp => text(info.ip.as_bytes()),
            Container::ContainerCniJson => text(info.cni_json.as_bytes()),
            Container::ContainerHostPid => boolean(info.host_pid),
            Container::ContainerHostNetwork => boolean(info.host_network),
            Container::ContainerHostIpc => boolean(info.host_ipc),
            Container::ContainerLabel => match arg {
                FieldArg::Key(key) => label(key),
                _ => Extracted::Missing,
            },
            Container::ContainerLabels => written(room, |out| write_labels(&info.labels, out)),
            Container::K8sPodName => label("io.kubernetes.pod.name"),
            Container::K8sNsName => label("io.kubernetes.pod.namespace"),
            Container::K8sPodId | Container::K8sPodUid => label("io.kubernetes.pod.uid"),
            Container::K8sPodSandboxId => {
                let id = info.pod_sandbox_id.as_bytes();
                text(&id[..id.len().min(SHORT_ID)])
            }
            Container::K8sPodFullSandboxId => text(info.pod_sandbox_id.as_bytes()),
            Container::K8sPodLabel => match arg {
                FieldArg::Key(key) => self
                    .sandbox(info)
                    .and_then(|sandbox| find(&sandbox.pod_labels, key))
                    .or_else(|| find(&info.pod_labels, key))
                    .map_or(Extracted::Missing, |value| text(value.as_bytes())),
                _ => Extracted::Missing,
            },
            Container::K8sPodLabels => {
                let labels = &self.sandbox(info).unwrap_or(info).pod_labels;
                written(room, |out| write_labels(labels, out))
            }
            Container::K8sPodIp => match (info.cni_json.is_empty(), self.sandbox(info)) {
                (false, _) => text(info.ip.as_bytes()),
                (true, Some(sandbox)) => text(sandbox.ip.as_bytes()),
                (true, None) => Extracted::Missing,
            },
            Container::K8sPodCniJson => match (info.cni_json.is_empty(), self.sandbox(info)) {
                (false, _) => text(info.cni_json.as_bytes()),
                (true, Some(sandbox)) => text(sandbox.cni_json.as_bytes()),
                (true, None) => Extracted::Missing,
            },
        }
    }

    /// The container that stands for the pod, when the container itself does not tell about the pod's network.
    fn sandbox(&self, info: &Info) -> Option<&Info> {
        if !info.cni_json.is_empty() {
            return None;
        }
        let id = info.pod_sandbox_id.as_bytes();
        let id = &id[..id.len().min(SHORT_ID)];
        if id.is_empty() {
            return None;
        }
        self.state.containers.get(id).map(|info| &**info)
    }
}

/// A mount by number, or by a pattern: the source is asked by destination, all else by source.
fn mount<'s>(
    info: &'s Info,
    which: Container,
    arg: &FieldArg,
    room: &'s mut Values,
) -> Extracted<'s> {
    let found = match arg {
        FieldArg::None => None,
        FieldArg::Index(index) => usize::try_from(*index)
            .ok()
            .and_then(|at| info.mounts.get(at)),
        FieldArg::Key(key) => info.mounts.iter().find(|mount| {
            let asked = if which == Container::ContainerMountSource {
                &mount.destination
            } else {
                &mount.source
            };
            glob(key.as_bytes(), asked.as_bytes())
        }),
    };
    let Some(mount) = found else {
        return Extracted::Missing;
    };
    match which {
        Container::ContainerMountSource => text(mount.source.as_bytes()),
        Container::ContainerMountDest => text(mount.destination.as_bytes()),
        Container::ContainerMountMode => text(mount.mode.as_bytes()),
        Container::ContainerMountRdwr => text(if mount.writable { b"true" } else { b"false" }),
        Container::ContainerMountPropagation => text(mount.propagation.as_bytes()),
        _ => written(room, |out| mount.write(out)),
    }
}

/// Appends labels without those that runtimes add for themselves.
fn write_labels(labels: &[(Box<str>, Box<str>)], out: &mut Vec<u8>) {
    for (name, value) in labels {
        if name.starts_with("annotation.") || name.starts_with("io.kubernetes.") {
            continue;
        }
        if !out.is_empty() {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(name.as_bytes());
        if !value.is_empty() {
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
        }
    }
}
