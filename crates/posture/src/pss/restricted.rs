//! The checks that the restricted level adds, sorted by id, and the baseline checks that they replace.

use super::{Found, Pod, Rule, baseline, containers, plural, quoted, seccomp, setters, sorted};
use crate::value;

/// Every version of every restricted check; versions of one check stand together, oldest first.
pub(super) const RULES: &[Rule] = &[
    rule("allowPrivilegeEscalation", 8, privilege_escalation),
    rule("allowPrivilegeEscalation", 25, |pod| {
        linux_only(pod, privilege_escalation)
    }),
    rule("capabilities_restricted", 22, capabilities),
    rule("capabilities_restricted", 25, |pod| {
        linux_only(pod, capabilities)
    }),
    rule("procMount_restricted", 35, baseline::proc_mount),
    rule("restrictedVolumes", 0, volumes),
    rule("runAsNonRoot", 0, run_as_non_root),
    rule("runAsNonRoot", 35, |pod| {
        unless_user_namespace(pod, run_as_non_root)
    }),
    rule("runAsUser", 23, run_as_user),
    rule("runAsUser", 35, |pod| {
        unless_user_namespace(pod, run_as_user)
    }),
    rule("seccompProfile_restricted", 19, seccomp_profile),
    rule("seccompProfile_restricted", 25, |pod| {
        linux_only(pod, seccomp_profile)
    }),
];

/// Baseline checks that a restricted check replaces, with the first version that does so.
pub(super) const OVERRIDES: &[(u32, &str)] = &[
    (0, "hostPathVolumes"),
    (19, "seccompProfile_baseline"),
    (22, "capabilities_baseline"),
    (35, "procMount"),
];

const fn rule(id: &'static str, since: u32, run: fn(&Pod<'_>) -> Found) -> Rule {
    Rule { id, since, run }
}

/// Since v1.25 pods that say `os: windows` are not asked for what Windows does not have.
fn linux_only(pod: &Pod<'_>, check: fn(&Pod<'_>) -> Found) -> Found {
    if pod.windows() { None } else { check(pod) }
}

/// Since v1.35 root inside a user namespace is accepted.
fn unless_user_namespace(pod: &Pod<'_>, check: fn(&Pod<'_>) -> Found) -> Found {
    if pod.user_namespace() {
        None
    } else {
        check(pod)
    }
}

fn privilege_escalation(pod: &Pod<'_>) -> Found {
    let (mut names, mut fields) = (Vec::new(), Vec::new());
    for container in pod.containers() {
        let allowed = container
            .security(&["allowPrivilegeEscalation"])
            .and_then(value::truth);
        if allowed != Some(false) {
            names.push(container.name());
            fields.push(format!(
                "{}.securityContext.allowPrivilegeEscalation",
                container.path(pod)
            ));
        }
    }
    (!names.is_empty()).then(|| {
        (
            "allowPrivilegeEscalation != false".to_owned(),
            format!(
                "{} must set securityContext.allowPrivilegeEscalation=false",
                containers(&names)
            ),
            fields,
        )
    })
}

fn capabilities(pod: &Pod<'_>) -> Found {
    let (mut keeping, mut adding, mut added) = (Vec::new(), Vec::new(), Vec::new());
    let mut fields = Vec::new();
    for container in pod.containers() {
        let path = format!("{}.securityContext.capabilities", container.path(pod));
        let capabilities = container.security(&["capabilities"]);
        let drops_all = capabilities
            .is_some_and(|set| value::texts(set, &["drop"]).any(|capability| capability == "ALL"));
        if !drops_all {
            keeping.push(container.name());
            fields.push(format!("{path}.drop"));
        }
        let Some(capabilities) = capabilities else {
            continue;
        };
        let before = added.len();
        for (index, item) in value::list(capabilities, &["add"]).iter().enumerate() {
            let name = item.as_str().unwrap_or_default();
            if name != "NET_BIND_SERVICE" {
                added.push(name);
                fields.push(format!("{path}.add[{index}]"));
            }
        }
        if added.len() > before {
            adding.push(container.name());
        }
    }
    let mut details = Vec::new();
    if !keeping.is_empty() {
        details.push(format!(
            "{} must set securityContext.capabilities.drop=[\"ALL\"]",
            containers(&keeping)
        ));
    }
    if !adding.is_empty() {
        details.push(format!(
            "{} must not include {} in securityContext.capabilities.add",
            containers(&adding),
            quoted(&sorted(added))
        ));
    }
    (!details.is_empty()).then(|| {
        (
            "unrestricted capabilities".to_owned(),
            details.join("; "),
            fields,
        )
    })
}

