//! Trivy's Kubernetes checks: inputs with the number of findings, of which we compare none against some.

use serde_json::Value;
use vedette_posture::input::Settings;

use crate::{Tally, data, findings, read};

/// Which of our checks judge what a check of theirs judges.
const CHECKS: &[(&str, &[&str])] = &[
    ("KCV-0070", &[]),
    ("KCV-0074", &["kubelet-kubeconfig-ownership"]),
    ("KCV-0077", &["kubelet-config-permissions"]),
    ("KCV-0078", &["kubelet-config-ownership"]),
    ("KCV-0073", &["kubelet-kubeconfig-permissions"]),
    ("KCV-0079", &["kubelet-anonymous-auth"]),
    ("KCV-0080", &["kubelet-authorization-mode"]),
    ("KCV-0081", &["kubelet-client-ca"]),
    ("KCV-0082", &["kubelet-read-only-port"]),
    ("KCV-0083", &[]),
    ("KCV-0084", &["kubelet-iptables-chains"]),
    ("KCV-0085", &["kubelet-streaming-timeout"]),
    ("KCV-0086", &["kubelet-hostname-override"]),
    ("KCV-0087", &["kubelet-event-rate"]),
    ("KCV-0090", &["kubelet-rotate-certificates"]),
    ("KCV-0091", &["kubelet-rotate-server-certificate"]),
    ("KCV-0092", &["kubelet-strong-ciphers"]),
    ("KSV-0001", &["privilege-escalation"]),
    ("KSV-0002", &["apparmor-profile"]),
    ("KSV-0003", &["drop-all-capabilities"]),
    ("KSV-0005", &["sys-admin-capability"]),
    ("KSV-0006", &["container-runtime-socket"]),
    ("KSV-0008", &["host-ipc"]),
    ("KSV-0009", &["host-network"]),
    ("KSV-0010", &["host-pid"]),
    ("KSV-0011", &["cpu-limit"]),
    ("KSV-0012", &["run-as-non-root"]),
    ("KSV-0013", &["image-tag"]),
    ("KSV-0014", &["read-only-root-filesystem"]),
    ("KSV-0015", &["cpu-request"]),
    ("KSV-0016", &["memory-request"]),
    ("KSV-0017", &["privileged-container"]),
    ("KSV-0018", &["memory-limit"]),
    ("KSV-0020", &["low-user-id"]),
    ("KSV-0021", &["low-group-id"]),
    ("KSV-0022", &["added-capabilities"]),
    ("KSV-0023", &["host-path-volume"]),
    ("KSV-0024", &["host-port"]),
    ("KSV-0025", &["selinux-options"]),
    ("KSV-0026", &["unsafe-sysctls"]),
    ("KSV-0027", &["proc-mount"]),
    ("KSV-0028", &["restricted-volume-types"]),
    ("KSV-0030", &["seccomp-profile"]),
    (
        "KSV-0041",
        &["access-to-secrets", "access-to-change-secrets"],
    ),
    ("KSV-0042", &["access-to-delete-logs"]),
    ("KSV-0043", &["access-to-impersonate"]),
    ("KSV-0044", &["everything-in-role"]),
    ("KSV-0045", &["wildcard-in-role"]),
    ("KSV-0046", &["wildcard-in-role"]),
    ("KSV-0047", &["access-to-node-proxy"]),
    ("KSV-0049", &["access-to-change-config-maps"]),
    ("KSV-0050", &["access-to-bind-escalate"]),
    ("KSV-0053", &["access-to-exec"]),
    ("KSV-0103", &["windows-host-process"]),
    ("KSV-0104", &["seccomp-profile"]),
    ("KSV-0105", &["run-as-root-user"]),
    ("KSV-0106", &["restricted-capabilities"]),
    ("KSV-0111", &["cluster-admin-binding"]),
    (
        "KSV-0113",
        &["access-to-secrets", "access-to-change-secrets"],
    ),
    ("KSV-0114", &["access-to-webhook-configurations"]),
    ("KSV-0122", &["anonymous-access"]),
];

/// Deliberate differences: check, case (or `*`), reason.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    (
        "KCV-0077",
        "test_validate_kublet_config_yaml_permission_lower_600",
        "mode 500 lets the file be executed; they compare modes as numbers, we compare bits",
    ),
    (
        "KSV-0041",
        "test_manage_secret_verb_impersonate",
        IMPERSONATE,
    ),
    (
        "KSV-0050",
        "test_manage_K8s_RBAC_resources_impersonate",
        IMPERSONATE,
    ),
    (
        "KSV-0113",
        "test_manage_secret_verb_impersonate",
        IMPERSONATE,
    ),
    (
        "KSV-0114",
        "test_manageWebhookConfig_verb_impersonate",
        IMPERSONATE,
    ),
    (
        "KSV-0122",
        "test_cluster_role_binding_with_anonymous_user_binding",
        "the API server knows no kind ClusterRolebinding",
    ),
    (
        "KSV-0106",
        "test_drop_all_add_net_bind_service_allowed",
        "the admission plugin knows ALL in capitals only and refuses [all]",
    ),
    (
        "KSV-0022",
        "test_capabilities_add_denied",
        "NET_BIND_SERVICE is granted by default and allowed by both standards",
    ),
    (
        "KSV-0030",
        "test_pod_context_runtime_default_is_overrided_allowed",
        UNCONFINED_POD,
    ),
    ("KSV-0030", "test_annotation_allowed", ANNOTATION),
    (
        "KSV-0104",
        "test_deployment_override_seccomp_profile_unconfined_allowed",
        UNCONFINED_POD,
    ),
    (
        "KSV-0104",
        "test_pod_annotations_seccomp_profile_unconfined_allowed",
        ANNOTATION,
    ),
];

const IMPERSONATE: &str = "impersonate means something on users, groups and service accounts only";
const UNCONFINED_POD: &str =
    "the Pod Security Standards refuse Unconfined on a pod even when each container overrides it";
const ANNOTATION: &str = "seccomp annotations do nothing since Kubernetes 1.27";

#[test]
fn trivy() {
    let Some(root) = data() else { return };
    let text = std::fs::read_to_string(root.join("trivy-checks/kubernetes_cases.json")).unwrap();
    let suite: Value = serde_json::from_str(&text).unwrap();
    let mut tally = Tally::default();
    let (mut covered, mut all) = (0, 0);
    for check in suite.as_array().unwrap() {
        let cases = check["cases"].as_array().unwrap();
        if cases.is_empty() {
            continue;
        }
        all += 1;
        let id = check["id"].as_str().unwrap();
        let Some((_, ids)) = CHECKS.iter().find(|(check, _)| *check == id) else {
            continue;
        };
        if ids.is_empty() {
            continue;
        }
        covered += 1;
        for case in cases {
            let title = case["name"].as_str().unwrap();
            let objects = read(vec![(title.to_owned(), case["input"].to_string())]).objects;
            let found = findings(&objects, ids, Settings::default());
            let count = case["count"][1].as_u64().unwrap();
            let fails = match case["count"][0].as_str().unwrap() {
                "==" => count > 0,
                ">" | ">=" => true,
                other => panic!("unknown operator {other}"),
            };
            let reason = DIFFERENCES
                .iter()
                .find(|(c, t, _)| *c == id && (*t == title || *t == "*"))
                .map(|(_, _, reason)| *reason);
            let detail = format!("want fail={fails}, found {found:?} in {}", case["input"]);
            tally.count(
                &format!("{id}/{title}"),
                found.is_empty() != fails,
                reason,
                &detail,
            );
        }
    }
    tally.finish("Trivy", &format!("{covered} of {all} checks with cases"));
}
