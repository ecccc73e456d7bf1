//! Images: directories with as little as their containers need.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Control, PARTS, Runtime, tools};

/// Names of busybox that every image has.
const APPLETS: &[&str] = &[
    "cat", "chmod", "chown", "cp", "cut", "date", "echo", "env", "false", "grep", "gunzip", "gzip",
    "head", "id", "init", "ln", "ls", "mkdir", "mv", "nc", "printenv", "ps", "pwd", "rm", "rmdir",
    "sed", "sh", "sleep", "sort", "tail", "tar", "touch", "true", "umount", "uname", "wc", "wget",
    "whoami",
];

/// An image that is being made.
#[derive(Debug)]
pub(crate) struct Image {
    root: PathBuf,
}

impl Image {
    /// A directory tree with the usual places, busybox, and accounts.
    pub(crate) fn new(root: PathBuf) -> io::Result<Self> {
        let image = Self { root };
        for directory in [
            "app",
            "bin",
            "dev",
            "etc",
            "home/python",
            "lib",
            "lib64",
            "proc",
            "root",
            "run",
            "sbin",
            "srv",
            "sys",
            "tmp",
            "usr/bin",
            "usr/lib",
            "usr/sbin",
            "var/cache/apt/archives",
            "var/lib/apt/lists",
            "var/lib/dpkg",
            "var/log",
        ] {
            image.directory(directory, 0o755)?;
        }
        image.directory("tmp", 0o1777)?;
        symlink("../run", image.at("var/run"))?;
        image.program(&program("busybox")?, "bin/busybox")?;
        for applet in APPLETS {
            symlink("busybox", image.at("bin").join(applet))?;
        }
        image.text(
            "etc/passwd",
            0o644,
            "root:x:0:0:root:/root:/bin/sh\npython:x:1000:1000:python:/home/python:/bin/sh\n",
        )?;
        image.text("etc/group", 0o644, "root:x:0:\npython:x:1000:\n")?;
        // No password: a star matches none. What counts is who may read the file.
        image.text(
            "etc/shadow",
            0o640,
            "root:*:19000:0:99999:7:::\npython:*:19000:0:99999:7:::\n",
        )?;
        image.text("etc/hosts", 0o644, "127.0.0.1 localhost\n")?;
        chown(image.at("home/python"), Some(1000), Some(1000))?;
        Ok(image)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A directory with this mode.
    pub(crate) fn directory(&self, path: &str, mode: u32) -> io::Result<()> {
        fs::create_dir_all(self.at(path))?;
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode))
    }

    /// A text file with this mode.
    pub(crate) fn text(&self, path: &str, mode: u32, text: &str) -> io::Result<()> {
        self.bytes(path, mode, text.as_bytes())
    }

    fn bytes(&self, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
        let path = self.at(path);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        // whatever stood there, a link of busybox for example, makes room
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
    }

    /// One of the lab's parts under its name.
    pub(crate) fn part(&self, path: &str) -> io::Result<()> {
        self.bytes(path, 0o755, PARTS)
    }

    /// A program of this machine with the libraries that it needs.
    pub(crate) fn program(&self, from: &Path, to: &str) -> io::Result<()> {
        self.bytes(to, 0o755, &fs::read(from)?)?;
        for library in libraries(from)? {
            let to = library.trim_start_matches('/');
            if !self.at(to).exists() {
                self.bytes(to, 0o755, &fs::read(&library)?)?;
            }
        }
        Ok(())
    }

    /// A compressed archive at `to` with one part under `name` in it.
    pub(crate) fn archive(&self, to: &str, directory: &str, name: &str) -> io::Result<()> {
        let scratch = tempfile::tempdir()?;
        let inside = scratch.path().join(directory);
        fs::create_dir_all(&inside)?;
        fs::write(inside.join(name), PARTS)?;
        fs::set_permissions(inside.join(name), fs::Permissions::from_mode(0o755))?;
        let first = if directory.is_empty() {
            name
        } else {
            directory
        };
        if let Some(parent) = self.at(to).parent() {
            fs::create_dir_all(parent)?;
        }
        tar(
            &["--owner=0", "--group=0", "-z"],
            scratch.path(),
            first,
            &self.at(to),
        )
    }
}

/// Writes a directory into a tar file.
pub(crate) fn tar(options: &[&str], directory: &Path, what: &str, to: &Path) -> io::Result<()> {
    let status = Command::new("tar")
        .env("PATH", tools::search_path())
        .args(options)
        .arg("-cf")
        .arg(to)
        .arg("-C")
        .arg(directory)
        .arg(what)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("tar ended with {status}")))
    }
}

/// Where a program of this machine is.
pub(crate) fn program(name: &str) -> io::Result<PathBuf> {
    tools::find(name)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} is not installed")))
}

