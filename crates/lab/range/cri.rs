//! The container runtime's interface for Kubernetes (CRI v1), as the kubelet and `crictl` call it.
//!
//! Numbers of fields are those of `runtime/v1/api.proto` in kubernetes/cri-api.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::message::Message;
use crate::{fields, grpc};

/// Where containerd listens.
pub(crate) const SOCKET: &str = "/run/containerd/containerd.sock";
/// How long the runtime may stay silent. Commands in containers run for as long as they want to; those of the lab are short.
const PATIENCE: Duration = Duration::from_mins(1);
/// `CONTAINER_RUNNING`.
const RUNNING: u64 = 1;

/// A container as lists show it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) pod: String,
    pub(crate) namespace: String,
    pub(crate) image: String,
}

/// What a command in a container printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) code: u64,
}

fn call(service: &str, method: &str, message: &Message) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(SOCKET)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let path = format!("/runtime.v1.{service}/{method}");
    grpc::call(&mut stream, &path, message.encoded())?
        .ok_or_else(|| io::Error::other(format!("the runtime refuses {method}")))
}

fn runtime(method: &str, message: &Message) -> io::Result<Vec<u8>> {
    call("RuntimeService", method, message)
}

/// Whether the runtime speaks this interface by now.
pub(crate) fn version() -> io::Result<String> {
    let answer = runtime("Version", &Message::default())?;
    Ok(format!(
        "{} {}",
        fields::text(&answer, 2),
        fields::text(&answer, 3)
    ))
}

/// Whether the runtime knows an image by now.
pub(crate) fn has_image(image: &str) -> io::Result<bool> {
    let spec = Message::default().text(1, image);
    let request = Message::default().message(1, &spec);
    let answer = call("ImageService", "ImageStatus", &request)?;
    Ok(!fields::bytes(&answer, 1).is_empty())
}

/// Starts a pod with no container yet, by its encoded `PodSandboxConfig`. Gives its id.
pub(crate) fn run_pod(config: &[u8]) -> io::Result<String> {
    let request = Message::default().bytes(1, config);
    Ok(fields::text(&runtime("RunPodSandbox", &request)?, 1))
}

/// Makes a container in a pod by its encoded `ContainerConfig`. Gives its id.
pub(crate) fn create(pod: &str, config: &[u8], of_pod: &[u8]) -> io::Result<String> {
    let request = Message::default()
        .text(1, pod)
        .bytes(2, config)
        .bytes(3, of_pod);
    Ok(fields::text(&runtime("CreateContainer", &request)?, 1))
}

/// Starts a container that was made.
pub(crate) fn start(container: &str) -> io::Result<()> {
    runtime("StartContainer", &Message::default().text(1, container)).map(drop)
}

/// What the runtime tells about a container besides what the interface says: JSON, with its OCI specification.
pub(crate) fn container_info(container: &str) -> io::Result<String> {
    info("ContainerStatus", container)
}

/// The same for a pod.
pub(crate) fn pod_info(pod: &str) -> io::Result<String> {
    info("PodSandboxStatus", pod)
}

fn info(method: &str, id: &str) -> io::Result<String> {
    let answer = runtime(method, &Message::default().text(1, id).number(2, 1))?;
    fields::fields(&answer)
        .find(|(field, entry)| *field == 2 && fields::text(entry, 1) == "info")
        .map(|(_, entry)| fields::text(entry, 2))
        .ok_or_else(|| io::Error::other(format!("{method} tells nothing more")))
}

/// Every container that runs.
pub(crate) fn list() -> io::Result<Vec<Container>> {
    let state = Message::default().number(1, RUNNING);
    let filter = Message::default().message(2, &state);
    let answer = runtime("ListContainers", &Message::default().message(1, &filter))?;
    Ok(containers(&answer))
}

fn containers(answer: &[u8]) -> Vec<Container> {
    let label = |container: &[u8], name: &str| {
        fields::fields(container)
            .find(|(field, entry)| *field == 8 && fields::text(entry, 1) == name)
            .map(|(_, entry)| fields::text(entry, 2))
            .unwrap_or_default()
    };
    fields::fields(answer)
        .filter(|(field, _)| *field == 1)
        .map(|(_, container)| Container {
            id: fields::text(container, 1),
            name: fields::text(fields::bytes(container, 3), 1),
            pod: label(container, "io.kubernetes.pod.name"),
            namespace: label(container, "io.kubernetes.pod.namespace"),
            image: fields::text(fields::bytes(container, 4), 1),
        })
        .collect()
}

/// Runs a command in a container to its end.
pub(crate) fn exec(container: &str, command: &[&str]) -> io::Result<Output> {
    let mut request = Message::default().text(1, container);
    for word in command {
        request = request.text(2, word);
    }
    let answer = runtime("ExecSync", &request)?;
    Ok(Output {
        stdout: fields::bytes(&answer, 1).to_vec(),
        stderr: fields::bytes(&answer, 2).to_vec(),
        code: fields::number(&answer, 3),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_read_with_their_pods() {
        let label = |key, value| Message::default().text(1, key).text(2, value);
        let container = Message::default()
            .text(1, "c1")
            .text(2, "p1")
            .message(3, &Message::default().text(1, "web"))
            .message(4, &Message::default().text(1, "sha256:1"))
            .number(6, RUNNING)
            .message(8, &label("io.kubernetes.pod.namespace", "shop"))
            .message(8, &label("io.kubernetes.pod.name", "web-0"));
        let answer = Message::default().message(1, &container);
        let wanted = Container {
            id: "c1".into(),
            name: "web".into(),
            pod: "web-0".into(),
            namespace: "shop".into(),
            image: "sha256:1".into(),
        };
        assert_eq!(containers(answer.encoded()), [wanted]);
    }
}
