//! containerd through its Kubernetes interface (CRI v1), driven as a kubelet drives it: a pod, containers in it.
//!
//! The pod uses the host's network, so no network plugin is needed, and everything of this containerd lies in a directory
//! of the test.

use std::fs;
use std::path::Path;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::SendRequest;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use crate::containers::{Containerd, agent, field};
use crate::image::{self, NAME, TAG, run};
use crate::running::{PATIENCE, has, may_run};

/// Tag of the image that holds a pod's namespaces open.
const PAUSE: &str = "pause";

/// A protobuf message that is being written. Source of the encoding: protobuf.dev, "Encoding".
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    /// An entry of a map of texts.
    fn entry(self, field: u64, key: &str, value: &str) -> Self {
        self.message(field, &Self::default().text(1, key).text(2, value))
    }
}

/// The text in field 1 of an answer, which is where CRI has the id of what it made.
fn id_of(answer: &[u8]) -> String {
    assert_eq!(answer.first(), Some(&0x0a), "{answer:?}");
    let length = usize::from(answer[1]);
    String::from_utf8(answer[2..2 + length].to_vec()).unwrap()
}

/// A client of `runtime.v1.RuntimeService`: gRPC's frames over one HTTP/2 connection.
struct Cri {
    runtime: Runtime,
    requests: SendRequest<Bytes>,
}

impl Cri {
    fn connect(socket: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let requests = runtime.block_on(async {
            let stream = UnixStream::connect(socket).await.unwrap();
            let (requests, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            requests
        });
        Self { runtime, requests }
    }

    /// Calls a method. What the service refuses comes back as its status and reason.
    fn call(&self, method: &str, message: &Message) -> Result<Vec<u8>, String> {
        let work = async {
            let request = http::Request::post(format!(
                "http://localhost/runtime.v1.RuntimeService/{method}"
            ))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .unwrap();
            let mut requests = self.requests.clone().ready().await.unwrap();
            let (response, mut body) = requests.send_request(request, false).unwrap();
            // not compressed, length, message
            let mut frame = BytesMut::new();
            frame.put_u8(0);
            frame.put_u32(message.0.len() as u32);
            frame.put_slice(&message.0);
            body.send_data(frame.freeze(), true).unwrap();
            let response = response.await.unwrap();
            let refused = response.headers().get("grpc-status").cloned();
            let reason = response.headers().get("grpc-message").cloned();
            let mut body = response.into_body();
            let mut answer = Vec::new();
            while let Some(chunk) = body.data().await {
                let chunk = chunk.unwrap();
                let _ = body.flow_control().release_capacity(chunk.len());
                answer.extend_from_slice(&chunk);
            }
            let trailers = body.trailers().await.unwrap().unwrap_or_default();
            let status = refused.or_else(|| trailers.get("grpc-status").cloned());
            if status.as_ref().is_some_and(|status| status == "0") {
                return Ok(answer.split_off(5));
            }
            let reason = reason.or_else(|| trailers.get("grpc-message").cloned());
            Err(format!("{method}: {status:?} {reason:?}"))
        };
        self.runtime
            .block_on(async { tokio::time::timeout(PATIENCE, work).await })
            .map_err(|_| format!("{method} does not answer"))?
    }
}

/// `NamespaceOption` of a pod in the host's network.
fn namespaces() -> Message {
    Message::default().number(1, 2)
}

/// A pod's configuration.
fn pod(name: &str, uid: &str) -> Message {
    let metadata = Message::default()
        .text(1, name)
        .text(2, uid)
        .text(3, "shop");
    let security = Message::default().message(1, &namespaces());
    let linux = Message::default()
        .text(1, &format!("/kubepods/besteffort/pod{uid}"))
        .message(2, &security);
    Message::default()
        .message(1, &metadata)
        .entry(6, "app", "cart")
        .entry(6, "io.kubernetes.pod.name", name)
        .entry(6, "io.kubernetes.pod.namespace", "shop")
        .entry(6, "io.kubernetes.pod.uid", uid)
        .message(8, &linux)
}

/// A container's configuration.
fn container(name: &str, script: &str) -> Message {
    let metadata = Message::default().text(1, name);
    let image = Message::default().text(1, &format!("{NAME}:{TAG}"));
    let security = Message::default().message(3, &namespaces());
    let secret = Message::default().text(1, "DB_PASSWORD").text(2, "hunter2");
    Message::default()
        .message(1, &metadata)
        .message(2, &image)
        .text(3, "/bin/sh")
        .text(4, "-c")
        .text(4, script)
        .message(6, &secret)
        .entry(9, "io.kubernetes.container.name", name)
        .message(15, &Message::default().message(2, &security))
}

/// Stops and removes the pod, also when the test fails.
struct Pod<'a> {
    cri: &'a Cri,
    id: String,
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        let request = Message::default().text(1, &self.id);
        let _ = self.cri.call("StopPodSandbox", &request);
        let _ = self.cri.call("RemovePodSandbox", &request);
    }
}

