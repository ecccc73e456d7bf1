//! A lab's pods in this machine's own runtime directory, so that agents on it know them as they know all others.

use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags, openat2, unlinkat};
use serde_json::Value;

/// Where this machine's containerd keeps bundles, by namespace.
pub(crate) const TASKS: &str = "/run/containerd/io.containerd.runtime.v2.task";
/// Where the node's kubelet puts what agents are to know, below the node's root.
const PLACE: &str = "run/range/announce";
/// Most bytes of what is put there. A container's specification has some ten thousand.
const MAX_INFO: u64 = 1 << 20;
/// Most containers of a lab that are announced: whoever has taken over its node may put there what he wants.
const MAX_ANNOUNCED: usize = 256;
/// Letters of a container's id.
const ID: usize = 64;
/// Pause between two looks for the node's directory, and how soon the end of the lab is noticed.
const PAUSE: Duration = Duration::from_millis(20);
const NOTICE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// The announcement; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Announcement {
    place: PathBuf,
    relay: Option<(JoinHandle<()>, Arc<AtomicBool>)>,
}

impl Announcement {
    /// Copies the specifications of the pods that were prepared in `stage`, if they have one already. Copies, since an agent
    /// that has given up its privileges may not look into the node's root; before the pods start, since their first program
    /// is to have a name.
    pub(crate) fn new(lab: &str, stage: &Path) -> io::Result<Self> {
        let place = Path::new(TASKS).join(lab);
        fs::create_dir_all(&place)?;
        let out = Self { place, relay: None };
        for pod in fs::read_dir(stage.join("pods"))? {
            let pod = pod?.path();
            let config = pod.join("config.json");
            if config.exists() {
                let bundle = out.place.join(fs::read_to_string(pod.join("id"))?);
                fs::create_dir(&bundle)?;
                fs::copy(config, bundle.join("config.json"))?;
            }
        }
        Ok(out)
    }

    /// From now on also announces what the node's kubelet says of the containers that it has made. `root` is the node's root
    /// directory, or will be.
    pub(crate) fn relay(&mut self, root: PathBuf) {
        let stop = Arc::new(AtomicBool::new(false));
        let (place, stopped) = (self.place.clone(), Arc::clone(&stop));
        // without it the kubelet waits in vain, and the pods have no names to agents
        self.relay = std::thread::Builder::new()
            .name("announce".to_owned())
            .spawn(move || {
                let _ = relay(&root, &place, &stopped);
            })
            .ok()
            .map(|thread| (thread, stop));
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Some((thread, stop)) = self.relay.take() {
            stop.store(true, Relaxed);
            let _ = thread.join();
        }
        let _ = fs::remove_dir_all(&self.place);
    }
}

/// Copies until it is told to stop, and takes away what was copied: that is what the kubelet waits for.
fn relay(root: &Path, place: &Path, stop: &AtomicBool) -> io::Result<()> {
    // Links in the node are the node's: none leads out of its root.
    let open = |flags| {
        let root = openat2(
            CWD,
            root,
            OFlags::PATH,
            Mode::empty(),
            ResolveFlags::empty(),
        )?;
        openat2(root, PLACE, flags, Mode::empty(), ResolveFlags::IN_ROOT)
    };
    let directory = loop {
        if stop.load(Relaxed) {
            return Ok(());
        }
        // before the node has its own root, this is the machine's, where there is no such directory
        match open(OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC) {
            Ok(directory) => break directory,
            Err(_) => std::thread::sleep(PAUSE),
        }
    };
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let own = format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&directory)
    );
    inotify::add_watch(&watch, own.as_str(), WatchFlags::MOVED_TO)?;
    let mut announced = 0;
    while !stop.load(Relaxed) && announced < MAX_ANNOUNCED {
        for entry in Dir::read_from(&directory)?.flatten() {
            let Ok(id) = entry.file_name().to_str() else {
                continue;
            };
            if id.len() == ID && id.bytes().all(|b| b.is_ascii_hexdigit()) {
                if let Ok(specification) = specification(&directory, id) {
                    announce(place, id, &specification)?;
                }
                unlinkat(&directory, id, AtFlags::empty())?;
                announced += 1;
            }
        }
        let mut fds = [PollFd::new(&watch, PollFlags::IN)];
        poll(&mut fds, Some(&NOTICE))?;
        // what is new is looked up, not read off
        let mut room = [0u8; 4096];
        while rustix::io::read(&watch, &mut room).is_ok_and(|read| read > 0) {}
    }
    Ok(())
}

/// The OCI specification in what the runtime told the kubelet.
fn specification(directory: &OwnedFd, id: &str) -> io::Result<Value> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat2(directory, id, flags, Mode::empty(), ResolveFlags::BENEATH)?;
    let mut text = String::new();
    fs::File::from(file)
        .take(MAX_INFO)
        .read_to_string(&mut text)?;
    let mut info: Value = serde_json::from_str(&text)?;
    match info["runtimeSpec"].take() {
        Value::Object(specification) => Ok(Value::Object(specification)),
        _ => Err(io::Error::other("no specification")),
    }
}

fn announce(place: &Path, id: &str, specification: &Value) -> io::Result<()> {
    let bundle = place.join(id);
    fs::create_dir_all(&bundle)?;
    fs::write(bundle.join("config.json"), specification.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn what_the_kubelet_says_is_copied_and_links_of_the_node_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (root, place) = (
            directory.path().join("node"),
            directory.path().join("place"),
        );
        let inside = root.join(PLACE);
        fs::create_dir_all(&inside).unwrap();
        let secret = directory.path().join("secret");
        fs::write(&secret, r#"{"runtimeSpec": {"stolen": true}}"#).unwrap();
        let (good, bad, link) = ("a".repeat(ID), "b".repeat(ID), "c".repeat(ID));
        fs::write(inside.join("short"), "{}").unwrap();
        fs::write(inside.join(&bad), "{").unwrap();
        std::os::unix::fs::symlink(&secret, inside.join(&link)).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let relaying = scope.spawn(|| relay(&root, &place, &stop));
            // what was there before is looked at, and what is new
            let draft = root.join("draft");
            fs::write(
                &draft,
                r#"{"pid": 1, "runtimeSpec": {"hostname": "web-0"}}"#,
            )
            .unwrap();
            fs::rename(&draft, inside.join(&good)).unwrap();
            let deadline = Instant::now() + Duration::from_secs(20);
            while [&good, &bad, &link]
                .iter()
                .any(|id| inside.join(id).symlink_metadata().is_ok())
                && Instant::now() < deadline
            {
                std::thread::sleep(PAUSE);
            }
            stop.store(true, Relaxed);
            relaying.join().unwrap().unwrap();
        });
        let config = fs::read_to_string(place.join(&good).join("config.json")).unwrap();
        assert_eq!(config, r#"{"hostname":"web-0"}"#);
        assert!(!place.join(&bad).exists() && !place.join(&link).exists());
        assert!(inside.join("short").exists());
    }
}
