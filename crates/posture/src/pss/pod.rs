//! A pod as the checks see it: its own fields and its containers in the order that upstream visits them.

use vedette_manifest::Object;
use vedette_yaml::Node;

use crate::value;

/// A pod, or the pod template of a workload.
#[derive(Clone, Debug)]
pub struct Pod<'a> {
    /// `metadata` of the pod.
    pub metadata: Option<&'a Node>,
    /// `spec` of the pod.
    pub spec: &'a Node,
    /// Path of `spec` from the object's root, such as `spec.template.spec`.
    pub path: String,
    /// Path of `metadata` from the object's root.
    pub metadata_path: String,
}

/// A container of a pod.
#[derive(Clone, Debug)]
pub struct Container<'a> {
    /// The container.
    pub node: &'a Node,
    /// The list that it is in: `initContainers`, `containers` or `ephemeralContainers`.
    pub list: &'static str,
    /// Its index in that list.
    pub index: usize,
}

impl<'a> Container<'a> {
    /// Its name, empty when it has none.
    pub fn name(&self) -> &'a str {
        value::text(self.node, &["name"]).unwrap_or_default()
    }

    /// The value at `path` under its `securityContext`.
    pub fn security(&self, path: &[&str]) -> Option<&'a Node> {
        value::at(value::field(self.node, "securityContext")?, path)
    }

    /// Path from the object's root.
    pub fn path(&self, pod: &Pod<'_>) -> String {
        format!("{}.{}[{}]", pod.path, self.list, self.index)
    }
}

/// Upstream's order of visits.
const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

impl<'a> Pod<'a> {
    /// The pod that `object` is or makes; `None` for other kinds.
    pub fn of(object: &'a Object) -> Option<Self> {
        let part = vedette_manifest::pod_part(object)?;
        let under = |last: &str| {
            let mut steps = part.prefix.to_vec();
            steps.push(last);
            steps.join(".")
        };
        Some(Self {
            metadata: part.metadata,
            spec: part.spec,
            path: under("spec"),
            metadata_path: under("metadata"),
        })
    }

    /// All containers: init, regular, ephemeral.
    pub fn containers(&self) -> impl Iterator<Item = Container<'a>> + use<'a> {
        let spec = self.spec;
        LISTS.into_iter().flat_map(move |list| {
            value::list(spec, &[list])
                .iter()
                .enumerate()
                .map(move |(index, node)| Container { node, list, index })
        })
    }

    /// The value at `path` under `spec.securityContext`.
    pub fn security(&self, path: &[&str]) -> Option<&'a Node> {
        value::at(value::field(self.spec, "securityContext")?, path)
    }

    /// Annotations of the pod.
    pub fn annotations(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.metadata
            .into_iter()
            .flat_map(|metadata| value::pairs(metadata, &["annotations"]))
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&'a str> {
        value::text(value::field(self.metadata?, "annotations")?, &[key])
    }

    /// True when the pod says that it runs on Windows.
    pub fn windows(&self) -> bool {
        value::text(self.spec, &["os", "name"]) == Some("windows")
    }

    /// True when the pod asks for its own user namespace.
    pub fn user_namespace(&self) -> bool {
        value::flag(self.spec, &["hostUsers"]) == Some(false)
    }
}
