//! Where a record belongs: node, namespace, workload, pod, container.
//!
//! Read from the record's fields alone, so that the same record has the same place wherever it is asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What kind of object runs the pods of a workload.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadKind {
    /// Known not to be in a workload, or not known.
    #[default]
    None,
    /// A Deployment, by name or by the form of the pod's name.
    Deployment,
    /// A StatefulSet, by the form of the pod's name.
    StatefulSet,
    /// A DaemonSet or Job: pods' names do not tell these two apart.
    PerNodeOrJob,
    /// A ReplicaSet or ReplicationController without a Deployment.
    ReplicaSet,
    /// A pod on its own.
    Pod,
}

/// Where a record belongs. Empty texts are what is not known or does not apply: a process of the host has a node only.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Host.
    pub node: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// What kind of workload.
    pub kind: WorkloadKind,
    /// Name of the workload; for containers without Kubernetes the container's name.
    pub workload: String,
    /// Pod.
    pub pod: String,
    /// Name of the container, or its id where no name is known.
    pub container: String,
}

impl Place {
    /// The place of a record with these fields, made on `node`.
    pub fn of(node: &str, fields: &BTreeMap<String, Json>) -> Self {
        let get = |names: &[&str]| -> &str {
            names
                .iter()
                .filter_map(|name| fields.get(*name)?.as_str())
                .find(|text| !text.is_empty() && *text != "<NA>" && *text != "host")
                .unwrap_or_default()
        };
        let target = get(&["ka.target.resource"]);
        let mut place = Self {
            node: node.to_owned(),
            namespace: get(&["k8s.ns.name", "k8smeta.ns.name", "ka.target.namespace"]).to_owned(),
            pod: get(&["k8s.pod.name", "k8smeta.pod.name", "ka.target.pod.name"]).to_owned(),
            container: get(&["container.name", "container.id"]).to_owned(),
            ..Self::default()
        };
        if place.pod.is_empty() && target == "pods" {
            get(&["ka.target.name"]).clone_into(&mut place.pod);
        }
        let deployment = get(&["k8s.deployment.name", "k8smeta.deployment.name"]);
        let set = get(&[
            "k8s.rs.name",
            "k8smeta.rs.name",
            "k8s.rc.name",
            "k8smeta.rc.name",
        ]);
        let (kind, workload) = if !deployment.is_empty() {
            (WorkloadKind::Deployment, deployment)
        } else if !set.is_empty() {
            (WorkloadKind::ReplicaSet, set)
        } else if !place.pod.is_empty() {
            workload_of_pod(&place.pod)
        } else {
            match target {
                "deployments" => (WorkloadKind::Deployment, get(&["ka.target.name"])),
                "statefulsets" => (WorkloadKind::StatefulSet, get(&["ka.target.name"])),
                "daemonsets" | "jobs" => (WorkloadKind::PerNodeOrJob, get(&["ka.target.name"])),
                "replicasets" => (WorkloadKind::ReplicaSet, get(&["ka.target.name"])),
                _ => (WorkloadKind::None, place.container.as_str()),
            }
        };
        let workload = workload.to_owned();
        place.kind = kind;
        place.workload = workload;
        place
    }
}

/// The workload that a pod's name gives away: controllers put a hash, a random suffix or a number behind their own name.
///
/// Source of the letters: the alphabet of `k8s.io/apimachinery/pkg/util/rand`, which leaves out vowels and the digits
/// that look like them. Hashes of pod templates are written in the same letters and are 8 to 10 long.
pub fn workload_of_pod(pod: &str) -> (WorkloadKind, &str) {
    let random = |text: &str| {
        text.bytes()
            .all(|b| b"bcdfghjklmnpqrstvwxz2456789".contains(&b))
    };
    let Some((before, last)) = pod
        .rsplit_once('-')
        .filter(|(before, _)| !before.is_empty())
    else {
        return (WorkloadKind::Pod, pod);
    };
    if last.len() == 5 && random(last) {
        if let Some((name, hash)) = before.rsplit_once('-')
            && (8..=10).contains(&hash.len())
            && random(hash)
            && !name.is_empty()
        {
            return (WorkloadKind::Deployment, name);
        }
        return (WorkloadKind::PerNodeOrJob, before);
    }
    if last.len() <= 5 && !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) {
        return (WorkloadKind::StatefulSet, before);
    }
    (WorkloadKind::Pod, pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_give_their_workload_away() {
        for (pod, kind, name) in [
            ("web-7d4b9c8f6d-x2x9k", WorkloadKind::Deployment, "web"),
            ("a-b-5f6d8b7c99-zzzzz", WorkloadKind::Deployment, "a-b"),
            ("db-0", WorkloadKind::StatefulSet, "db"),
            ("kube-proxy-x7k2p", WorkloadKind::PerNodeOrJob, "kube-proxy"),
            ("etcd-master", WorkloadKind::Pod, "etcd-master"),
            ("plain", WorkloadKind::Pod, "plain"),
            ("-x7k2p", WorkloadKind::Pod, "-x7k2p"),
            ("", WorkloadKind::Pod, ""),
        ] {
            assert_eq!(workload_of_pod(pod), (kind, name), "{pod}");
        }
    }

    #[test]
    fn names_that_are_known_win_over_guesses() {
        let fields = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Json::from(*value)))
                .collect::<BTreeMap<_, _>>()
        };
        let place = Place::of(
            "n",
            &fields(&[
                ("k8s.ns.name", "shop"),
                ("k8s.pod.name", "web-7d4b9c8f6d-x2x9k"),
                ("k8smeta.deployment.name", "front"),
                ("container.name", "app"),
            ]),
        );
        assert_eq!(place.workload, "front");
        assert_eq!((&*place.namespace, &*place.container), ("shop", "app"));
        let host = Place::of("n", &fields(&[("container.id", "host")]));
        assert_eq!(
            host,
            Place {
                node: "n".into(),
                ..Place::default()
            }
        );
        let audit = Place::of(
            "",
            &fields(&[
                ("ka.target.resource", "pods"),
                ("ka.target.name", "db-0"),
                ("ka.target.namespace", "shop"),
            ]),
        );
        assert_eq!((&*audit.workload, &*audit.pod), ("db", "db-0"));
    }
}