/// Libraries that the dynamic linker loads for a program; none for a static one.
fn libraries(program: &Path) -> io::Result<Vec<String>> {
    let output = Command::new("ldd")
        .env("PATH", tools::search_path())
        .arg(program)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .split_whitespace()
        .filter(|word| word.starts_with('/') && !word.ends_with(':'))
        .map(str::to_owned)
        .collect())
}

/// Every image of the lab, below one directory, with what its node needs for this runtime and control.
pub(crate) fn all(root: &Path, runtime: Runtime, control: Option<Control>) -> io::Result<()> {
    let node = Image::new(root.join("node"))?;
    node.program(&program("runc")?, "usr/bin/runc")?;
    node.program(&program("nsenter")?, "usr/bin/nsenter")?;
    for part in [
        "apt-get",
        "crond",
        "logrotate",
        "range-cloud",
        "range-gate",
        "range-metadata",
    ] {
        node.part(&format!("usr/bin/{part}"))?;
    }
    match runtime {
        Runtime::Containerd => containerd(&node, control)?,
        Runtime::Runc => node.part("usr/bin/containerd")?,
    }
    symlink("../bin/busybox", node.at("sbin/init"))?;
    node.text("etc/inittab", 0o644, "::sysinit:/bin/sh /run/range/start\n")?;
    for file in ["srv/mirror/apt/nmap.deb", "srv/mirror/kubectl"] {
        node.bytes(file, 0o644, PARTS)?;
    }
    node.text(
        "srv/mirror/apt/Packages",
        0o644,
        "Package: nmap\nVersion: 7.93\n",
    )?;
    node.archive("srv/mirror/crictl.tar.gz", "", "crictl")?;
    node.archive("srv/mirror/xmrig.tar.gz", "xmrig-6.20.0", "xmrig")?;
    // what tells a node from a container at a glance
    node.text(
        "var/lib/kubelet/config.yaml",
        0o600,
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nclusterDomain: cluster.local\n",
    )?;
    node.directory("var/log/pods", 0o755)?;
    node.text("var/log/pods/security-playground.log", 0o644, "started\n")?;
    node.text("etc/hosts", 0o644, crate::pod::HOSTS)?;

    let web = Image::new(root.join("web"))?;
    // Debian's shell, because how a shell treats a file without an interpreter line differs from shell to shell.
    let shell = tools::find("dash").map_or_else(|| program("busybox"), Ok)?;
    web.program(&shell, "bin/sh")?;
    web.program(&program("nsenter")?, "usr/bin/nsenter")?;
    for part in ["gunicorn", "apt-get", "dpkg"] {
        web.part(&format!("usr/bin/{part}"))?;
    }
    web.text(
        "app/index.html",
        0o644,
        "<h1>Welcome to the playground</h1>\n",
    )?;

    let hello = Image::new(root.join("hello"))?;
    hello.part("usr/bin/hello-server")?;

    let postgres = Image::new(root.join("postgres"))?;
    postgres.part("usr/bin/postgres")?;
    postgres.part("usr/bin/psql")?;

    if runtime == Runtime::Containerd {
        let pause = root.join("pause");
        fs::create_dir(&pause)?;
        Image { root: pause }.part("pause")?;
    }
    Ok(())
}

/// What a node with containerd has: the machine's programs, and their configuration.
fn containerd(node: &Image, control: Option<Control>) -> io::Result<()> {
    for name in tools::CONTAINERD {
        node.program(&program(name)?, &format!("usr/bin/{name}"))?;
    }
    node.program(&program("ip")?, "usr/sbin/ip")?;
    node.part("usr/bin/kubelet")?;
    node.part("opt/range/runc")?;
    node.part("opt/cni/bin/range-cni")?;
    node.part("opt/cni/bin/loopback")?;
    node.text(
        "etc/cni/net.d/10-range.conflist",
        0o600,
        r#"{"cniVersion": "0.4.0", "name": "range", "plugins": [{"type": "range-cni"}]}"#,
    )?;
    node.text("etc/containerd/config.toml", 0o600, CONTAINERD)?;
    // what pods get when they say nothing about it; nobody serves names in the lab
    node.text("etc/resolv.conf", 0o644, "nameserver 10.96.0.10\n")?;
    if control == Some(Control::EgressPolicy) {
        node.program(&program("iptables")?, "usr/sbin/iptables")?;
        for module in tools::iptables_modules() {
            let to = module.to_string_lossy().into_owned();
            node.program(&module, to.trim_start_matches('/'))?;
        }
    }
    Ok(())
}

/// The configuration of the node's containerd: nothing that pulls images or needs a device of the machine, and no device of
/// the node for privileged containers, for the node's would be the machine's.
const CONTAINERD: &str = r#"version = 2
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp",
]
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "registry.range/pause:3.9"
disable_tcp_service = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
privileged_without_host_devices = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "/opt/range/runc"
"#;
