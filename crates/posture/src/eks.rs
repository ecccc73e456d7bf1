//! The settings of an EKS cluster as `aws eks describe-cluster` tells them, in either spelling of the keys.

use vedette_manifest::Object;
use vedette_yaml::Node;

use crate::check::{Finding, Findings};
use crate::input::Input;
use crate::value;

/// The cluster at hand.
#[derive(Clone, Copy, Debug)]
pub struct Cluster<'a> {
    /// Index of the object.
    pub index: usize,
    root: &'a Node,
    prefix: &'static str,
}

/// Every EKS cluster of the input.
pub fn clusters<'a>(input: &Input<'a>) -> Vec<Cluster<'a>> {
    input
        .of_kind("ClusterDescribe")
        .filter_map(|(index, object)| cluster(index, object))
        .collect()
}

fn cluster(index: usize, object: &Object) -> Option<Cluster<'_>> {
    // The sensor's shape also carries GKE and AKS answers, which know none of these fields.
    if object.group().contains("azure") || object.group().contains("google") {
        return None;
    }
    let root = &object.node;
    if let Some(root) = value::field(root, "cluster") {
        return Some(Cluster {
            index,
            root,
            prefix: "cluster",
        });
    }
    let root = value::at(root, &["data", "Cluster"])?;
    Some(Cluster {
        index,
        root,
        prefix: "data.Cluster",
    })
}

impl<'a> Cluster<'a> {
    /// The value at `path` (written as the AWS CLI does: `resourcesVpcConfig`), whatever the case of its first
    /// letters, and its path in the object.
    pub fn get(&self, path: &[&str]) -> (Option<&'a Node>, String) {
        let mut node = Some(self.root);
        let mut shown = self.prefix.to_owned();
        for key in path {
            let upper = capital(key);
            let spelled = match node {
                Some(n) if value::field(n, key).is_none() && self.prefix == "data.Cluster" => upper,
                _ => (*key).to_owned(),
            };
            node = node.and_then(|n| value::field(n, &spelled));
            shown = format!("{shown}.{spelled}");
        }
        (node, shown)
    }

    /// Fails the cluster at `path`.
    pub fn fail(&self, out: &mut Findings<'_>, path: &[&str], message: &str) {
        out.push(Finding::new(self.index, self.get(path).1, message));
    }

    /// The boolean at `path`.
    pub fn flag(&self, path: &[&str]) -> Option<bool> {
        self.get(path).0.and_then(value::truth)
    }
}

/// `key` under `node` in either spelling.
pub fn either<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    value::field(node, key).or_else(|| value::field(node, &capital(key)))
}

fn capital(key: &str) -> String {
    let mut letters = key.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}
