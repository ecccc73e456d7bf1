//! The objects of one evaluation, indexed so that checks can ask about neighbours.

use std::collections::HashMap;

use vedette_manifest::{Loaded, Object, Source};
use vedette_yaml::Node;

use crate::check::Finding;
use crate::pss::{Container, Pod};
use crate::rbac::Rbac;
use crate::value;

/// Choices of the organisation that some checks depend on.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Registries that images may come from, as prefixes; empty means that the check has nothing to say.
    pub registries: Vec<String>,
    /// Repositories whose images need no digest, as prefixes.
    pub unpinned: Vec<String>,
    /// Lowest and highest quantity of a resource, by field such as `limits.cpu`.
    pub quantities: Vec<QuantityRange>,
}

/// Bounds of a quantity.
#[derive(Clone, Debug, Default)]
pub struct QuantityRange {
    /// Field under `resources`, such as `limits.cpu`.
    pub field: String,
    /// Lowest.
    pub min: Option<f64>,
    /// Highest.
    pub max: Option<f64>,
}

/// What checks look at.
#[derive(Debug)]
pub struct Input<'a> {
    /// Every object, in the order read.
    pub objects: &'a [Object],
    /// Choices of the organisation.
    pub settings: Settings,
    /// Who may do what.
    pub rbac: Rbac<'a>,
    workloads: Vec<Workload<'a>>,
    names: HashMap<(&'a str, &'a str, &'a str), usize>,
    kinds: HashMap<&'a str, Vec<usize>>,
}

/// An object that is or makes pods.
#[derive(Clone, Debug)]
pub struct Workload<'a> {
    /// Index of the object.
    pub object: usize,
    /// The object.
    pub node: &'a Object,
    /// Its pod.
    pub pod: Pod<'a>,
}

/// The namespace that an object without one goes to.
pub const DEFAULT_NAMESPACE: &str = "default";

impl<'a> Input<'a> {
    /// Indexes `objects`.
    pub fn new(objects: &'a [Object], settings: Settings) -> Self {
        let mut names = HashMap::new();
        let mut kinds: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut workloads = Vec::new();
        for (index, object) in objects.iter().enumerate() {
            names.insert(
                (
                    object.kind.as_str(),
                    namespace(object),
                    object.name.as_str(),
                ),
                index,
            );
            kinds.entry(&object.kind).or_default().push(index);
            if let Some(pod) = Pod::of(object) {
                workloads.push(Workload {
                    object: index,
                    node: object,
                    pod,
                });
            }
        }
        Self {
            objects,
            settings,
            rbac: Rbac::new(objects),
            workloads,
            names,
            kinds,
        }
    }

    /// Everything that is or makes pods.
    pub fn workloads(&self) -> &[Workload<'a>] {
        &self.workloads
    }

    /// Objects of a kind, with their index.
    pub fn of_kind<'s>(
        &'s self,
        kind: &str,
    ) -> impl Iterator<Item = (usize, &'a Object)> + use<'s, 'a> {
        let objects = self.objects;
        self.kinds
            .get(kind)
            .map(Vec::as_slice)
            .unwrap_or_default()
            .iter()
            .map(move |&index| (index, &objects[index]))
    }

    /// The object of this kind and name; the last one when the input has several.
    pub fn named(&self, kind: &str, namespace: &str, name: &str) -> Option<&'a Object> {
        // A key with the map's own lifetime is not needed to look up, only to store.
        let key: (&str, &str, &str) = (kind, namespace, name);
        self.names.get(&key).map(|&index| &self.objects[index])
    }

    /// Whether an object of this kind and name is in the input.
    pub fn has(&self, kind: &str, namespace: &str, name: &str) -> bool {
        self.named(kind, namespace, name).is_some()
    }
}

/// The namespace of an object, `default` when it says none.
pub fn namespace(object: &Object) -> &str {
    object.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
}

impl<'a> Workload<'a> {
    /// The containers of its pod.
    pub fn containers(&self) -> impl Iterator<Item = (Container<'a>, String)> {
        self.pod.containers().map(|container| {
            let path = container.path(&self.pod);
            (container, path)
        })
    }

