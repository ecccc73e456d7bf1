//! Starting and ending the node.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::announce::Announcement;
use crate::pod::{self, Pod, Profile};
use crate::{Control, Gate, PREFIX, image, spec, sweep, tools};

/// How long the node may take to come up. It takes about a second on an idle machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long the kernel may take to end all processes of the node.
const END: Duration = Duration::from_secs(10);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Most bytes of the node's log that an error quotes.
const MAX_LOG: usize = 2000;

/// Why there is no node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or a program of this machine.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The node ended or did not come up.
    #[error("the lab's node did not come up: {log}")]
    Boot {
        /// The end of what it said.
        log: String,
    },
}

/// What the node is to be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How the vulnerable workload is run.
    pub profile: Profile,
    /// A control that the vulnerable workload gets besides.
    pub control: Option<Control>,
    /// Names of the marks that the gate can make.
    pub marks: Vec<String>,
}

/// A node that runs. It ends when this is dropped.
#[derive(Debug)]
pub struct Node {
    name: String,
    child: Child,
    init: u32,
    announced: Option<Announcement>,
    directory: Option<TempDir>,
}

impl Node {
    /// Makes the images, starts the node, its services and its pods, and waits until all of them run.
    ///
    /// Call it from a thread that lives as long as the node: the kernel ends the node with that thread.
    pub fn start(settings: &Settings) -> Result<Self, Error> {
        let io = |doing| move |source| Error::Io { doing, source };
        // the name says who runs it, see `sweep`
        let name = format!("{PREFIX}{}-", std::process::id());
        let directory = tempfile::Builder::new()
            .prefix(&name)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(io("making the lab's directory"))?;
        let stage = directory.path();
        let name = format!("{name}{}", identity(4).map_err(io("reading random bytes"))?);
        for inside in ["root", "memory", "pods", "images"] {
            fs::create_dir(stage.join(inside)).map_err(io("making the lab's directory"))?;
        }
        image::all(&stage.join("images")).map_err(io("making the lab's images"))?;
        prepare(stage, &name, settings).map_err(io("preparing the lab's pods"))?;
        // without it the pods only have no names to agents
        let announced = Announcement::new(&name, stage).ok();
        let script = stage.join("boot.sh");
        fs::write(&script, include_str!("boot.sh")).map_err(io("preparing the lab's node"))?;
        let log = fs::File::create(stage.join("log")).map_err(io("making the lab's log"))?;
        let err = log.try_clone().map_err(io("making the lab's log"))?;
        // When this process dies, even by SIGKILL, the kernel kills `unshare`, which takes the node's first process with
        // it, which takes all others.
        let child = Command::new("setpriv")
            // the environment would show in recordings, and secrets in it to the attack
            .env_clear()
            .current_dir("/")
            .env("PATH", tools::search_path())
            .args(["--pdeathsig", "KILL", "unshare"])
            .args([
                "--mount",
                "--net",
                "--uts",
                "--ipc",
                "--pid",
                "--fork",
                "--kill-child",
            ])
            .arg("sh")
            .arg(&script)
            .arg(stage)
            .arg(&name)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(err)
            .spawn()
            .map_err(io("starting the lab's node"))?;
        let mut node = Self {
            name,
            child,
            init: 0,
            announced,
            directory: Some(directory),
        };
        node.wait_until_ready()?;
        Ok(node)
    }

    /// The lab's name, which is also that of its control group.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The node's first process, as this machine numbers it.
    pub fn init(&self) -> u32 {
        self.init
    }

    /// The node's root directory, seen from here.
    pub fn root(&self) -> PathBuf {
        Path::new("/proc").join(self.init.to_string()).join("root")
    }

    /// The way in.
    pub fn gate(&self) -> Gate {
        Gate::new(self.root().join("run/range/gate.sock"))
    }

    /// Switches the node's own jobs (fresh package lists, turned logs) on.
    pub fn start_jobs(&self) -> io::Result<()> {
        fs::write(self.root().join("run/range/soak"), "")
    }

    /// What the API server recorded.
    pub fn audit_log(&self) -> String {
        fs::read_to_string(self.root().join("var/log/kubernetes/audit.log")).unwrap_or_default()
    }

