//! Kubescape's regolibrary: `rules/<rule>/test/<case>/{input,expected.json}`.
//!
//! A case agrees when the same objects fail (for RBAC the same subjects), when every path in `failedPaths` is
//! named by us, and when a case that has only `fixPaths` names a field that we name too.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use vedette_manifest::Object;
use vedette_posture::check::Finding;
use vedette_posture::input::{QuantityRange, Settings};
use vedette_posture::resources::quantity;

use crate::{Tally, data, findings, read};

/// Which of our checks judge what a rule judges.
const RULES: &[(&str, &[&str])] = &[
    ("CVE-2021-25741", &["mount-subpath"]),
    (
        "Ensure-that-the-kubeconfig-file-permissions-are-set-to-644-or-more-restrictive",
        &["kubelet-kubeconfig-permissions"],
    ),
    ("alert-any-hostpath", &["host-path-volume"]),
    ("alert-rw-hostpath", &["writable-host-path"]),
    (
        "anonymous-requests-to-kubelet-service-updated",
        &["kubelet-anonymous-auth"],
    ),
    (
        "anonymous-requests-to-kubelet-updated",
        &["kubelet-anonymous-auth"],
    ),
    (
        "automount-default-service-account",
        &["default-service-account-token"],
    ),
    ("automount-service-account", &["service-account-token"]),
    ("cluster-access-manager-api-eks", &["eks-access-entries"]),
    ("configured-liveness-probe", &["liveness-probe"]),
    ("configured-readiness-probe", &["readiness-probe"]),
    ("container-hostPort", &["host-port"]),
    ("container-image-repository", &["image-registry"]),
    (
        "containers-mounting-docker-socket",
        &["container-runtime-socket"],
    ),
    (
        "deprecated-service-account-field",
        &["deprecated-service-account-field"],
    ),
    (
        "detect-nginx-ingress-controller-eol",
        &["nginx-ingress-end-of-life"],
    ),
    ("drop-capability-netraw", &["net-raw-capability"]),
    ("duplicate-env-var", &["duplicate-environment-variable"]),
    (
        "enforce-kubelet-client-tls-authentication-updated",
        &["kubelet-client-ca"],
    ),
    (
        "ensure-default-service-accounts-has-only-default-roles",
        &["default-service-account-bound"],
    ),
    (
        "ensure-endpointprivateaccess-is-enabled",
        &["eks-endpoint-access"],
    ),
    (
        "ensure-endpointprivateaccess-is-enabled-and-endpointpublicaccess-is-disabled-eks",
        &["eks-private-endpoint-only"],
    ),
    (
        "ensure-endpointpublicaccess-is-disabled-on-private-nodes-eks",
        &["eks-private-nodes"],
    ),
    (
        "ensure-that-the-kubeconfig-kubelet.conf-file-ownership-is-set-to-root-root",
        &["kubelet-kubeconfig-ownership"],
    ),
    (
        "ensure-that-the-kubelet-configuration-file-has-permissions-set-to-644-or-more-restrictive",
        &["kubelet-config-permissions"],
    ),
    (
        "ensure-that-the-kubelet-configuration-file-ownership-is-set-to-root-root",
        &["kubelet-config-ownership"],
    ),
    (
        "ensure_network_policy_configured_in_labels",
        &["pod-network-policy"],
    ),
    ("exec-into-container-v1", &["access-to-exec"]),
    ("host-ipc-privileges", &["host-ipc"]),
    ("host-network-access", &["host-network"]),
    ("host-pid-ipc-privileges", &["host-ipc", "host-pid"]),
    ("host-pid-privileges", &["host-pid"]),
    ("image-not-pinned-to-digest", &["image-digest"]),
    (
        "immutable-container-filesystem",
        &["read-only-root-filesystem"],
    ),
    ("ingress-tls", &["ingress-tls"]),
    ("internal-networking", &["namespace-network-policy"]),
    ("k8s-audit-logs-enabled-cloud", &["eks-audit-logs"]),
    (
        "kubelet-authorization-mode-alwaysAllow",
        &["kubelet-authorization-mode"],
    ),
    ("kubelet-event-qps", &["kubelet-event-rate"]),
    ("kubelet-hostname-override", &["kubelet-hostname-override"]),
    ("kubelet-ip-tables", &["kubelet-iptables-chains"]),
    (
        "kubelet-rotate-certificates",
        &["kubelet-rotate-certificates"],
    ),
    (
        "kubelet-rotate-kubelet-server-certificate",
        &["kubelet-rotate-server-certificate"],
    ),
    (
        "kubelet-streaming-connection-idle-timeout",
        &["kubelet-streaming-timeout"],
    ),
    (
        "kubelet-strong-cryptography-ciphers",
        &["kubelet-strong-ciphers"],
    ),
    ("mismatching-selector", &["mismatching-selector"]),
    ("no-rolling-update-strategy", &["no-rolling-update"]),
    ("non-existent-service-account", &["missing-service-account"]),
    ("non-root-containers", &["run-as-non-root"]),
    (
        "pod-security-admission-baseline-applied-1",
        &["namespace-pod-security-baseline"],
    ),
    (
        "pod-security-admission-baseline-applied-2",
        &["namespace-pod-security-baseline"],
    ),
    (
        "pod-security-admission-restricted-applied-1",
        &["namespace-pod-security-restricted"],
    ),
    (
        "pod-security-admission-restricted-applied-2",
        &["namespace-pod-security-restricted"],
    ),
    (
        "read-only-port-enabled-updated",
        &["kubelet-read-only-port"],
    ),
    ("resource-policies", &["cpu-limit", "memory-limit"]),
    (
        "resources-cpu-limit-and-request",
        &["cpu-limit", "cpu-request"],
    ),
    (
        "resources-memory-limit-and-request",
        &["memory-limit", "memory-request"],
    ),
    ("rule-allow-privilege-escalation", &["privilege-escalation"]),
    ("rule-can-bind-escalate", &["access-to-bind-escalate"]),
    ("rule-can-create-pod", &["access-to-create-pods"]),
    (
        "rule-can-create-pv",
        &["access-to-create-persistent-volumes"],
    ),
    (
        "rule-can-create-service-account-token",
        &["access-to-create-tokens"],
    ),
    (
        "rule-can-delete-k8s-events-v1",
        &["access-to-delete-events"],
    ),
    (
        "rule-can-impersonate-users-groups-v1",
        &["access-to-impersonate"],
    ),
    ("rule-can-list-get-secrets-v1", &["access-to-secrets"]),
    (
        "rule-can-modify-admission-webhooks",
        &["access-to-webhook-configurations"],
    ),
    ("rule-can-portforward-v1", &["access-to-port-forward"]),
    (
        "rule-excessive-delete-rights-v1",
        &["access-to-delete-workloads"],
    ),
    (
        "rule-privileged-container",
        &["privileged-container", "sys-admin-capability"],
    ),
    ("rule-secrets-in-env-var", &["secret-in-environment"]),
    ("secret-etcd-encryption-cloud", &["eks-secrets-encryption"]),
    ("service-with-no-workload", &["dangling-service"]),
    ("set-procmount-default", &["proc-mount"]),
    ("set-seccomp-profile", &["seccomp-profile"]),
    ("set-seccomp-profile-RuntimeDefault", &["seccomp-profile"]),
    ("sudo-in-container-entrypoint", &["sudo-in-entrypoint"]),
    (
        "validate-kubelet-tls-configuration-updated",
        &["kubelet-rotate-certificates"],
    ),
    ("workload-mounted-configmap", &[]),
];

