//! kube-linter: manifests with the exact messages; we compare the kinds of the objects that fail.

use std::collections::BTreeSet;

use serde_json::Value;
use vedette_posture::input::Settings;

use crate::{Tally, data, findings, read};

/// Which of our checks judge what a check of theirs judges.
const CHECKS: &[(&str, &[&str])] = &[
    ("access-to-create-pods", &["access-to-create-pods"]),
    ("access-to-secrets", &["access-to-secrets"]),
    ("cluster-admin-role-binding", &["cluster-admin-binding"]),
    ("dangling-service", &["dangling-service"]),
    ("default-service-account", &["default-service-account-used"]),
    (
        "deprecated-service-account-field",
        &["deprecated-service-account-field"],
    ),
    ("docker-sock", &["container-runtime-socket"]),
    ("drop-net-raw-capability", &["net-raw-capability"]),
    ("duplicate-env-var", &["duplicate-environment-variable"]),
    ("env-var-secret", &["credential-in-environment"]),
    ("exposed-services", &["exposed-service"]),
    ("host-ipc", &["host-ipc"]),
    ("host-network", &["host-network"]),
    ("host-pid", &["host-pid"]),
    ("latest-tag", &["image-tag"]),
    ("mismatching-selector", &["mismatching-selector"]),
    ("no-liveness-probe", &["liveness-probe"]),
    ("no-read-only-root-fs", &["read-only-root-filesystem"]),
    ("no-readiness-probe", &["readiness-probe"]),
    ("no-rolling-update-strategy", &["no-rolling-update"]),
    ("non-existent-service-account", &["missing-service-account"]),
    ("non-isolated-pod", &["pod-network-policy"]),
    ("privilege-escalation-container", &["privilege-escalation"]),
    ("privileged-container", &["privileged-container"]),
    ("read-secret-from-env-var", &["secret-in-environment"]),
    ("run-as-non-root", &["run-as-non-root"]),
    ("sensitive-host-mounts", &["sensitive-host-path"]),
    ("ssh-port", &["ssh-server"]),
    ("unsafe-proc-mount", &["proc-mount"]),
    ("unsafe-sysctls", &["unsafe-sysctls"]),
    ("unset-cpu-requirements", &["cpu-request"]),
    ("unset-memory-requirements", &["memory-limit"]),
    ("use-namespace", &["default-namespace"]),
    ("wildcard-in-rules", &["wildcard-in-role"]),
    ("writable-host-mount", &["writable-host-path"]),
];

/// Deliberate differences: check, reason.
const DIFFERENCES: &[(&str, &str)] = &[];

#[test]
fn kube_linter() {
    let Some(root) = data() else { return };
    let root = root.join("kube-linter");
    let text = std::fs::read_to_string(root.join("expected.json")).unwrap();
    let suite: Value = serde_json::from_str(&text).unwrap();
    let mut tally = Tally::default();
    let all = suite.as_array().unwrap().len();
    for case in suite.as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let Some((_, ids)) = CHECKS.iter().find(|(check, _)| *check == name) else {
            continue;
        };
        let path = root.join(case["file"].as_str().unwrap());
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let objects = read(vec![(name.to_owned(), text)]).objects;
        let found = findings(&objects, ids, Settings::default());
        let want: BTreeSet<String> = case["messages"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|message| message.as_str()?.split([':', ' ']).next())
            .map(str::to_owned)
            .collect();
        // They report the binding, we the role with everybody who has it.
        let have: BTreeSet<String> = found
            .iter()
            .flat_map(|finding| {
                let role = finding.object;
                let bindings = finding.grants.iter().map(|grant| grant.binding);
                let own = std::iter::once(role);
                let indices: Vec<usize> =
                    if objects[role].kind.ends_with("Role") && name.starts_with("access-to") {
                        bindings.collect()
                    } else {
                        own.collect()
                    };
                indices
            })
            .map(|index| objects[index].kind.clone())
            .collect();
        let reason = DIFFERENCES
            .iter()
            .find(|(check, _)| *check == name)
            .map(|(_, reason)| *reason);
        tally.count(
            name,
            want == have,
            reason,
            &format!("want {want:?}, have {have:?}"),
        );
    }
    tally.finish("kube-linter", &format!("{} of {all} runs", CHECKS.len()));
}
