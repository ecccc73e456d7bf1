//! What the node's start script is given: a directory for each pod, tables, the images, the node's own start script.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::archive::{self, Named, PAUSE};
use crate::pod::{self, Pod};
use crate::{Control, Runtime, Settings, cri, image, spec};

/// Hexadecimal digits of so many random bytes.
pub(crate) fn identity(bytes: usize) -> io::Result<String> {
    let mut buffer = vec![0; bytes];
    fs::File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes what `boot.sh` reads below `stage`.
pub(crate) fn all(stage: &Path, lab: &str, settings: &Settings) -> io::Result<()> {
    let images = stage.join("images");
    image::all(&images, settings.runtime, settings.control)?;
    let pods = pod::pods_with(settings.profile, settings.control);
    let mut tokens = String::new();
    let mut written = Written::default();
    for pod in &pods {
        let Pod { namespace, .. } = pod;
        let token = identity(16)?;
        match settings.runtime {
            Runtime::Containerd => written.for_containerd(stage, lab, pod, &token)?,
            Runtime::Runc => written.for_runc(stage, lab, pod, &token)?,
        }
        let right = if pod.may_create { " create" } else { "" };
        tokens.push_str(&format!(
            "{token} system:serviceaccount:{namespace}:default {namespace}{right}\n"
        ));
    }
    if let Some(file) = settings.control.and_then(Control::on_node) {
        fs::write(stage.join(file), "")?;
    }
    fs::write(stage.join("tokens"), tokens)?;
    fs::write(stage.join("marks"), settings.marks.join("\n"))?;
    match settings.runtime {
        Runtime::Containerd => {
            let mut named: Vec<Named<'_>> =
                pods.iter().map(|pod| (pod.image, pod.image_name)).collect();
            named.push(("pause", PAUSE));
            named.sort_unstable();
            named.dedup();
            archive::write(
                &images,
                &named,
                &stage.join("layout"),
                &stage.join("images.tar"),
            )?;
            let names: Vec<&str> = named.iter().map(|(_, name)| *name).collect();
            fs::write(stage.join("given-up"), spec::GIVEN_UP.join("\n"))?;
            fs::write(stage.join("names"), names.join("\n"))?;
            fs::write(stage.join("addresses"), written.table)?;
            fs::write(
                stage.join("start"),
                format!("{START}{START_CONTAINERD}{READY}"),
            )
        }
        Runtime::Runc => {
            fs::write(stage.join("containers"), written.table)?;
            let run = written.run;
            fs::write(
                stage.join("start"),
                format!("{START}{START_RUNC}{run}{READY}"),
            )
        }
    }
}

/// The tables that the pods' directories go with.
#[derive(Default)]
struct Written {
    /// The containers for the played daemon, or the addresses for the network plugin.
    table: String,
    /// What starts the pods that run from the beginning.
    run: String,
}

impl Written {
    fn for_containerd(
        &mut self,
        stage: &Path,
        lab: &str,
        pod: &Pod,
        token: &str,
    ) -> io::Result<()> {
        let uid = uuid(&identity(16)?);
        let directory = directory(&stage.join("pods").join(pod.name), pod, token)?;
        let there = format!("{}/{}", cri::PODS, pod.name);
        fs::write(directory.join("pod"), cri::pod(pod, &uid, lab).encoded())?;
        fs::write(
            directory.join("container"),
            cri::container(pod, &uid, &there).encoded(),
        )?;
        if pod.started {
            fs::write(directory.join("started"), "")?;
        }
        let policy = if pod.egress { "" } else { " no-egress" };
        let line = format!("{} {}{policy}\n", pod.pod, pod.address);
        self.table.push_str(&line);
        Ok(())
    }

    fn for_runc(&mut self, stage: &Path, lab: &str, pod: &Pod, token: &str) -> io::Result<()> {
        let (id, uid) = (identity(32)?, identity(16)?);
        let directory = directory(&stage.join("pods").join(pod.name), pod, token)?;
        let config = spec::of(pod, &id, &identity(32)?, &uid, lab);
        fs::write(directory.join("config.json"), config.to_string())?;
        fs::write(directory.join("id"), &id)?;
        fs::write(directory.join("image"), pod.image)?;
        fs::write(directory.join("address"), pod.address)?;
        if !pod.egress {
            fs::write(directory.join("no-egress"), "")?;
        }
        let Pod {
            name,
            pod: full,
            namespace,
            image_name,
            ..
        } = pod;
        let line = format!("{id}\t{name}\t{full}\t{namespace}\t{image_name}\n");
        self.table.push_str(&line);
        if pod.started {
            self.run.push_str(&format!("run {id}\n"));
        }
        Ok(())
    }
}

/// A pod's directory with the files that are mounted into its container.
fn directory(place: &Path, pod: &Pod, token: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(place.join("account"))?;
    fs::write(place.join("hosts"), pod::HOSTS)?;
    fs::write(place.join("account/token"), token)?;
    fs::write(place.join("account/namespace"), pod.namespace)?;
    Ok(place.to_owned())
}

/// Digits as a pod's UID has them.
fn uuid(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if [8, 12, 16, 20].contains(&at) {
            out.push('-');
        }
        out.push(digit);
    }
    out
}

/// Beginning of the script that the node's first process runs.
const START: &str = "exec < /dev/null > /run/range/log 2>&1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
for part in range-cloud range-gate crond; do
  $part &
done
nsenter --net=/run/netns/metadata range-metadata &
";

/// How the pods come to run: by the kubelet, which says so by listening.
const START_CONTAINERD: &str = "containerd > /var/log/containerd.log 2>&1 &
kubelet &
while [ ! -S /run/range/kubelet.sock ]; do
  if [ -e /run/range/ready ]; then
    grep -E 'level=(error|fatal)|^containerd:' /var/log/containerd.log | tail -n 3
    exit 1
  fi
  sleep 0.02
done
";

/// How the pods come to run: by runc.
const START_RUNC: &str = "containerd &
run() {
  if ! runc run --detach --bundle /run/containerd/io.containerd.runtime.v2.task/k8s.io/$1 $1; then
    echo failed > /run/range/ready
    exit 1
  fi
}
";

/// The gate's socket is the last thing that a request needs.
const READY: &str = "while [ ! -S /run/range/gate.sock ]; do sleep 0.05; done
echo ok > /run/range/ready
";