    fn wait_until_ready(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                break;
            }
            if self.init == 0 {
                self.init = tools::children(self.child.id())
                    .first()
                    .copied()
                    .unwrap_or(0);
            }
            // Before the node has its own root, this is the machine's, where the lab has no such file.
            let said = fs::read_to_string(self.root().join("run/range/ready"));
            if self.init != 0
                && let Ok(said) = said
            {
                if said.trim() == "ok" {
                    return Ok(());
                }
                break;
            }
            std::thread::sleep(PAUSE);
        }
        Err(Error::Boot { log: self.log() })
    }

    fn log(&self) -> String {
        let mut text = String::new();
        if let Some(directory) = &self.directory {
            text = fs::read_to_string(directory.path().join("log")).unwrap_or_default();
        }
        if self.init != 0 {
            text.push_str(
                &fs::read_to_string(self.root().join("run/range/log")).unwrap_or_default(),
            );
        }
        let mut from = text.len().saturating_sub(MAX_LOG);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        text[from..].trim().to_owned()
    }
}

impl Node {
    /// Ends every process of the node and removes what the kernel leaves of it. Dropping does the same.
    pub fn end(&mut self) {
        self.announced = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
        let deadline = Instant::now() + END;
        // a process that has ended has no root any more, even while nobody has asked how it ended
        while self.init != 0 && self.root().join("run").exists() && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
        }
        for group in sweep::groups(&self.name) {
            while !sweep::remove_group(&group) && group.exists() && Instant::now() < deadline {
                std::thread::sleep(PAUSE);
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}

/// Hexadecimal digits of so many random bytes.
fn identity(bytes: usize) -> io::Result<String> {
    let mut buffer = vec![0; bytes];
    fs::File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes what `boot.sh` reads: one directory for each pod, the tables of containers and tokens, the start script.
fn prepare(stage: &Path, lab: &str, settings: &Settings) -> io::Result<()> {
    let mut containers = String::new();
    let mut tokens = String::new();
    let mut start = String::from(START);
    for (number, pod) in pod::pods_with(settings.profile, settings.control)
        .iter()
        .enumerate()
    {
        let Pod {
            name,
            pod: full,
            namespace,
            image_name,
            ..
        } = pod;
        let id = identity(32)?;
        let uid = identity(16)?;
        let token = identity(16)?;
        let directory = stage.join("pods").join(number.to_string());
        fs::create_dir_all(directory.join("account"))?;
        let config = spec::of(pod, &id, &identity(32)?, &uid, lab);
        fs::write(directory.join("config.json"), config.to_string())?;
        fs::write(directory.join("id"), &id)?;
        fs::write(directory.join("image"), pod.image)?;
        fs::write(directory.join("address"), pod.address)?;
        fs::write(directory.join("hosts"), pod::HOSTS)?;
        fs::write(directory.join("account/token"), &token)?;
        fs::write(directory.join("account/namespace"), namespace)?;
        containers.push_str(&format!(
            "{id}\t{name}\t{full}\t{namespace}\t{image_name}\n"
        ));
        if !pod.egress {
            fs::write(directory.join("no-egress"), "")?;
        }
        let right = if pod.may_create { " create" } else { "" };
        tokens.push_str(&format!(
            "{token} system:serviceaccount:{namespace}:default {namespace}{right}\n"
        ));
        if pod.started {
            start.push_str(&format!("run {id}\n"));
        }
    }
    start.push_str("echo ok > /run/range/ready\n");
    if let Some(file) = settings.control.and_then(Control::on_node) {
        fs::write(stage.join(file), "")?;
    }
    fs::write(stage.join("containers"), containers)?;
    fs::write(stage.join("tokens"), tokens)?;
    fs::write(stage.join("marks"), settings.marks.join("\n"))?;
    fs::write(stage.join("start"), start)
}

/// Beginning of the script that the node's first process runs.
const START: &str = "exec < /dev/null > /run/range/log 2>&1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
for part in containerd range-cloud range-gate crond; do
  $part &
done
nsenter --net=/run/netns/metadata range-metadata &
run() {
  if ! runc run --detach --bundle /run/containerd/io.containerd.runtime.v2.task/k8s.io/$1 $1; then
    echo failed > /run/range/ready
    exit 1
  fi
}
# the gate's socket is the last thing that a request needs
while [ ! -S /run/range/gate.sock ]; do sleep 0.05; done
";
