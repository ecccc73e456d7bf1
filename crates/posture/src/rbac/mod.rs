//! Who may do what: roles, aggregation, bindings, and exact answers about them.
//!
//! The rules of the API server's RBAC authorizer: a rule grants when verb, API group, resource (`pods/exec`,
//! `*`, `*/exec`) and resource name fit; an empty list of names means all; a cluster role bound by a
//! RoleBinding grants within that namespace only; an aggregated cluster role has the rules of every cluster
//! role its selectors choose.

mod pattern;
mod question;

use std::collections::HashMap;

use vedette_manifest::Object;
use vedette_yaml::Node;

use crate::input::{namespace, selects};
use crate::value;

pub(crate) use pattern::{Pattern, grant, grants, names, of_the_system, roles_that};
pub use question::{Access, Question, Right, can, who_can};

/// Longest chain of aggregation that is followed. The API server's controller copies rules step by step without
/// bound; real clusters use one step, and a cycle must end.
const AGGREGATION_DEPTH: usize = 8;

/// The verbs on stored objects. Source: the Kubernetes API reference; `deletecollection` is left out because
/// whoever may list and delete has it in effect.
const VERBS: [&str; 7] = [
    "get", "list", "watch", "create", "update", "patch", "delete",
];

/// A rule of a role.
#[derive(Clone, Debug)]
pub struct Rule<'a> {
    /// Object that the rule is written in: the role itself or an aggregated one.
    pub object: usize,
    /// Path of the rule, such as `rules[0]`.
    pub path: String,
    /// The rule.
    pub node: &'a Node,
}

/// A Role or ClusterRole.
#[derive(Clone, Debug)]
pub struct Role<'a> {
    /// Index of the object.
    pub object: usize,
    /// Namespace of a Role; `None` for a ClusterRole.
    pub namespace: Option<&'a str>,
    /// Name.
    pub name: &'a str,
    /// Rules, aggregated ones included.
    pub rules: Vec<Rule<'a>>,
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Clone, Debug)]
pub struct Binding<'a> {
    /// Index of the object.
    pub object: usize,
    /// Namespace of a RoleBinding; `None` for a ClusterRoleBinding.
    pub namespace: Option<&'a str>,
    /// `Role` or `ClusterRole`.
    pub role_kind: &'a str,
    /// Name of the role.
    pub role: &'a str,
    /// To whom.
    pub subjects: Vec<Subject<'a>>,
}

/// Who a binding names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: &'a str,
    /// Name.
    pub name: &'a str,
    /// Namespace of a service account; the binding's own when it is not written.
    pub namespace: Option<&'a str>,
}

impl Subject<'_> {
    /// `namespace/name` for service accounts, else the name.
    pub fn title(&self) -> String {
        match (self.kind, self.namespace) {
            ("ServiceAccount", Some(namespace)) => format!("{namespace}/{}", self.name),
            _ => self.name.to_owned(),
        }
    }
}

/// Roles and bindings of an input.
#[derive(Clone, Debug, Default)]
pub struct Rbac<'a> {
    /// Roles and cluster roles.
    pub roles: Vec<Role<'a>>,
    /// Bindings of both kinds.
    pub bindings: Vec<Binding<'a>>,
    /// Roles by namespace (none for cluster roles) and name.
    role_names: HashMap<(Option<&'a str>, &'a str), usize>,
    /// Bindings by kind and name of the role.
    role_bindings: HashMap<(&'a str, &'a str), Vec<usize>>,
    /// Roles that aggregate the rules of another object.
    aggregators: HashMap<usize, Vec<usize>>,
}

impl<'a> Rbac<'a> {
    /// Collects roles and bindings, and aggregates.
    pub fn new(objects: &'a [Object]) -> Self {
        let mut out = Self::default();
        let mut cluster_roles = Vec::new();
        for (index, object) in objects.iter().enumerate() {
            match object.kind.as_str() {
                "Role" | "ClusterRole" => {
                    let cluster = object.kind == "ClusterRole";
                    if cluster {
                        cluster_roles.push(index);
                    }
                    out.roles.push(Role {
                        object: index,
                        namespace: (!cluster).then(|| namespace(object)),
                        name: &object.name,
                        rules: own_rules(index, object),
                    });
                }
                "RoleBinding" | "ClusterRoleBinding" => out.bindings.push(binding(index, object)),
                _ => {}
            }
        }
        for role in &mut out.roles {
            if role.namespace.is_none() {
                let mut seen = vec![role.object];
                aggregate(
                    objects,
                    &cluster_roles,
                    role.object,
                    &mut seen,
                    &mut role.rules,
                    0,
                );
            }
        }
        for (index, role) in out.roles.iter().enumerate() {
            out.role_names.insert((role.namespace, role.name), index);
            for rule in &role.rules {
                if rule.object != role.object {
                    let carriers = out.aggregators.entry(rule.object).or_default();
                    if carriers.last() != Some(&index) {
                        carriers.push(index);
                    }
                }
            }
        }
        for (index, binding) in out.bindings.iter().enumerate() {
            out.role_bindings
                .entry((binding.role_kind, binding.role))
                .or_default()
                .push(index);
        }
        out
    }

