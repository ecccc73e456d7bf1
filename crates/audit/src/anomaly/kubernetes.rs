//! What is compared of a request to the API server.

use super::behaviour::{Behaviour, Factor, Gate, client, network};
use crate::findings::SystemActor;
use crate::findings::facts::{
    Call, WORKLOADS, containers, has_sensitive_mount, image_prefix, is_privileged, peer, pod_spec,
    result, touches,
};
use crate::json::Json;

/// Roles that give power over everything, or over everything in a namespace.
const ADMIN: [&str; 3] = ["cluster-admin", "admin", "system:masters"];

/// Words in images and commands of attackers' tools; a workload with one is more than unusual.
const TOOLS: [&str; 14] = [
    "xmrig",
    "kali",
    "metasploit",
    "sqlmap",
    "kube-hunter",
    "peirates",
    "kubesploit",
    "masscan",
    "/dev/tcp/",
    "nc -e",
    "ncat -e",
    "bash -i",
    "mkfifo",
    "deepce",
];

/// Images whose names are compared, of one workload.
const MAX_IMAGES: usize = 4;

/// Verbs on resources the asking after which says more than that a client is careful.
const POWER: [(&str, &str); 8] = [
    ("*", "*"),
    ("create", "pods"),
    ("create", "pods/exec"),
    ("get", "secrets"),
    ("list", "secrets"),
    ("bind", "clusterroles"),
    ("escalate", "clusterroles"),
    ("impersonate", "users"),
];

/// Bits that scope adds, by what it is.
mod bits {
    /// Reading the secrets of every namespace at once.
    pub(super) const ALL_SECRETS: f64 = 4.0;
    /// A service account that reads secrets of another namespace.
    pub(super) const FOREIGN_SECRETS: f64 = 4.0;
    /// A role or binding with power over everything.
    pub(super) const ADMIN: f64 = 6.0;
    /// A container that may do what the node may.
    pub(super) const NODE: f64 = 6.0;
    /// Commands in the namespace of the control plane.
    pub(super) const SYSTEM_EXEC: f64 = 4.0;
    /// An attacker's tool by name.
    pub(super) const TOOL: f64 = 8.0;
}

/// Reads a request; `None` for stages that tell nothing new, and for requests of nobody.
pub(super) fn behaviour(json: Json<'_>) -> Option<Behaviour> {
    let code = json
        .path(&["responseStatus", "code"])
        .and_then(Json::as_u64)?;
    let call = Call::new(json, code);
    let interactive = matches!(call.subresource.as_str(), "exec" | "attach" | "portforward");
    let stage = if interactive && call.succeeded() {
        "ResponseStarted"
    } else {
        "ResponseComplete"
    };
    if !json.get("stage").is_some_and(|found| found.is_text(stage))
        || code == 401
        || call.user.is_empty()
        || call.is_dry_run()
    {
        return None;
    }
    let (principal, peers) = names(&call);
    let slash = if call.subresource.is_empty() { "" } else { "/" };
    let mut factors = vec![
        (
            Factor::Action,
            format!("{} {}{slash}{}", call.verb, call.resource, call.subresource),
        ),
        (Factor::Outcome, outcome(code).to_owned()),
        (
            Factor::Agent,
            json.text_at(&["userAgent"])
                .map(|agent| client(&agent.to_owned_string()))
                .unwrap_or_default(),
        ),
    ];
    if !call.resource.is_empty() {
        let namespace = if call.namespace.is_empty() {
            "(cluster)".to_owned()
        } else if service_account(&call.user).is_some_and(|(home, _)| home == call.namespace) {
            "(its own)".to_owned()
        } else {
            call.namespace.clone()
        };
        factors.push((Factor::Namespace, namespace));
    }
    if let Some(address) = peer(json) {
        factors.push((Factor::Network, network(address)));
    }
    if let Some(target) = json.text_at(&["impersonatedUser", "username"]) {
        factors.push((Factor::Target, target.to_owned_string()));
    }
    let mut scope = Vec::new();
    let gate = if call.succeeded() && !SystemActor::is(&call.user) {
        gate(&call, &mut factors, &mut scope)
    } else {
        None
    };
    let founds = (call.resource == "namespaces" && call.verb == "create" && call.succeeded())
        .then(|| call.name.clone());
    Some(Behaviour {
        trusted: call.user != "system:anonymous",
        principal,
        peers,
        factors,
        scope,
        gate,
        founds,
    })
}

