//! The baseline checks, sorted by id as upstream evaluates them.

use vedette_yaml::Node;

use super::{Found, Pod, Rule, containers, plural, quoted, seccomp, setters, sorted};
use crate::value;

/// Every version of every baseline check; versions of one check stand together, oldest first.
pub(super) const RULES: &[Rule] = &[
    rule("appArmorProfile", 0, app_armor),
    rule("capabilities_baseline", 0, capabilities),
    rule("hostNamespaces", 0, host_namespaces),
    rule("hostPathVolumes", 0, host_path_volumes),
    rule("hostPorts", 0, host_ports),
    rule("hostProbesAndHostLifecycle", 34, probe_hosts),
    rule("privileged", 0, privileged),
    rule("procMount", 0, proc_mount),
    // With a user namespace the masked files belong to nobody inside, so 1.35 lets it be.
    rule("procMount", 35, |pod| {
        if pod.user_namespace() {
            None
        } else {
            proc_mount(pod)
        }
    }),
    rule("seLinuxOptions", 0, |pod| selinux(pod, &SELINUX_TYPES[..4])),
    rule("seLinuxOptions", 31, |pod| selinux(pod, &SELINUX_TYPES)),
    rule("seccompProfile_baseline", 0, seccomp::annotations),
    rule("seccompProfile_baseline", 19, seccomp::fields),
    rule("sysctls", 0, |pod| sysctls(pod, 5)),
    rule("sysctls", 27, |pod| sysctls(pod, 6)),
    rule("sysctls", 29, |pod| sysctls(pod, 10)),
    rule("sysctls", 32, |pod| sysctls(pod, 12)),
    rule("sysctls", 37, |pod| sysctls(pod, 14)),
    rule("windowsHostProcess", 0, windows_host_process),
];

const fn rule(id: &'static str, since: u32, run: fn(&Pod<'_>) -> Found) -> Rule {
    Rule { id, since, run }
}

/// Capabilities that may be added: what container runtimes grant by default, less `NET_RAW`.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// SELinux types that may be set; the last one since v1.31.
const SELINUX_TYPES: [&str; 5] = [
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
];

/// Sysctls that may be set, in the order in which versions allowed them: 5 in v1.0, 6 in v1.27, 10 in v1.29,
/// 12 in v1.32, 14 in v1.37.
const SYSCTLS: [&str; 14] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_notsent_lowat",
];

/// Prefix of the annotations that set AppArmor profiles before there were fields.
pub(super) const APP_ARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

fn app_armor(pod: &Pod<'_>) -> Found {
    let bad = |profile: &Node| {
        let kind = value::text(profile, &["type"]).unwrap_or_default();
        (!matches!(kind, "RuntimeDefault" | "Localhost")).then_some(kind.to_owned())
    };
    let mut values = Vec::new();
    let mut fields = Vec::new();
    let on_pod = pod.security(&["appArmorProfile"]).and_then(bad);
    if let Some(kind) = &on_pod {
        values.push(kind.clone());
        fields.push(format!("{}.securityContext.appArmorProfile.type", pod.path));
    }
    let mut names = Vec::new();
    for container in pod.containers() {
        if let Some(kind) = container.security(&["appArmorProfile"]).and_then(bad) {
            names.push(container.name());
            values.push(kind);
            fields.push(format!(
                "{}.securityContext.appArmorProfile.type",
                container.path(pod)
            ));
        }
    }
    values.sort_unstable();
    values.dedup();
    let mut who: Vec<String> = Some(setters(on_pod.is_some(), &names))
        .into_iter()
        .filter(|who| !who.is_empty())
        .collect();
    let mut annotations = Vec::new();
    for (key, profile) in pod.annotations() {
        let fine =
            profile.is_empty() || profile == "runtime/default" || profile.starts_with("localhost/");
        if key.starts_with(APP_ARMOR_ANNOTATION) && !fine {
            annotations.push(format!("{key}={profile:?}"));
            fields.push(format!("{}.annotations[{key}]", pod.metadata_path));
        }
    }
    if !annotations.is_empty() {
        annotations.sort_unstable();
        who.push(plural("annotation", "annotations", annotations.len()).to_owned());
        values.extend(annotations);
    }
    (!who.is_empty()).then(|| {
        (
            plural(
                "forbidden AppArmor profile",
                "forbidden AppArmor profiles",
                values.len(),
            )
            .to_owned(),
            format!(
                "{} must not set AppArmor profile type to {}",
                who.join(" and "),
                quoted(&values)
            ),
            fields,
        )
    })
}

