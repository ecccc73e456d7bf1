//! Directories of the node and where containers mount them.

use vedette_yaml::Node;

use crate::input::Workload;
use crate::value;

/// A mount of a volume.
pub(crate) struct Mount<'a> {
    /// Name of the container.
    pub(crate) container: &'a str,
    /// The `volumeMounts` entry.
    pub(crate) node: &'a Node,
    /// Its path from the object's root.
    pub(crate) path: String,
}

/// `hostPath` volumes by name, with the directory of the node.
pub(crate) fn host_volumes<'a>(
    workload: &Workload<'a>,
) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    value::list(workload.pod.spec, &["volumes"])
        .iter()
        .filter_map(|volume| {
            let path = value::text(volume, &["hostPath", "path"])?;
            Some((value::text(volume, &["name"])?, path))
        })
}

/// Every mount of the volume with this name.
pub(crate) fn host_mounts<'a>(workload: &Workload<'a>, volume: &str) -> Vec<Mount<'a>> {
    let mut out = Vec::new();
    for (container, path) in workload.containers() {
        for (index, node) in value::list(container.node, &["volumeMounts"])
            .iter()
            .enumerate()
        {
            if value::text(node, &["name"]) == Some(volume) {
                out.push(Mount {
                    container: container.name(),
                    node,
                    path: format!("{path}.volumeMounts[{index}]"),
                });
            }
        }
    }
    out
}
