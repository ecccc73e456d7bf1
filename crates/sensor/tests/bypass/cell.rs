//! A container in small: an overlay as root in a mount namespace and a control group of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest that one command inside takes, on a loaded machine or in an emulated one.
const PATIENCE: Duration = Duration::from_secs(25);

pub(crate) struct Cell {
    child: Child,
    base: PathBuf,
    groups: Vec<PathBuf>,
}

/// The libraries that a program is linked to, its loader included.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let Ok(listed) = Command::new("ldd").arg(program).output() else {
        // a machine without ldd is the emulated one, where the libraries were put beside the program
        return fs::read_to_string("/etc/libraries")
            .unwrap_or_default()
            .lines()
            .map(PathBuf::from)
            .collect();
    };
    String::from_utf8_lossy(&listed.stdout)
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

impl Cell {
    /// Starts one with this test program as `/bin/probe`. `None`, with a line that says why, where that cannot be done.
    pub(crate) fn start() -> Option<Self> {
        Self::with_layers("together")
    }

    /// The same with the image's layer and the writable one on file systems of their own, as where a node keeps images on
    /// a disk of their own: `stat` then gives their files other devices than the overlay's.
    pub(crate) fn start_apart() -> Option<Self> {
        Self::with_layers("apart")
    }

    fn with_layers(layers: &str) -> Option<Self> {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let base = std::env::temp_dir().join(format!("cell-{}-{number}", std::process::id()));
        let stage = base.join("stage");
        for dir in [
            "bin", "lib", "lib64", "proc", "dev", "tmp", "vol", "opt", "etc",
        ] {
            fs::create_dir_all(stage.join(dir)).unwrap();
        }
        fs::create_dir_all(base.join("vol")).unwrap();
        let Some(busybox) = ["/usr/bin/busybox", "/bin/busybox"]
            .into_iter()
            .find(|path| Path::new(path).exists())
        else {
            println!("skipped: busybox is not installed");
            return None;
        };
        fs::copy(busybox, stage.join("bin/busybox")).unwrap();
        for applet in [
            "sh", "cp", "mv", "ln", "rm", "echo", "cat", "chmod", "mount", "mkdir", "sleep",
            "unshare", "chroot", "starter", "true", "kill", "grep", "printf",
        ] {
            std::os::unix::fs::symlink("busybox", stage.join("bin").join(applet)).unwrap();
        }
        fs::write(stage.join("etc/s"), "echo RAN\n").unwrap();
        let probe = std::env::current_exe().unwrap();
        fs::copy(&probe, stage.join("bin/probe")).unwrap();
        for library in libraries(&probe) {
            let to = stage.join(library.strip_prefix("/").unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&library, to).unwrap();
        }
        // on a file system of its own, since the scratch directory may be an overlay itself
        let script = r#"set -e
            cd "$1"
            mkdir room
            mount -t tmpfs room room
            mkdir room/lower room/upper room/work room/merged
            if [ "$2" = apart ]; then mount -t tmpfs lower room/lower; fi
            cp -a stage/. room/lower/
            options=lowerdir=room/lower,upperdir=room/upper,workdir=room/work
            mount -t overlay cell -o $options,metacopy=on,redirect_dir=on room/merged 2>/dev/null ||
                mount -t overlay cell -o $options room/merged
            mkdir -p room/merged/dev/shm
            mount -t tmpfs shm room/merged/dev/shm
            # a shell gives its background jobs /dev/null to read
            mknod -m 666 room/merged/dev/null c 1 3 || :
            mount -t proc proc room/merged/proc
            mount -o bind vol room/merged/vol
            cd room/merged
            # as a runtime's pivot_root, which an initial ram disk has not
            mount -o move . /
            echo ready
            exec chroot . /bin/busybox sleep 900"#;
        let child = Command::new("unshare")
            .args(["-m", "--propagation", "private", "sh", "-c", script, "sh"])
            .arg(&base)
            .arg(layers)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                println!("skipped: no mount namespace: {error}");
                return None;
            }
        };
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let mut cell = Self {
            child,
            base,
            groups: Vec::new(),
        };
        if line.trim() != "ready" {
            let mut why = String::new();
            let _ = cell.child.stderr.take().unwrap().read_to_string(&mut why);
            println!("skipped: no overlay: {}", why.trim());
            return None;
        }
        // `ready` comes just before chroot: wait for the program that stays
        let deadline = Instant::now() + PATIENCE;
        while fs::read_link(format!("/proc/{}/exe", cell.pid()))
            .is_ok_and(|exe| !exe.ends_with("bin/busybox") || cell.root_dev() == own_root())
        {
            assert!(Instant::now() < deadline, "the cell did not come up");
            std::thread::yield_now();
        }
        for hierarchy in ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"] {
            let group = Path::new(hierarchy).join(cell.base.file_name().unwrap());
            if Path::new(hierarchy).join("cgroup.procs").exists() && fs::create_dir(&group).is_ok()
            {
                fs::write(group.join("cgroup.procs"), cell.pid().to_string()).unwrap();
                cell.groups.push(group);
                break;
            }
        }
        Some(cell)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn root_dev(&self) -> u64 {
        fs::metadata(format!("/proc/{}/root", self.pid())).map_or(0, |m| m.dev())
    }

    /// Inode number of the control group's directory.
    pub(crate) fn group(&self) -> Option<u64> {
        self.groups
            .first()
            .map(|group| fs::metadata(group).unwrap().ino())
    }

    pub(crate) fn group_dir(&self) -> Option<&Path> {
        self.groups.first().map(PathBuf::as_path)
    }

    /// Runs a shell inside. It comes in through the namespace only, unless `grouped`: its control group is ours.
    pub(crate) fn run(&self, script: &str, grouped: bool) -> Output {
        let enter = "[ -z \"$1\" ] || echo $$ > \"$1/cgroup.procs\"; \
                     exec nsenter -t \"$2\" -m -r -w /bin/sh -c \"$3\"";
        let group = self.groups.first().filter(|_| grouped);
        let mut child = Command::new("sh")
            .args(["-c", enter, "sh"])
            .arg(group.map_or(Path::new(""), PathBuf::as_path))
            .arg(self.pid().to_string())
            .arg(script)
            .env("PATH", "/bin:/usr/bin:/sbin:/usr/sbin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                let _ = child.kill();
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        child.wait_with_output().unwrap()
    }
}

fn own_root() -> u64 {
    fs::metadata("/").map_or(0, |m| m.dev())
}

impl Drop for Cell {
    fn drop(&mut self) {
        // the mounts go with the namespace
        let _ = self.child.kill();
        let _ = self.child.wait();
        let deadline = Instant::now() + Duration::from_secs(5);
        for group in &self.groups {
            while fs::remove_dir(group).is_err() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = fs::remove_dir_all(&self.base);
    }
}
