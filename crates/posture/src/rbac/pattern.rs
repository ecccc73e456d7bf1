//! Roles that allow too much, found by pattern, with everybody to whom they are given.

use vedette_yaml::Node;

use super::{Role, Subject};
use crate::check::{Finding, Findings, Grant};
use crate::input::Input;
use crate::value;

/// A right that few should have: any of the verbs on any of the resources of any of the groups.
pub(crate) struct Pattern {
    pub(crate) groups: &'static [&'static str],
    pub(crate) resources: &'static [&'static str],
    pub(crate) verbs: &'static [&'static str],
}

/// Whether the API server itself ships and restores the object.
pub(crate) fn of_the_system(node: &Node, name: &str) -> bool {
    // GKE's own roles bear the prefix `gce:`; the four user-facing roles are made by the API server.
    name.starts_with("system:")
        || name.starts_with("gce:")
        || matches!(name, "admin" | "cluster-admin" | "edit" | "view")
        || value::pairs(node, &["metadata", "labels"])
            .any(|pair| pair == ("kubernetes.io/bootstrapping", "rbac-defaults"))
}

/// Fails every rule of a role outside the system that allows `pattern`.
/// An aggregated rule is told once, at the role that it is written in.
pub(crate) fn roles_that(
    input: &Input<'_>,
    out: &mut Findings<'_>,
    pattern: &Pattern,
    message: &str,
) {
    for role in &input.rbac.roles {
        let object = &input.objects[role.object];
        if of_the_system(&object.node, &object.name) {
            continue;
        }
        for rule in role.rules.iter().filter(|rule| rule.object == role.object) {
            let among = |key: &str, wanted: &[&str]| {
                rule.matching(key, |text| {
                    wanted.iter().any(|want| {
                        if key == "resources" {
                            super::resource_fits(text, want)
                        } else {
                            text == *want || text == "*"
                        }
                    })
                })
            };
            let found = [
                ("resources", among("resources", pattern.resources)),
                ("verbs", among("verbs", pattern.verbs)),
                ("apiGroups", among("apiGroups", pattern.groups)),
            ];
            if found.iter().any(|(_, indices)| indices.is_empty()) {
                continue;
            }
            let mut paths = found.iter().flat_map(|(key, indices)| {
                indices
                    .iter()
                    .map(move |index| format!("{}.{key}[{index}]", rule.path))
            });
            let first = paths.next().unwrap_or_default();
            let grants = grants(input, role);
            let given = if grants.is_empty() {
                "given to nobody here".to_owned()
            } else {
                let shown: Vec<String> = grants
                    .iter()
                    .take(SHOWN)
                    .map(|grant| format!("{} {}", grant.kind, grant.name))
                    .collect();
                let more = grants.len().saturating_sub(SHOWN);
                let rest = if more > 0 {
                    format!(" and {more} more")
                } else {
                    String::new()
                };
                format!("given to {}{rest}", shown.join(", "))
            };
            let limited: Vec<&str> = value::texts(rule.node, &["resourceNames"]).collect();
            let names = if limited.is_empty() {
                String::new()
            } else {
                format!(" named {}", limited.join(", "))
            };
            let mut finding = Finding::new(
                role.object,
                first,
                format!("{} {} {message}{names}; {given}", object.kind, object.name),
            );
            finding.paths.extend(paths);
            finding.grants = grants;
            out.push(finding);
        }
    }
}

/// How many subjects a message names before it counts the rest.
const SHOWN: usize = 3;

/// Everybody who has the rules of `role`, directly or through a role that aggregates it.
pub(crate) fn grants<'a>(input: &Input<'a>, role: &Role<'a>) -> Vec<Grant> {
    let rbac = &input.rbac;
    let mut out = Vec::new();
    for carrier in rbac.carriers(role) {
        for binding in rbac.bindings_of(carrier) {
            for (index, subject) in binding.subjects.iter().enumerate() {
                out.push(grant(binding.object, index, subject));
            }
        }
    }
    out
}

/// A subject of a binding as a grant.
pub(crate) fn grant(binding: usize, index: usize, subject: &Subject<'_>) -> Grant {
    Grant {
        binding,
        subject: index,
        kind: subject.kind.to_owned(),
        name: subject.title(),
    }
}

/// The subjects of a binding in words.
pub(crate) fn names(subjects: &[Subject<'_>]) -> String {
    if subjects.is_empty() {
        return "nobody".to_owned();
    }
    let shown: Vec<String> = subjects
        .iter()
        .take(SHOWN)
        .map(|subject| format!("{} {}", subject.kind, subject.title()))
        .collect();
    let more = subjects.len().saturating_sub(SHOWN);
    if more > 0 {
        format!("{} and {more} more", shown.join(", "))
    } else {
        shown.join(", ")
    }
}