/// Rules over objects in the default namespace; all of them are one check of ours.
const DEFAULT_NAMESPACE: &str = "-in-default-namespace";

/// Deliberate differences: rule, case (or `*`), reason.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    (
        "k8s-audit-logs-enabled-cloud",
        "eks-fail2",
        "the type audit is enabled in this answer, in the first of two groups of types",
    ),
    ("k8s-audit-logs-enabled-cloud", "gke", NOT_EKS),
    (
        "kubelet-streaming-connection-idle-timeout",
        "fail-set-via-cli",
        "the expected alert names no object at all",
    ),
    (
        "kubelet-strong-cryptography-ciphers",
        "pass-config-not-set",
        "an unset list means the defaults, which hold suites that the control refuses",
    ),
    ("secret-etcd-encryption-cloud", "aks", NOT_EKS),
    ("secret-etcd-encryption-cloud", "gke", NOT_EKS),
    (
        "set-procmount-default",
        "*",
        "an unset procMount is Default; the rule asks for it to be written out",
    ),
    (
        "set-seccomp-profile-RuntimeDefault",
        "*",
        "the Pod Security Standards accept Localhost profiles; the rule does not",
    ),
];

const NOT_EKS: &str = "our control judges EKS clusters";

#[test]
fn kubescape() {
    let Some(root) = data() else { return };
    let root = root.join("kubescape_regolibrary/rules");
    let mut tally = Tally::default();
    let (mut covered, mut all) = (0, 0);
    let mut rules: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|e| e.unwrap())
        .collect();
    rules.sort_by_key(std::fs::DirEntry::file_name);
    for rule in rules {
        let name = rule.file_name().into_string().unwrap();
        let Ok(cases) = std::fs::read_dir(rule.path().join("test")) else {
            continue;
        };
        all += 1;
        let ids: &[&str] = match RULES.iter().find(|(rule, _)| *rule == name) {
            Some((_, ids)) => ids,
            None if name.ends_with(DEFAULT_NAMESPACE) => &["default-namespace"],
            None => continue,
        };
        if ids.is_empty() {
            continue;
        }
        covered += 1;
        let mut cases: Vec<_> = cases.map(|case| case.unwrap().path()).collect();
        cases.sort();
        for case in cases {
            one(&name, ids, &case, &mut tally);
        }
    }
    tally.finish("Kubescape", &format!("{covered} of {all} rules with tests"));
}