    /// The bindings that give `role`.
    pub fn bindings_of(&self, role: &Role<'a>) -> impl Iterator<Item = &Binding<'a>> {
        let kind = if role.namespace.is_some() {
            "Role"
        } else {
            "ClusterRole"
        };
        let home = role.namespace;
        self.role_bindings
            .get(&(kind, role.name))
            .into_iter()
            .flatten()
            .map(|&index| &self.bindings[index])
            .filter(move |binding| home.is_none() || binding.namespace == home)
    }

    /// The role itself and every role that aggregates its rules.
    pub fn carriers<'s>(&'s self, role: &'s Role<'a>) -> impl Iterator<Item = &'s Role<'a>> {
        std::iter::once(role).chain(
            self.aggregators
                .get(&role.object)
                .into_iter()
                .flatten()
                .map(|&index| &self.roles[index]),
        )
    }

    /// The role that a binding gives, when it is in the input.
    pub fn role_of(&self, binding: &Binding<'a>) -> Option<&Role<'a>> {
        let home = match binding.role_kind {
            "Role" => Some(binding.namespace?),
            _ => None,
        };
        self.role_names
            .get(&(home, binding.role))
            .map(|&index| &self.roles[index])
    }
}

fn own_rules(index: usize, object: &Object) -> Vec<Rule<'_>> {
    value::list(&object.node, &["rules"])
        .iter()
        .enumerate()
        .map(|(at, node)| Rule {
            object: index,
            path: format!("rules[{at}]"),
            node,
        })
        .collect()
}

fn aggregate<'a>(
    objects: &'a [Object],
    cluster_roles: &[usize],
    role: usize,
    seen: &mut Vec<usize>,
    rules: &mut Vec<Rule<'a>>,
    depth: usize,
) {
    let selectors = value::list(
        &objects[role].node,
        &["aggregationRule", "clusterRoleSelectors"],
    );
    if depth >= AGGREGATION_DEPTH || selectors.is_empty() {
        return;
    }
    for &other in cluster_roles {
        let labels: Vec<_> = value::pairs(&objects[other].node, &["metadata", "labels"]).collect();
        if seen.contains(&other) || !selectors.iter().any(|s| selects(s, &labels)) {
            continue;
        }
        seen.push(other);
        rules.extend(own_rules(other, &objects[other]));
        aggregate(objects, cluster_roles, other, seen, rules, depth + 1);
    }
}

fn binding(index: usize, object: &Object) -> Binding<'_> {
    let home = (object.kind == "RoleBinding").then(|| namespace(object));
    Binding {
        object: index,
        namespace: home,
        role_kind: value::text(&object.node, &["roleRef", "kind"]).unwrap_or_default(),
        role: value::text(&object.node, &["roleRef", "name"]).unwrap_or_default(),
        subjects: value::list(&object.node, &["subjects"])
            .iter()
            .map(|subject| {
                let kind = value::text(subject, &["kind"]).unwrap_or_default();
                Subject {
                    kind,
                    name: value::text(subject, &["name"]).unwrap_or_default(),
                    namespace: (kind == "ServiceAccount")
                        .then(|| value::text(subject, &["namespace"]).or(home))
                        .flatten(),
                }
            })
            .collect(),
    }
}

impl Rule<'_> {
    /// Indices of the entries of `key` that `fits`.
    pub fn matching(&self, key: &str, fits: impl Fn(&str) -> bool) -> Vec<usize> {
        value::list(self.node, &[key])
            .iter()
            .enumerate()
            .filter(|(_, item)| item.as_str().is_some_and(&fits))
            .map(|(index, _)| index)
            .collect()
    }

    /// Whether the rule allows everything on everything: by stars, or by naming every verb there is.
    pub fn everything(&self) -> bool {
        let star = |key: &str| value::texts(self.node, &[key]).any(|text| text == "*");
        let every_verb = VERBS
            .iter()
            .all(|verb| value::texts(self.node, &["verbs"]).any(|text| text == *verb));
        star("apiGroups") && star("resources") && (star("verbs") || every_verb)
    }

    /// Whether some entry of `key` is `wanted` or a star.
    pub fn lists(&self, key: &str, wanted: &str) -> bool {
        value::texts(self.node, &[key]).any(|text| text == wanted || text == "*")
    }

    /// Whether the rule is about a resource, subresources (`pods/exec`) included.
    pub fn covers(&self, resource: &str) -> bool {
        value::texts(self.node, &["resources"]).any(|listed| resource_fits(listed, resource))
    }
}

/// Whether a rule's entry stands for a resource: equal, `*`, or `*/sub` for any resource's subresource.
pub fn resource_fits(listed: &str, resource: &str) -> bool {
    listed == "*"
        || listed == resource
        || listed.strip_prefix("*/").is_some_and(|sub| {
            resource
                .split_once('/')
                .is_some_and(|(_, wanted)| wanted == sub)
        })
}
