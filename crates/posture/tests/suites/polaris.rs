//! Polaris: a file's name says whether its check fails; `mutated*` files are their fixes and must pass.

use vedette_posture::input::Settings;

use crate::{Tally, data, findings, read};

/// Which of our checks judge what a check of theirs judges.
const CHECKS: &[(&str, &[&str])] = &[
    ("automountServiceAccountToken", &["service-account-token"]),
    ("clusterrolePodExecAttach", &["access-to-exec"]),
    ("clusterrolebindingClusterAdmin", &["cluster-admin-binding"]),
    ("cpuLimitsMissing", &["cpu-limit"]),
    ("cpuRequestsMissing", &["cpu-request"]),
    ("dangerousCapabilities", &["added-capabilities"]),
    ("hostIPCSet", &["host-ipc"]),
    ("hostNetworkSet", &["host-network"]),
    ("hostPIDSet", &["host-pid"]),
    ("hostPathSet", &["host-path-volume"]),
    ("hostPortSet", &["host-port"]),
    ("hostProcess", &["windows-host-process"]),
    ("livenessProbeMissing", &["liveness-probe"]),
    ("memoryLimitsMissing", &["memory-limit"]),
    ("memoryRequestsMissing", &["memory-request"]),
    ("notReadOnlyRootFilesystem", &["read-only-root-filesystem"]),
    ("privilegeEscalationAllowed", &["privilege-escalation"]),
    ("procMount", &["proc-mount"]),
    ("pullPolicyNotAlways", &["image-pull-policy"]),
    ("readinessProbeMissing", &["readiness-probe"]),
    ("rolePodExecAttach", &["access-to-exec"]),
    (
        "rolebindingClusterAdminClusterRole",
        &["cluster-admin-binding"],
    ),
    ("rolebindingClusterAdminRole", &["cluster-admin-binding"]),
    ("runAsPrivileged", &["privileged-container"]),
    ("runAsRootAllowed", &["run-as-non-root"]),
    ("tagNotSpecified", &["image-tag"]),
    ("tlsSettingsMissing", &["ingress-tls"]),
];

/// Deliberate differences: check, file (or `*`), reason.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("pullPolicyNotAlways", "failure.cron-job.yaml", MOVING),
    ("pullPolicyNotAlways", "failure.yaml", MOVING),
];

const MOVING: &str = "the API server sets Always for an image without a tag";

#[test]
fn polaris() {
    let Some(root) = data() else { return };
    let root = root.join("polaris/test/checks");
    let mut tally = Tally::default();
    let all = std::fs::read_dir(&root).unwrap().count();
    for (check, ids) in CHECKS {
        let Ok(files) = std::fs::read_dir(root.join(check)) else {
            continue;
        };
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        for path in files {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let fails = name.starts_with("failure");
            if !fails && !name.starts_with("success") && !name.starts_with("mutated") {
                continue;
            }
            let objects = read(vec![(
                name.clone(),
                std::fs::read_to_string(&path).unwrap(),
            )])
            .objects;
            let found = findings(&objects, ids, Settings::default());
            let reason = DIFFERENCES
                .iter()
                .find(|(c, f, _)| c == check && (*f == name || *f == "*"))
                .map(|(_, _, reason)| *reason);
            tally.count(
                &format!("{check}/{name}"),
                found.is_empty() != fails,
                reason,
                &format!("want fail={fails}, found {found:?}"),
            );
        }
    }
    tally.finish("Polaris", &format!("{} of {all} checks", CHECKS.len()));
}