fn capabilities(pod: &Pod<'_>) -> Found {
    let (mut names, mut added, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    for container in pod.containers() {
        let Some(capabilities) = container.security(&["capabilities"]) else {
            continue;
        };
        let before = added.len();
        for (index, item) in value::list(capabilities, &["add"]).iter().enumerate() {
            let name = item.as_str().unwrap_or_default();
            if !CAPABILITIES.contains(&name) {
                added.push(name);
                fields.push(format!(
                    "{}.securityContext.capabilities.add[{index}]",
                    container.path(pod)
                ));
            }
        }
        if added.len() > before {
            names.push(container.name());
        }
    }
    (!names.is_empty()).then(|| {
        (
            "non-default capabilities".to_owned(),
            format!(
                "{} must not include {} in securityContext.capabilities.add",
                containers(&names),
                quoted(&sorted(added))
            ),
            fields,
        )
    })
}

fn host_namespaces(pod: &Pod<'_>) -> Found {
    let set: Vec<&str> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|key| value::flag(pod.spec, &[key]) == Some(true))
        .collect();
    (!set.is_empty()).then(|| {
        let shown: Vec<String> = set.iter().map(|key| format!("{key}=true")).collect();
        let fields = set
            .iter()
            .map(|key| format!("{}.{key}", pod.path))
            .collect();
        ("host namespaces".to_owned(), shown.join(", "), fields)
    })
}

fn host_path_volumes(pod: &Pod<'_>) -> Found {
    let (mut names, mut fields) = (Vec::new(), Vec::new());
    for (index, volume) in value::list(pod.spec, &["volumes"]).iter().enumerate() {
        if value::field(volume, "hostPath").is_some() {
            names.push(value::text(volume, &["name"]).unwrap_or_default());
            fields.push(format!("{}.volumes[{index}].hostPath", pod.path));
        }
    }
    (!names.is_empty()).then(|| {
        (
            "hostPath volumes".to_owned(),
            format!(
                "{} {}",
                plural("volume", "volumes", names.len()),
                quoted(&names)
            ),
            fields,
        )
    })
}

