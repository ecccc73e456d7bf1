//! Pods as the container runtime's interface for Kubernetes (CRI v1) has them: what a kubelet would send for each.
//!
//! Numbers of fields are those of `runtime/v1/api.proto` in kubernetes/cri-api.

use crate::message::Message;
use crate::pod::{Capabilities, Pod, Security};
use crate::spec::{GIVEN_UP, MASKED, MEMORY, PERIOD, QUOTA, READ_ONLY, SHARES};

/// `NamespaceMode`: the container's own, and the node's. The pod's is the default.
const CONTAINER: u64 = 1;
const NODE: u64 = 2;
/// Where the node has what is prepared for pods.
pub(crate) const PODS: &str = "/run/range/pods";

/// The `PodSandboxConfig` of a pod in a lab.
pub(crate) fn pod(pod: &Pod, uid: &str, lab: &str) -> Message {
    let metadata = Message::default()
        .text(1, pod.pod)
        .text(2, uid)
        .text(3, pod.namespace);
    let mut security = Message::default()
        .message(1, &namespaces(pod))
        .number(6, u64::from(pod.security == Security::Privileged));
    if pod.security == Security::Restricted {
        security = security.message(9, &runtime_default());
    }
    let linux = Message::default()
        .text(1, &format!("/{lab}/kubepods/burstable/pod{uid}"))
        .message(2, &security);
    let mut out = Message::default().message(1, &metadata).text(2, pod.pod);
    let [_, of_pod @ ..] = labels(pod, uid);
    for (key, value) in [("app", pod.name)].into_iter().chain(of_pod) {
        out = entry(out, 6, key, value);
    }
    out.message(8, &linux)
}

/// The `ContainerConfig` of its one container. The files that are mounted are in the node's directory `directory`.
pub(crate) fn container(pod: &Pod, uid: &str, directory: &str) -> Message {
    let mut out = Message::default()
        .message(1, &Message::default().text(1, pod.name))
        .message(2, &Message::default().text(1, pod.image_name));
    let (program, arguments) = pod.args.split_first().unwrap_or((&"", &[]));
    out = out.text(3, program);
    for argument in arguments {
        out = out.text(4, argument);
    }
    out = out.text(5, pod.cwd);
    for pair in pod.env {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        out = entry(out, 6, name, value);
    }
    out = out.message(
        7,
        &mount("/etc/hosts", &format!("{directory}/hosts"), false),
    );
    if pod.token {
        let place = "/var/run/secrets/kubernetes.io/serviceaccount";
        out = out.message(7, &mount(place, &format!("{directory}/account"), true));
    }
    for (key, value) in labels(pod, uid) {
        out = entry(out, 9, key, value);
    }
    let resources = Message::default()
        .number(1, PERIOD)
        .number(2, QUOTA)
        .number(3, SHARES)
        .number(4, MEMORY);
    let linux = Message::default()
        .message(1, &resources)
        .message(2, &security(pod));
    out.message(15, &linux)
}

/// The `LinuxContainerSecurityContext`.
fn security(pod: &Pod) -> Message {
    let user = Message::default().number(1, u64::from(pod.user));
    // a privileged container gets every capability that the runtime has, whatever else is said
    let privileged = pod.security == Security::Privileged && pod.capabilities == Capabilities::All;
    let mut out = Message::default()
        .message(1, &capabilities(pod.capabilities))
        .number(2, u64::from(privileged))
        .message(3, &namespaces(pod))
        .message(5, &user)
        .number(7, u64::from(pod.read_only_root))
        .message(12, &user);
    if pod.security == Security::Restricted {
        out = out.number(11, 1).message(15, &runtime_default());
    }
    if pod.security != Security::Privileged {
        for path in MASKED {
            out = out.text(13, path);
        }
        for path in READ_ONLY {
            out = out.text(14, path);
        }
    }
    out
}

/// The `Capability` lists: what is added to the runtime's default, and what is dropped.
fn capabilities(which: Capabilities) -> Message {
    match which {
        Capabilities::None => Message::default().text(2, "ALL"),
        Capabilities::All => Message::default().text(1, "ALL"),
        // the default holds one that the node gave up, and the runtime would insist on it
        Capabilities::Default => GIVEN_UP
            .iter()
            .fold(Message::default(), |out, name| out.text(2, name)),
    }
}

/// The `NamespaceOption`: the pod's own network and IPC; processes are each container's, or the node's.
fn namespaces(pod: &Pod) -> Message {
    Message::default().number(2, if pod.host_pid { NODE } else { CONTAINER })
}

/// The `SecurityProfile` of the runtime's own filter of system calls, whose every field has its default.
fn runtime_default() -> Message {
    Message::default()
}

/// The kubelet's own labels; the first is of the container only.
fn labels<'a>(pod: &'a Pod, uid: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("io.kubernetes.container.name", pod.name),
        ("io.kubernetes.pod.name", pod.pod),
        ("io.kubernetes.pod.namespace", pod.namespace),
        ("io.kubernetes.pod.uid", uid),
    ]
}

fn mount(destination: &str, source: &str, read_only: bool) -> Message {
    Message::default()
        .text(1, destination)
        .text(2, source)
        .number(3, u64::from(read_only))
}

/// With an entry of a map of texts, or a `KeyValue`.
fn entry(message: Message, field: u64, key: &str, value: &str) -> Message {
    message.message(field, &Message::default().text(1, key).text(2, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::{Profile, pods};

    fn has(message: &Message, part: &Message) -> bool {
        let part = part.encoded();
        message
            .encoded()
            .windows(part.len())
            .any(|window| window == part)
    }

    #[test]
    fn profiles_differ_in_what_they_ask_for() {
        let config = |profile| container(&pods(profile)[0], "u", "/d");
        let (playground, restricted) = (config(Profile::Playground), config(Profile::Restricted));
        let node = Message::default().message(3, &Message::default().number(2, NODE));
        let own = Message::default().message(3, &Message::default().number(2, CONTAINER));
        assert!(has(&playground, &node) && !has(&playground, &own));
        assert!(has(&restricted, &own) && !has(&restricted, &node));
        let user = Message::default().message(5, &Message::default().number(1, 1000));
        assert!(!has(&playground, &user) && has(&restricted, &user));
        let nothing = Message::default().message(1, &Message::default().text(2, "ALL"));
        assert!(has(&restricted, &nothing) && !has(&playground, &nothing));
        let masked = Message::default().text(13, "/proc/kcore");
        assert!(has(&restricted, &masked) && !has(&playground, &masked));
    }

    #[test]
    fn a_pod_is_in_the_labs_control_group() {
        let config = pod(&pods(Profile::Playground)[0], "1b2c", "vedette-lab-1");
        let group = "/vedette-lab-1/kubepods/burstable/pod1b2c";
        let linux = Message::default().text(1, group);
        assert!(has(&config, &linux));
    }
}
