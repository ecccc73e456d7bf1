//! What pods say about seccomp, by annotation (up to v1.18) and by field; shared by both levels.

use vedette_yaml::Node;

use super::{Found, Pod, plural, quoted, setters, sorted};
use crate::value;

const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

pub(super) fn annotations(pod: &Pod<'_>) -> Found {
    let mut keys = vec![SECCOMP_POD.to_owned()];
    keys.extend(
        pod.containers()
            .map(|container| format!("{SECCOMP_CONTAINER}{}", container.name())),
    );
    let (mut bad, mut fields) = (Vec::new(), Vec::new());
    for key in keys {
        let Some(profile) = pod.annotation(&key) else {
            continue;
        };
        let fine = matches!(profile, "runtime/default" | "docker/default")
            || profile.starts_with("localhost/");
        if !fine {
            bad.push(format!("{key}={profile:?}"));
            fields.push(format!("{}.annotations[{key}]", pod.metadata_path));
        }
    }
    (!bad.is_empty()).then(|| {
        let bad = sorted(bad.iter().map(String::as_str).collect());
        (
            "seccompProfile".to_owned(),
            format!(
                "forbidden {} {}",
                plural("annotation", "annotations", bad.len()),
                bad.join(", ")
            ),
            fields,
        )
    })
}

/// What the fields of a pod say about seccomp, shared by both levels.
pub(super) struct Seccomp<'a> {
    pub(super) pod_set: bool,
    pub(super) unset: Vec<(&'a str, String)>,
    pub(super) violation: Found,
}

pub(super) fn read<'a>(pod: &Pod<'a>) -> Seccomp<'a> {
    let kind_of = |profile: &'a Node| value::text(profile, &["type"]).unwrap_or_default();
    let good = |kind: &str| matches!(kind, "RuntimeDefault" | "Localhost");
    let (mut kinds, mut names, mut fields, mut unset) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let on_pod = pod.security(&["seccompProfile"]).map(kind_of);
    let pod_bad = on_pod.is_some_and(|kind| !good(kind));
    if let Some(kind) = on_pod.filter(|_| pod_bad) {
        kinds.push(kind);
        fields.push(format!("{}.securityContext.seccompProfile.type", pod.path));
    }
    for container in pod.containers() {
        let path = format!(
            "{}.securityContext.seccompProfile.type",
            container.path(pod)
        );
        match container.security(&["seccompProfile"]).map(kind_of) {
            None => unset.push((container.name(), path)),
            Some(kind) if good(kind) => {}
            Some(kind) => {
                names.push(container.name());
                kinds.push(kind);
                fields.push(path);
            }
        }
    }
    let violation = (pod_bad || !names.is_empty()).then(|| {
        (
            "seccompProfile".to_owned(),
            format!(
                "{} must not set securityContext.seccompProfile.type to {}",
                setters(pod_bad, &names),
                quoted(&sorted(kinds))
            ),
            fields,
        )
    });
    Seccomp {
        pod_set: on_pod.is_some_and(good),
        unset,
        violation,
    }
}

pub(super) fn fields(pod: &Pod<'_>) -> Found {
    read(pod).violation
}
