//! Starting and ending the node.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::announce::Announcement;
use crate::pod::Profile;
use crate::{Control, Gate, PREFIX, Runtime, prepare, sweep, tools};

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
    /// What makes the pods.
    pub runtime: Runtime,
    /// Names of the marks that the gate can make.
    pub marks: Vec<String>,
}

/// A node that runs. It ends when this is dropped.
#[derive(Debug)]
pub struct Node {
    name: String,
    child: Child,
    init: u32,
    runtime: Runtime,
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
        let name = format!(
            "{name}{}",
            prepare::identity(4).map_err(io("reading random bytes"))?
        );
        for inside in ["root", "memory", "pods", "images"] {
            fs::create_dir(stage.join(inside)).map_err(io("making the lab's directory"))?;
        }
        prepare::all(stage, &name, settings).map_err(io("preparing the lab's images and pods"))?;
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
            runtime: settings.runtime,
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

    /// What makes the pods.
    pub fn runtime(&self) -> Runtime {
        self.runtime
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
                let root = self.root();
                if let (Some(announced), Runtime::Containerd, true) =
                    (&mut self.announced, self.runtime, self.init != 0)
                {
                    announced.relay(root);
                }
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