/// Namespace and name of a service account.
fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':')
}

/// Who it is, and whose habits stand in for his.
fn names(call: &Call<'_>) -> (String, String) {
    let user = &call.user;
    if user.starts_with("system:node:") {
        return ("nodes".to_owned(), "nodes".to_owned());
    }
    if let Some((namespace, _)) = service_account(user) {
        return (user.clone(), format!("service accounts of {namespace}"));
    }
    if user.starts_with("system:") {
        return (user.clone(), "control plane".to_owned());
    }
    let mut groups: Vec<String> = call
        .json
        .path(&["user", "groups"])
        .into_iter()
        .flat_map(Json::items)
        .filter_map(Json::to_text)
        .filter(|group| group != "system:authenticated")
        .collect();
    groups.sort();
    (user.clone(), format!("people of {}", groups.join(", ")))
}

fn outcome(code: u64) -> &'static str {
    match code {
        101 | 200..=299 => "allowed",
        403 => "refused",
        404 => "not found",
        _ => "failed",
    }
}

/// The kind of behaviour that a request is, with what else is compared of it.
fn gate(
    call: &Call<'_>,
    factors: &mut Vec<(Factor, String)>,
    scope: &mut Vec<(&'static str, f64)>,
) -> Option<Gate> {
    let place = |what: &str| {
        if call.namespace.is_empty() {
            format!("{what} of the cluster")
        } else {
            format!("{what} in {}", call.namespace)
        }
    };
    let simple = |kind, subject| {
        Some(Gate {
            kind,
            subject,
            severity: None,
        })
    };
    let reads = matches!(call.verb.as_str(), "get" | "list" | "watch");
    match (call.resource.as_str(), call.subresource.as_str()) {
        ("secrets", "") if reads => {
            if call.namespace.is_empty() {
                scope.push(("secrets of every namespace", bits::ALL_SECRETS));
            } else if service_account(&call.user).is_some_and(|(home, _)| home != call.namespace) {
                scope.push(("secrets of another namespace", bits::FOREIGN_SECRETS));
            }
            simple(
                "CredentialAccess:Kubernetes/AnomalousBehavior.SecretsAccessed",
                place("secrets"),
            )
        }
        ("pods", "exec" | "attach") => {
            if call.namespace == "kube-system" {
                scope.push(("a pod of kube-system", bits::SYSTEM_EXEC));
            }
            simple(
                "Execution:Kubernetes/AnomalousBehavior.ExecInPod",
                place("pods"),
            )
        }
        ("selfsubjectaccessreviews", "") if asks_for_power(call) => simple(
            "Discovery:Kubernetes/AnomalousBehavior.PermissionChecked",
            "own permissions".to_owned(),
        ),
        ("rolebindings" | "clusterrolebindings", "") if call.writes() => {
            let role = result(call.json)
                .and_then(|binding| binding.path(&["roleRef", "name"]))
                .and_then(Json::to_text)
                .unwrap_or_default();
            let admin = ADMIN.contains(&role.as_str());
            if admin {
                scope.push(("power over everything", bits::ADMIN));
            }
            factors.push((Factor::Role, role));
            Some(Gate {
                kind: "PrivilegeEscalation:Kubernetes/AnomalousBehavior.RoleBindingCreated",
                subject: call.subject(),
                severity: admin.then_some(8.0),
            })
        }
        ("roles" | "clusterroles", "") if call.writes() => {
            let broad = result(call.json).is_some_and(is_broad);
            if !broad {
                return None;
            }
            scope.push(("power over everything", bits::ADMIN));
            simple(
                "PrivilegeEscalation:Kubernetes/AnomalousBehavior.RoleCreated",
                call.subject(),
            )
        }
        (resource, "" | "ephemeralcontainers")
            if WORKLOADS.contains(&resource)
                && call.writes()
                && (call.verb == "create" || touches(call.json, "spec")) =>
        {
            workload(call, factors, scope)
        }
        _ => None,
    }
}

fn workload(
    call: &Call<'_>,
    factors: &mut Vec<(Factor, String)>,
    scope: &mut Vec<(&'static str, f64)>,
) -> Option<Gate> {
    let object = result(call.json)?;
    let spec = pod_spec(object, &call.resource)?;
    let (mut privileged, mut tool) = (false, false);
    for (at, container) in containers(spec).enumerate() {
        privileged |= is_privileged(container);
        let image = image_prefix(container).unwrap_or_default();
        let words = ["command", "args"]
            .into_iter()
            .filter_map(|key| container.get(key))
            .flat_map(Json::items)
            .filter_map(Json::to_text)
            .collect::<Vec<_>>()
            .join(" ");
        let named = |text: &str| {
            let text = text.to_ascii_lowercase();
            TOOLS.iter().any(|tool| text.contains(tool))
        };
        tool |= named(&image) || named(&words);
        if at < MAX_IMAGES && !image.is_empty() {
            factors.push((Factor::Image, image));
        }
    }
    let mount = has_sensitive_mount(spec);
    if privileged || mount {
        scope.push(("a way to the node", bits::NODE));
    }
    if tool {
        scope.push(("an attacker's tool", bits::TOOL));
    }
    let kind = if privileged {
        "PrivilegeEscalation:Kubernetes/AnomalousBehavior.WorkloadDeployed!PrivilegedContainer"
    } else if mount {
        "Persistence:Kubernetes/AnomalousBehavior.WorkloadDeployed!ContainerWithSensitiveMount"
    } else {
        "Execution:Kubernetes/AnomalousBehavior.WorkloadDeployed"
    };
    Some(Gate {
        kind,
        subject: call.subject(),
        severity: (tool && !privileged && !mount).then_some(5.0),
    })
}

/// True when a client asked whether it may do something powerful, and may.
fn asks_for_power(call: &Call<'_>) -> bool {
    let answer = call.json.get("responseObject");
    let allowed = answer
        .and_then(|answer| answer.path(&["status", "allowed"]))
        .and_then(Json::as_bool);
    let text = |key: &str| {
        ["responseObject", "requestObject"]
            .into_iter()
            .find_map(|object| {
                call.json
                    .path(&[object, "spec", "resourceAttributes", key])
                    .and_then(Json::to_text)
            })
            .unwrap_or_default()
    };
    let (verb, mut resource, sub) = (text("verb"), text("resource"), text("subresource"));
    if !sub.is_empty() {
        resource = format!("{resource}/{sub}");
    }
    allowed == Some(true) && POWER.contains(&(verb.as_str(), resource.as_str()))
}

/// True for a role that allows everything on something, or something powerful on everything.
fn is_broad(role: Json<'_>) -> bool {
    let has = |rule: Json<'_>, key: &str, wanted: &str| {
        rule.get(key)
            .into_iter()
            .flat_map(Json::items)
            .any(|item| item.is_text(wanted))
    };
    role.get("rules")
        .into_iter()
        .flat_map(Json::items)
        .any(|rule| {
            has(rule, "verbs", "*") && has(rule, "resources", "*")
                || ["escalate", "bind", "impersonate"]
                    .iter()
                    .any(|verb| has(rule, "verbs", verb))
        })
}