/// Volume sources that restricted pods may use.
const ALLOWED_VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// Volume sources that the Kubernetes API knows and restricted pods may not use, in upstream's order.
const OTHER_VOLUMES: [&str; 20] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
];

fn volumes(pod: &Pod<'_>) -> Found {
    let (mut names, mut kinds, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    for (index, volume) in value::list(pod.spec, &["volumes"]).iter().enumerate() {
        let has = |kind: &&str| value::field(volume, kind).is_some();
        if ALLOWED_VOLUMES.iter().any(has) {
            continue;
        }
        let others = volume.as_map().unwrap_or_default();
        let kind = match OTHER_VOLUMES.into_iter().find(|kind| has(kind)) {
            Some(kind) => kind,
            // The API server makes an emptyDir of a volume that has nothing but a name.
            None if others
                .iter()
                .all(|(key, value)| key.as_str() == Some("name") || value.is_null()) =>
            {
                continue;
            }
            None => "unknown",
        };
        names.push(value::text(volume, &["name"]).unwrap_or_default());
        kinds.push(kind);
        fields.push(format!("{}.volumes[{index}].{kind}", pod.path));
    }
    (!names.is_empty()).then(|| {
        let kinds = sorted(kinds);
        (
            "restricted volume types".to_owned(),
            format!(
                "{} {} {} restricted volume {} {}",
                plural("volume", "volumes", names.len()),
                quoted(&names),
                plural("uses", "use", names.len()),
                plural("type", "types", kinds.len()),
                quoted(&kinds)
            ),
            fields,
        )
    })
}

fn run_as_non_root(pod: &Pod<'_>) -> Found {
    let on_pod = pod.security(&["runAsNonRoot"]).and_then(value::truth);
    let pod_field = format!("{}.securityContext.runAsNonRoot", pod.path);
    let (mut explicit, mut implicit) = (Vec::new(), Vec::new());
    let (mut explicit_fields, mut implicit_fields) = (Vec::new(), Vec::new());
    if on_pod == Some(false) {
        explicit_fields.push(pod_field);
    }
    for container in pod.containers() {
        let field = format!("{}.securityContext.runAsNonRoot", container.path(pod));
        match container.security(&["runAsNonRoot"]).and_then(value::truth) {
            Some(true) => {}
            Some(false) => {
                explicit.push(container.name());
                explicit_fields.push(field);
            }
            None if on_pod != Some(true) => {
                implicit.push(container.name());
                implicit_fields.push(field);
            }
            None => {}
        }
    }
    let reason = "runAsNonRoot != true".to_owned();
    if on_pod == Some(false) || !explicit.is_empty() {
        let detail = format!(
            "{} must not set securityContext.runAsNonRoot=false",
            setters(on_pod == Some(false), &explicit)
        );
        return Some((reason, detail, explicit_fields));
    }
    (!implicit.is_empty()).then(|| {
        (
            reason,
            format!(
                "pod or {} must set securityContext.runAsNonRoot=true",
                containers(&implicit)
            ),
            implicit_fields,
        )
    })
}

fn run_as_user(pod: &Pod<'_>) -> Found {
    let root = |node: Option<&vedette_yaml::Node>| node.and_then(value::number) == Some(0);
    let on_pod = root(pod.security(&["runAsUser"]));
    let mut fields = Vec::new();
    if on_pod {
        fields.push(format!("{}.securityContext.runAsUser", pod.path));
    }
    let mut names = Vec::new();
    for container in pod.containers() {
        if root(container.security(&["runAsUser"])) {
            names.push(container.name());
            fields.push(format!("{}.securityContext.runAsUser", container.path(pod)));
        }
    }
    (on_pod || !names.is_empty()).then(|| {
        (
            "runAsUser=0".to_owned(),
            format!("{} must not set runAsUser=0", setters(on_pod, &names)),
            fields,
        )
    })
}

fn seccomp_profile(pod: &Pod<'_>) -> Found {
    let found = seccomp::read(pod);
    if found.violation.is_some() {
        return found.violation;
    }
    if found.pod_set || found.unset.is_empty() {
        return None;
    }
    let (names, fields): (Vec<&str>, Vec<String>) = found.unset.into_iter().unzip();
    Some((
        "seccompProfile".to_owned(),
        format!(
            "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
            containers(&names)
        ),
        fields,
    ))
}