fn host_ports(pod: &Pod<'_>) -> Found {
    let (mut names, mut ports, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    for container in pod.containers() {
        let before = ports.len();
        for (index, port) in value::list(container.node, &["ports"]).iter().enumerate() {
            let host = value::int(port, &["hostPort"]).unwrap_or_default();
            if host != 0 {
                ports.push(host.to_string());
                fields.push(format!("{}.ports[{index}].hostPort", container.path(pod)));
            }
        }
        if ports.len() > before {
            names.push(container.name());
        }
    }
    (!names.is_empty()).then(|| {
        let ports = sorted(ports.iter().map(String::as_str).collect());
        (
            "hostPort".to_owned(),
            format!(
                "{} {} {} {}",
                containers(&names),
                plural("uses", "use", names.len()),
                plural("hostPort", "hostPorts", ports.len()),
                ports.join(", ")
            ),
            fields,
        )
    })
}

/// The handlers that may name a host, as paths under a container.
const HANDLERS: [&[&str]; 5] = [
    &["livenessProbe"],
    &["readinessProbe"],
    &["startupProbe"],
    &["lifecycle", "postStart"],
    &["lifecycle", "preStop"],
];

fn probe_hosts(pod: &Pod<'_>) -> Found {
    let (mut names, mut hosts, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    for container in pod.containers() {
        let before = hosts.len();
        for handler in HANDLERS {
            let Some(node) = value::at(container.node, handler) else {
                continue;
            };
            for action in ["httpGet", "tcpSocket"] {
                let host = value::text(node, &[action, "host"]).unwrap_or_default();
                if !host.is_empty() {
                    hosts.push(host);
                    fields.push(format!(
                        "{}.{}.{action}.host",
                        container.path(pod),
                        handler.join(".")
                    ));
                }
            }
        }
        if hosts.len() > before {
            names.push(container.name());
        }
    }
    (!names.is_empty()).then(|| {
        let hosts = sorted(hosts);
        (
            "probe or lifecycle host".to_owned(),
            format!(
                "{} {} probe or lifecycle {} {}",
                containers(&names),
                plural("uses", "use", names.len()),
                plural("host", "hosts", hosts.len()),
                quoted(&hosts)
            ),
            fields,
        )
    })
}

fn privileged(pod: &Pod<'_>) -> Found {
    let (mut names, mut fields) = (Vec::new(), Vec::new());
    for container in pod.containers() {
        if container.security(&["privileged"]).and_then(value::truth) == Some(true) {
            names.push(container.name());
            fields.push(format!(
                "{}.securityContext.privileged",
                container.path(pod)
            ));
        }
    }
    (!names.is_empty()).then(|| {
        (
            "privileged".to_owned(),
            format!(
                "{} must not set securityContext.privileged=true",
                containers(&names)
            ),
            fields,
        )
    })
}

pub(super) fn proc_mount(pod: &Pod<'_>) -> Found {
    let (mut names, mut kinds, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    for container in pod.containers() {
        let kind = container.security(&["procMount"]).and_then(Node::as_str);
        if let Some(kind) = kind.filter(|kind| *kind != "Default") {
            names.push(container.name());
            kinds.push(kind);
            fields.push(format!("{}.securityContext.procMount", container.path(pod)));
        }
    }
    (!names.is_empty()).then(|| {
        (
            "procMount".to_owned(),
            format!(
                "{} must not set securityContext.procMount to {}",
                containers(&names),
                quoted(&sorted(kinds))
            ),
            fields,
        )
    })
}

fn selinux(pod: &Pod<'_>, allowed: &[&str]) -> Found {
    let (mut types, mut user, mut role) = (Vec::new(), false, false);
    let mut fields = Vec::new();
    let mut bad = |options: &Node, path: String| {
        let mut found = false;
        let mut set = |key: &str| {
            found = true;
            fields.push(format!("{path}.securityContext.seLinuxOptions.{key}"));
        };
        let kind = value::text(options, &["type"]).unwrap_or_default();
        if !allowed.contains(&kind) {
            types.push(kind.to_owned());
            set("type");
        }
        for (key, seen) in [("user", &mut user), ("role", &mut role)] {
            if value::text(options, &[key]).is_some_and(|text| !text.is_empty()) {
                *seen = true;
                set(key);
            }
        }
        found
    };
    let on_pod = pod
        .security(&["seLinuxOptions"])
        .is_some_and(|options| bad(options, pod.path.clone()));
    let mut names = Vec::new();
    for container in pod.containers() {
        if container
            .security(&["seLinuxOptions"])
            .is_some_and(|options| bad(options, container.path(pod)))
        {
            names.push(container.name());
        }
    }
    (on_pod || !names.is_empty()).then(|| {
        let types = sorted(types.iter().map(String::as_str).collect());
        let mut data = Vec::new();
        if !types.is_empty() {
            data.push(format!(
                "{} {}",
                plural("type", "types", types.len()),
                quoted(&types)
            ));
        }
        if user {
            data.push("user may not be set".to_owned());
        }
        if role {
            data.push("role may not be set".to_owned());
        }
        (
            "seLinuxOptions".to_owned(),
            format!(
                "{} set forbidden securityContext.seLinuxOptions: {}",
                setters(on_pod, &names),
                data.join("; ")
            ),
            fields,
        )
    })
}

fn sysctls(pod: &Pod<'_>, allowed: usize) -> Found {
    let (mut names, mut fields) = (Vec::new(), Vec::new());
    let set = pod
        .security(&["sysctls"])
        .and_then(Node::as_seq)
        .unwrap_or_default();
    for (index, sysctl) in set.iter().enumerate() {
        let name = value::text(sysctl, &["name"]).unwrap_or_default();
        if !SYSCTLS[..allowed].contains(&name) {
            names.push(name);
            fields.push(format!(
                "{}.securityContext.sysctls[{index}].name",
                pod.path
            ));
        }
    }
    (!names.is_empty()).then(|| ("forbidden sysctls".to_owned(), names.join(", "), fields))
}

fn windows_host_process(pod: &Pod<'_>) -> Found {
    const FIELD: [&str; 2] = ["windowsOptions", "hostProcess"];
    let set = |node: Option<&Node>| node.and_then(value::truth) == Some(true);
    let on_pod = set(pod.security(&FIELD));
    let mut fields = Vec::new();
    if on_pod {
        fields.push(format!(
            "{}.securityContext.windowsOptions.hostProcess",
            pod.path
        ));
    }
    let mut names = Vec::new();
    for container in pod.containers() {
        if set(container.security(&FIELD)) {
            names.push(container.name());
            fields.push(format!(
                "{}.securityContext.windowsOptions.hostProcess",
                container.path(pod)
            ));
        }
    }
    (on_pod || !names.is_empty()).then(|| {
        (
            "hostProcess".to_owned(),
            format!(
                "{} must not set securityContext.windowsOptions.hostProcess=true",
                setters(on_pod, &names)
            ),
            fields,
        )
    })
}