#[test]
fn containers_of_a_pod_that_cri_made() {
    if !may_run("CRI") || !has("containerd") || !has("ctr") || !has("runc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let host = dir.path().join("host");
    fs::create_dir_all(host.join("run")).unwrap();
    let Some(root) = image::root(dir.path()) else {
        return;
    };
    let (archive, digest) = image::archive(&root, dir.path());
    let (pause, _) = image::archive_of(&root, dir.path(), PAUSE, &["/bin/sleep", "600"]);
    let plugin = "plugins.\"io.containerd.grpc.v1.cri\"";
    let containerd = Containerd::with(
        &host,
        &format!(
            "[{plugin}]\nsandbox_image = \"{NAME}:{PAUSE}\"\ndisable_tcp_service = true\n\
             restrict_oom_score_adj = true\n\
             [{plugin}.cni]\nbin_dir = \"{0}/cni/bin\"\nconf_dir = \"{0}/cni/conf\"\n",
            dir.path().display()
        ),
    );
    for archive in [&archive, &pause] {
        run(containerd
            .ctr()
            .args(["-n", "k8s.io", "images", "import", "--base-name", NAME])
            .arg(archive));
    }
    let cri = Cri::connect(&containerd.socket);
    let version = cri.call("Version", &Message::default().text(1, "v1"));
    if let Err(why) = version {
        println!("skipped: this containerd does not speak CRI v1: {why}");
        return;
    }
    let marker = format!("cri-{}", std::process::id());
    let agent = agent(dir.path(), &host, &marker);
    let uid = format!("1b2c-{}", std::process::id());
    let config = pod("cart-0", &uid);
    let made = cri.call("RunPodSandbox", &Message::default().message(1, &config));
    let made = match made {
        Ok(made) => made,
        Err(why) => {
            println!("skipped: containerd cannot make a pod here: {why}");
            return;
        }
    };
    let pod = Pod {
        cri: &cri,
        id: id_of(&made),
    };
    for (name, script) in [
        ("web", format!("/bin/echo {marker}-web; sleep 600")),
        ("short", format!("/bin/echo {marker}-short; sleep 0.05")),
    ] {
        let request = Message::default()
            .text(1, &pod.id)
            .message(2, &container(name, &script))
            .message(3, &config);
        let id = id_of(&cri.call("CreateContainer", &request).unwrap());
        cri.call("StartContainer", &Message::default().text(1, &id))
            .unwrap();
        let finding = agent.wait_for_alert(&format!("echo {marker}-{name}"));
        assert_eq!(field(&finding, "container.id"), &id[..12]);
        assert_eq!(field(&finding, "container.name"), name);
        assert_eq!(field(&finding, "container.image.repository"), NAME);
        assert_eq!(field(&finding, "container.image.tag"), TAG);
        assert_eq!(field(&finding, "container.image.digest"), digest);
        assert_eq!(finding["fields"]["container.privileged"], false);
        assert_eq!(field(&finding, "k8s.pod.name"), "cart-0");
        assert_eq!(field(&finding, "k8s.ns.name"), "shop");
        assert_eq!(field(&finding, "k8s.pod.uid"), uid);
        assert_eq!(field(&finding, "k8s.pod.labels"), "app:cart");
        assert!(!finding.to_string().contains("hunter2"), "{finding:#}");
    }
    println!("a pod and two containers by CRI v1, each named with its pod");
    drop(pod);
    agent.stop();
}
