//! Built-in checks that CEL can express, for export as admission policies.
//!
//! A test runs each expression over the markdown cases of its check and compares the verdicts.

use super::{UserCheck, Validation, Variable};
use crate::checks::by_id;

/// Kinds that are or make pods.
const KINDS: [&str; 8] = [
    "Pod",
    "ReplicationController",
    "DaemonSet",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "CronJob",
    "Job",
];

const POD: &str = "object.kind == 'Pod' ? object.spec : (object.kind == 'CronJob' ? object.spec.jobTemplate.spec.template.spec : object.spec.template.spec)";

const CONTAINERS: &str = "variables.pod.containers + (has(variables.pod.initContainers) ? variables.pod.initContainers : []) + (has(variables.pod.ephemeralContainers) ? variables.pod.ephemeralContainers : [])";

/// Check and the expression over `variables.pod` and `variables.containers` that is true when it passes.
const EXPRESSIONS: &[(&str, &str)] = &[
    (
        "added-capabilities",
        "variables.containers.all(c, !has(c.securityContext) || !has(c.securityContext.capabilities) || !has(c.securityContext.capabilities.add) || c.securityContext.capabilities.add.all(a, a in ['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT']))",
    ),
    (
        "cpu-limit",
        "variables.containers.all(c, has(c.resources) && has(c.resources.limits) && has(c.resources.limits.cpu))",
    ),
    (
        "default-service-account-used",
        "(has(variables.pod.serviceAccountName) && variables.pod.serviceAccountName != 'default') || (has(variables.pod.automountServiceAccountToken) && variables.pod.automountServiceAccountToken == false)",
    ),
    (
        "host-ipc",
        "!has(variables.pod.hostIPC) || variables.pod.hostIPC == false",
    ),
    (
        "host-network",
        "!has(variables.pod.hostNetwork) || variables.pod.hostNetwork == false",
    ),
    (
        "host-path-volume",
        "!has(variables.pod.volumes) || variables.pod.volumes.all(v, !has(v.hostPath))",
    ),
    (
        "host-pid",
        "!has(variables.pod.hostPID) || variables.pod.hostPID == false",
    ),
    (
        "host-port",
        "variables.containers.all(c, !has(c.ports) || c.ports.all(p, !has(p.hostPort) || p.hostPort == 0))",
    ),
    (
        "memory-limit",
        "variables.containers.all(c, has(c.resources) && has(c.resources.limits) && has(c.resources.limits.memory))",
    ),
    (
        "privilege-escalation",
        "(has(variables.pod.os) && variables.pod.os.name == 'windows') || variables.containers.all(c, has(c.securityContext) && has(c.securityContext.allowPrivilegeEscalation) && c.securityContext.allowPrivilegeEscalation == false)",
    ),
    (
        "privileged-container",
        "variables.containers.all(c, !has(c.securityContext) || !has(c.securityContext.privileged) || c.securityContext.privileged == false)",
    ),
    (
        "proc-mount",
        "variables.containers.all(c, !has(c.securityContext) || !has(c.securityContext.procMount) || c.securityContext.procMount == 'Default')",
    ),
    (
        "read-only-root-filesystem",
        "variables.containers.all(c, has(c.securityContext) && has(c.securityContext.readOnlyRootFilesystem) && c.securityContext.readOnlyRootFilesystem == true)",
    ),
    (
        "secret-in-environment",
        "variables.containers.all(c, (!has(c.env) || c.env.all(e, !has(e.valueFrom) || !has(e.valueFrom.secretKeyRef))) && (!has(c.envFrom) || c.envFrom.all(e, !has(e.secretRef))))",
    ),
    (
        "sys-admin-capability",
        "variables.containers.all(c, !has(c.securityContext) || !has(c.securityContext.capabilities) || !has(c.securityContext.capabilities.add) || c.securityContext.capabilities.add.all(a, !(a in ['SYS_ADMIN', 'CAP_SYS_ADMIN', 'ALL'])))",
    ),
];

/// Ids of the checks that can be exported.
pub fn exportable() -> impl Iterator<Item = &'static str> {
    EXPRESSIONS.iter().map(|(id, _)| *id)
}

/// A built-in check as one in CEL; `None` when it cannot be expressed (it looks at other objects, or at more
/// than one policy sees).
pub fn as_cel(id: &str) -> Option<UserCheck> {
    let (id, expression) = EXPRESSIONS.iter().find(|(known, _)| *known == id)?;
    let check = by_id(id)?;
    let docs = check.docs();
    let variable = |name: &str, expression: &str| Variable {
        name: name.to_owned(),
        expression: expression.to_owned(),
    };
    Some(UserCheck {
        id: format!("vedette-{id}"),
        title: docs.title.clone(),
        severity: check.severity.as_str().to_owned(),
        kinds: KINDS.iter().map(|kind| (*kind).to_owned()).collect(),
        conditions: Vec::new(),
        variables: vec![variable("pod", POD), variable("containers", CONTAINERS)],
        validations: vec![Validation {
            expression: (*expression).to_owned(),
            message: docs.ensures.replace('\n', " "),
            path: String::new(),
        }],
        tests: Vec::new(),
    })
}
