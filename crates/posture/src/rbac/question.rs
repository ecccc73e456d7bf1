//! Exact questions: who can do this, and what can this one do.

use super::{Rbac, Role, Rule, Subject};
use crate::value;

/// A request that somebody might send.
#[derive(Clone, Debug, Default)]
pub struct Question<'q> {
    /// Verb, such as `get`.
    pub verb: &'q str,
    /// API group; empty for the core group.
    pub group: &'q str,
    /// Resource, with its subresource as `pods/exec`.
    pub resource: &'q str,
    /// Name of the object; `None` asks about any.
    pub name: Option<&'q str>,
    /// Namespace; `None` asks cluster-wide (all namespaces).
    pub namespace: Option<&'q str>,
}

/// One way in which somebody has a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access<'a> {
    /// Who.
    pub subject: Subject<'a>,
    /// Index of the binding.
    pub binding: usize,
    /// Index of the role, `None` for the built-in `cluster-admin` when it is not in the input.
    pub role: Option<usize>,
    /// The rule that grants, such as `rules[0]`, in the object with the index before it.
    pub rule: Option<(usize, String)>,
    /// The namespace that it is limited to.
    pub namespace: Option<&'a str>,
    /// Names that it is limited to; empty means all.
    pub names: Vec<&'a str>,
}

impl Question<'_> {
    fn answered_by(&self, rule: &Rule<'_>) -> bool {
        let names: Vec<&str> = value::texts(rule.node, &["resourceNames"]).collect();
        rule.lists("verbs", self.verb)
            && rule.lists("apiGroups", self.group)
            && rule.covers(self.resource)
            && (names.is_empty() || self.name.is_none_or(|name| names.contains(&name)))
    }
}

/// Everybody who may do what `question` asks, each with the binding and the rule that says so.
///
/// Bindings to roles that are not in the input grant nothing here, except the built-in `cluster-admin`.
/// Members of `system:masters` may do everything without any binding.
pub fn who_can<'a>(rbac: &Rbac<'a>, question: &Question<'_>) -> Vec<Access<'a>> {
    let mut out = Vec::new();
    for binding in &rbac.bindings {
        let reaches = binding.namespace.is_none() || binding.namespace == question.namespace;
        if !reaches {
            continue;
        }
        let role = rbac.role_of(binding);
        let grant = match role {
            Some(role) => granting(role, question),
            None if binding.role_kind == "ClusterRole" && binding.role == "cluster-admin" => {
                Some((None, Vec::new()))
            }
            None => None,
        };
        let Some((rule, names)) = grant else { continue };
        for subject in &binding.subjects {
            out.push(Access {
                subject: subject.clone(),
                binding: binding.object,
                role: role.map(|role| role.object),
                rule: rule.clone(),
                namespace: binding.namespace,
                names: names.clone(),
            });
        }
    }
    out
}

type Granting<'a> = (Option<(usize, String)>, Vec<&'a str>);

fn granting<'a>(role: &Role<'a>, question: &Question<'_>) -> Option<Granting<'a>> {
    let rule = role.rules.iter().find(|rule| question.answered_by(rule))?;
    let names = value::texts(rule.node, &["resourceNames"]).collect();
    Some((Some((rule.object, rule.path.clone())), names))
}

/// A right of a subject: the rule and where it holds.
#[derive(Clone, Debug)]
pub struct Right<'a> {
    /// The rule; `None` for the built-in `cluster-admin` when it is not in the input.
    pub rule: Option<Rule<'a>>,
    /// Index of the binding that gives it.
    pub binding: usize,
    /// The namespace that it is limited to.
    pub namespace: Option<&'a str>,
}

/// Every right of a subject. Service accounts also have those of the groups `system:serviceaccounts`,
/// `system:serviceaccounts:<namespace>` and `system:authenticated`; users those of `system:authenticated`.
pub fn can<'a>(rbac: &Rbac<'a>, kind: &str, name: &str, namespace: Option<&str>) -> Vec<Right<'a>> {
    let mut groups = vec!["system:authenticated".to_owned()];
    if kind == "ServiceAccount" {
        groups.push("system:serviceaccounts".to_owned());
        if let Some(namespace) = namespace {
            groups.push(format!("system:serviceaccounts:{namespace}"));
        }
    }
    let user = (kind == "ServiceAccount").then(|| {
        format!(
            "system:serviceaccount:{}:{name}",
            namespace.unwrap_or("default")
        )
    });
    let named = |subject: &Subject<'_>| match subject.kind {
        "ServiceAccount" => {
            kind == "ServiceAccount" && subject.name == name && subject.namespace == namespace
        }
        "Group" => {
            (kind == "Group" && subject.name == name)
                || (kind != "Group" && groups.iter().any(|group| group == subject.name))
        }
        "User" => (kind == "User" && subject.name == name) || user.as_deref() == Some(subject.name),
        _ => false,
    };
    let mut out = Vec::new();
    for binding in &rbac.bindings {
        if !binding.subjects.iter().any(named) {
            continue;
        }
        let right = |rule| Right {
            rule,
            binding: binding.object,
            namespace: binding.namespace,
        };
        match rbac.role_of(binding) {
            Some(role) => out.extend(role.rules.iter().cloned().map(|rule| right(Some(rule)))),
            None if binding.role_kind == "ClusterRole" && binding.role == "cluster-admin" => {
                out.push(right(None));
            }
            None => {}
        }
    }
    out
}
