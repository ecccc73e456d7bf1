//! ValidatingAdmissionPolicies: read as checks, and written from them.

use vedette_yaml::Node;

use super::{Mistake, UserCheck, Validation, variables};
use crate::value;

/// The resource of a kind: lower case and plural, by the API's own rules of naming.
pub fn plural(kind: &str) -> String {
    let lower = kind.to_ascii_lowercase();
    if lower == "endpoints" {
        return lower;
    }
    match lower.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if lower.ends_with('s') || lower.ends_with('x') || lower.ends_with("ch") => {
            format!("{lower}es")
        }
        _ => format!("{lower}s"),
    }
}

/// Reads a policy. Audit annotations and parameters are not evaluated: `params` is null, as without a binding.
pub(super) fn import(root: &Node) -> Result<UserCheck, Mistake> {
    let name = value::text(root, &["metadata", "name"]).unwrap_or("policy");
    let spec = value::field(root, "spec").ok_or_else(|| Mistake {
        span: root.span,
        message: "expected `spec`".into(),
    })?;
    let kinds: Vec<String> = value::list(spec, &["matchConstraints", "resourceRules"])
        .iter()
        .flat_map(|rule| value::texts(rule, &["resources"]))
        .filter(|resource| !resource.contains('/') || *resource == "*/*")
        .map(|resource| resource.replace("*/*", "*"))
        .collect();
    let validations: Vec<Validation> = value::list(spec, &["validations"])
        .iter()
        .filter_map(|validation| {
            let expression = value::text(validation, &["expression"])?;
            Some(Validation {
                expression: expression.to_owned(),
                message: value::text(validation, &["message"])
                    .map_or_else(|| format!("failed expression: {expression}"), str::to_owned),
                path: String::new(),
            })
        })
        .collect();
    if validations.is_empty() {
        return Err(Mistake {
            span: spec.span,
            message: format!("policy {name:?} has no validations"),
        });
    }
    Ok(UserCheck {
        id: name.to_owned(),
        title: name.to_owned(),
        severity: "medium".to_owned(),
        kinds: if kinds.is_empty() {
            vec!["*".to_owned()]
        } else {
            kinds
        },
        conditions: value::list(spec, &["matchConditions"])
            .iter()
            .filter_map(|condition| value::text(condition, &["expression"]).map(str::to_owned))
            .collect(),
        variables: variables(spec)?,
        validations,
        tests: Vec::new(),
    })
}

/// The API group of the kinds that policies are mostly written for; other kinds are matched in every group.
fn group(kind: &str) -> &'static str {
    match kind {
        "Pod"
        | "Service"
        | "Namespace"
        | "ServiceAccount"
        | "ConfigMap"
        | "Secret"
        | "ReplicationController"
        | "PodTemplate" => "",
        "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet" => "apps",
        "Job" | "CronJob" => "batch",
        "Ingress" | "NetworkPolicy" => "networking.k8s.io",
        "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" => {
            "rbac.authorization.k8s.io"
        }
        _ => "*",
    }
}

/// Writes a check as policy and binding. The binding warns and audits only; whoever has read its warnings may
/// set `validationActions: [Deny]`.
pub fn export(check: &UserCheck) -> String {
    let quote = value::quote;
    let mut out = String::from(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\n",
    );
    out.push_str(&format!(
        "metadata:\n  name: {}\nspec:\n  failurePolicy: Fail\n  matchConstraints:\n    resourceRules:\n",
        quote(&check.id)
    ));
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for kind in &check.kinds {
        let (group, resource) = if kind == "*" {
            ("*", "*".to_owned())
        } else if kind.chars().next().is_some_and(char::is_uppercase) {
            (group(kind), plural(kind))
        } else {
            ("*", kind.clone())
        };
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, resources)) => resources.push(resource),
            None => groups.push((group, vec![resource])),
        }
    }
    for (group, resources) in groups {
        let resources: Vec<String> = resources
            .iter()
            .map(|resource| serde_json::Value::from(resource.as_str()).to_string())
            .collect();
        out.push_str(&format!(
            "    - apiGroups: [\"{group}\"]\n      apiVersions: [\"*\"]\n      operations: [CREATE, UPDATE]\n      resources: [{}]\n",
            resources.join(", ")
        ));
    }
    if !check.conditions.is_empty() {
        out.push_str("  matchConditions:\n");
        for (index, condition) in check.conditions.iter().enumerate() {
            out.push_str(&format!(
                "  - name: condition-{index}\n    expression: {}\n",
                quote(condition)
            ));
        }
    }
    if !check.variables.is_empty() {
        out.push_str("  variables:\n");
        for variable in &check.variables {
            out.push_str(&format!(
                "  - name: {}\n    expression: {}\n",
                quote(&variable.name),
                quote(&variable.expression)
            ));
        }
    }
    out.push_str("  validations:\n");
    for validation in &check.validations {
        out.push_str(&format!(
            "  - expression: {}\n    message: {}\n",
            quote(&validation.expression),
            quote(&validation.message)
        ));
    }
    out.push_str(&format!(
        "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata:\n  name: {0}\nspec:\n  policyName: {0}\n  validationActions: [Warn, Audit]\n",
        quote(&check.id)
    ));
    out
}