    /// The value at `path` of the pod's spec.
    pub fn spec(&self, path: &[&str]) -> Option<&'a Node> {
        value::at(self.pod.spec, path)
    }

    /// A finding at `field` of the pod's spec.
    pub fn finding(&self, field: &str, message: impl Into<String>) -> Finding {
        Finding::new(self.object, format!("{}.{field}", self.pod.path), message)
    }

    /// A finding at `field` of a container.
    pub fn container_finding(
        &self,
        container: &Container<'_>,
        field: &str,
        message: &str,
    ) -> Finding {
        let name = container.name();
        Finding::new(
            self.object,
            format!("{}.{field}", container.path(&self.pod)),
            format!("container {name:?} {message}"),
        )
        .of(name)
    }

    /// The service account that the pod runs as.
    pub fn service_account(&self) -> &'a str {
        ["serviceAccountName", "serviceAccount"]
            .iter()
            .filter_map(|key| value::text(self.pod.spec, &[key]))
            .find(|name| !name.is_empty())
            .unwrap_or("default")
    }

    /// The labels of the pod.
    pub fn labels(&self) -> Vec<(&'a str, &'a str)> {
        self.pod
            .metadata
            .map(|metadata| value::pairs(metadata, &["labels"]).collect())
            .unwrap_or_default()
    }
}

/// Whether a workload is meant to run without end (not a job, and not an init container's concern).
pub fn long_running(workload: &Workload<'_>) -> bool {
    !matches!(workload.node.kind.as_str(), "Job" | "CronJob")
}

/// Whether a label selector (`matchLabels`, `matchExpressions`) chooses these labels. An empty one chooses all.
pub fn selects(selector: &Node, labels: &[(&str, &str)]) -> bool {
    let get = |key: &str| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
    value::pairs(selector, &["matchLabels"]).all(|(key, wanted)| get(key) == Some(wanted))
        && value::list(selector, &["matchExpressions"])
            .iter()
            .all(|expression| {
                let found = get(value::text(expression, &["key"]).unwrap_or_default());
                let listed =
                    found.is_some_and(|v| value::texts(expression, &["values"]).any(|w| w == v));
                match value::text(expression, &["operator"]).unwrap_or_default() {
                    "In" => listed,
                    "NotIn" => !listed,
                    "Exists" => found.is_some(),
                    "DoesNotExist" => found.is_none(),
                    _ => false,
                }
            })
}

/// Kinds that live in namespaces and that checks on namespaces look at, besides those that make pods.
pub fn namespaced(kind: &str) -> bool {
    matches!(
        kind,
        "ConfigMap"
            | "CSIStorageCapacity"
            | "Endpoints"
            | "EndpointSlice"
            | "HorizontalPodAutoscaler"
            | "Ingress"
            | "Lease"
            | "PersistentVolumeClaim"
            | "PodDisruptionBudget"
            | "Role"
            | "RoleBinding"
            | "Secret"
            | "Service"
            | "ServiceAccount"
    )
}

/// Reads texts like [`vedette_manifest::load`], and besides them what is no Kubernetes object but belongs to a
/// cluster's posture: the answer of `aws eks describe-cluster` (as kind `ClusterDescribe`) and the kubelet's
/// `/configz` (as kind `KubeletConfiguration`).
pub fn load(sources: &[Source]) -> Loaded {
    let mut loaded = vedette_manifest::load(sources);
    let mut kept = Vec::new();
    for problem in std::mem::take(&mut loaded.problems) {
        let source = sources
            .iter()
            .find(|source| source.name == problem.source && problem.message.contains("`kind`"));
        let adopted = source.and_then(|source| adopt(source, problem.document));
        match adopted {
            Some(object) => loaded.objects.push(object),
            None => kept.push(problem),
        }
    }
    loaded.problems = kept;
    loaded
}

fn adopt(source: &Source, document: usize) -> Option<Object> {
    let root = vedette_yaml::parse(&source.text)
        .documents
        .into_iter()
        .find(|found| found.index == document)?
        .root;
    let (kind, name) = if value::at(&root, &["cluster", "resourcesVpcConfig"]).is_some() {
        let name = value::text(&root, &["cluster", "name"]).unwrap_or_default();
        ("ClusterDescribe", name.to_owned())
    } else if value::at(&root, &["kubeletconfig"]).is_some() {
        ("KubeletConfiguration", "configz".to_owned())
    } else {
        return None;
    };
    Some(Object {
        source: source.clone(),
        document,
        path: String::new(),
        api_version: String::new(),
        kind: kind.to_owned(),
        name,
        namespace: None,
        node: root,
        template: None,
    })
}