fn one(rule: &str, ids: &[&str], case: &Path, tally: &mut Tally) {
    let title = case.file_name().unwrap().to_str().unwrap();
    let mut texts = Vec::new();
    let Ok(inputs) = std::fs::read_dir(case.join("input")) else {
        return;
    };
    for input in inputs {
        let path = input.unwrap().path();
        texts.push((
            path.display().to_string(),
            std::fs::read_to_string(&path).unwrap(),
        ));
    }
    texts.sort();
    let Ok(expected) = std::fs::read_to_string(case.join("expected.json")) else {
        return;
    };
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let settings = settings(&case.join("data.json"));
    let objects = read(texts).objects;
    let found = findings(&objects, ids, settings);
    let want: Vec<&Value> = expected
        .as_array()
        .map(|alerts| alerts.iter().collect())
        .unwrap_or_default();
    let have = who(&found, &objects);
    let expected_who: BTreeSet<String> = want.iter().flat_map(|alert| alerted(alert)).collect();
    let ours: BTreeSet<String> = found.iter().flat_map(|f| paths(f, &objects)).collect();
    let lacking: Vec<String> = want
        .iter()
        .flat_map(|alert| lacking(alert, &ours))
        .collect();
    let agrees = have == expected_who && lacking.is_empty();
    let reason = DIFFERENCES
        .iter()
        .find(|(r, c, _)| *r == rule && (*c == title || *c == "*"))
        .map(|(_, _, reason)| *reason);
    tally.count(
        &format!("{rule}/{title}"),
        agrees,
        reason,
        &format!("who {expected_who:?} / ours {have:?}; lacking {lacking:?} in {ours:?}"),
    );
}

/// The settings that a case carries in `data.json`.
fn settings(path: &Path) -> Settings {
    let mut settings = Settings::default();
    let Ok(text) = std::fs::read_to_string(path) else {
        return settings;
    };
    let data: Value = serde_json::from_str(&text).unwrap();
    let list = |key: &str| -> Vec<String> {
        data["postureControlInputs"][key]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    settings.registries = list("imageRepositoryAllowList");
    settings.unpinned = list("imageDigestExemptRepositories");
    for kind in ["request", "limit"] {
        for resource in ["cpu", "memory"] {
            let bound = |end: &str| {
                let values = list(&format!("{resource}_{kind}_{end}"));
                values.first().and_then(|text| quantity(text))
            };
            settings.quantities.push(QuantityRange {
                field: format!("{kind}s.{resource}"),
                min: bound("min"),
                max: bound("max"),
            });
        }
    }
    settings
}

/// Objects and subjects that we fail.
fn who(found: &[Finding], objects: &[Object]) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for finding in found {
        if finding.grants.is_empty() {
            let object = &objects[finding.object];
            if !finding.path().starts_with("rules[") {
                out.insert(title(&object.kind, &object.name));
            }
        }
        for grant in &finding.grants {
            let name = grant.name.rsplit('/').next().unwrap_or_default();
            out.insert(title(&grant.kind, name));
        }
    }
    out
}

fn title(kind: &str, name: &str) -> String {
    // Node facts are alerted with or without the node's name.
    if matches!(kind, "KubeletInfo" | "ClusterDescribe") {
        return kind.to_owned();
    }
    format!("{kind}/{name}")
}

fn alerted(alert: &Value) -> Vec<String> {
    let external = &alert["alertObject"]["externalObjects"];
    let named = |object: &Value| {
        let name = object["name"]
            .as_str()
            .or_else(|| object["metadata"]["name"].as_str())
            .unwrap_or_default();
        title(object["kind"].as_str().unwrap_or_default(), name)
    };
    if external.is_object() {
        return vec![named(external)];
    }
    alert["alertObject"]["k8sApiObjects"]
        .as_array()
        .into_iter()
        .flatten()
        .map(named)
        .collect()
}

/// Our paths, and for RBAC as Kubescape counts them from the subject: binding first, role second.
fn paths(finding: &Finding, objects: &[Object]) -> Vec<String> {
    let mut out = finding.paths.clone();
    let role = matches!(
        objects[finding.object].kind.as_str(),
        "Role" | "ClusterRole"
    );
    for grant in &finding.grants {
        out.push(format!("relatedObjects[0].subjects[{}]", grant.subject));
        out.push("relatedObjects[0].roleRef.name".to_owned());
        if role {
            out.extend(
                finding
                    .paths
                    .iter()
                    .map(|p| format!("relatedObjects[1].{p}")),
            );
        }
    }
    out
}

/// What the alert names and we do not.
fn lacking(alert: &Value, ours: &BTreeSet<String>) -> Vec<String> {
    let list = |key: &str| -> Vec<String> {
        alert[key]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|path| path.as_str().map(str::to_owned))
            .filter(|path| !path.is_empty())
            .collect()
    };
    let failed = list("failedPaths");
    if !failed.is_empty() {
        return failed
            .into_iter()
            .filter(|path| !ours.contains(path))
            .collect();
    }
    let fixes: Vec<String> = alert["fixPaths"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|fix| fix["path"].as_str().map(str::to_owned))
        .collect();
    if fixes.is_empty() || fixes.iter().any(|path| ours.contains(path)) {
        Vec::new()
    } else {
        fixes
    }
}
