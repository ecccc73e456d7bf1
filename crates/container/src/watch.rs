//! Looks at containers when their runtimes make them, not when their first event is handled: one that lives for
//! milliseconds may have been taken away again by then.
//!
//! A thread watches (inotify) the directories in which runtimes make one for each container, and keeps what it reads
//! there until somebody asks for it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

use crate::locate::{Engine, Located};
use crate::metadata::Metadata;
use crate::{Runtimes, containerd, oci, storage};

/// Containers whose description is kept until their first event; the oldest go first.
const MAX_KEPT: usize = 4096;
/// Containers that are looked for at the same time.
const MAX_PENDING: usize = 1024;
/// How long a container is looked for whose runtime has made a directory but not yet said what it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two looks.
const STEP: Duration = Duration::from_millis(2);
/// Pause between looks for directories that do not exist yet: a runtime may be installed or started later.
const LATER: Duration = Duration::from_secs(5);

/// What was found and nobody has asked for yet.
#[derive(Debug, Default)]
struct Kept {
    found: HashMap<String, Metadata>,
    order: VecDeque<String>,
}

/// The watch's results.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<Mutex<Kept>>);

impl Watch {
    /// Watches from when this returns on. Without inotify there is no watch, and containers are looked for at their first
    /// event only.
    pub(crate) fn start(runtimes: Runtimes) -> Self {
        let watch = Self::default();
        if let Ok(mut places) = Places::new(runtimes) {
            let kept = watch.clone();
            // A thread that cannot be started leaves the watch empty.
            let _ = std::thread::Builder::new()
                .name("containers".to_owned())
                .spawn(move || {
                    let _ = kept.run(&mut places);
                });
        }
        watch
    }

    /// What was read of a container, once.
    pub(crate) fn take(&self, id: &str) -> Option<Metadata> {
        self.0.lock().ok()?.found.remove(id)
    }

    fn keep(&self, metadata: Metadata) {
        let Ok(mut kept) = self.0.lock() else { return };
        kept.order.push_back(metadata.id.clone());
        kept.found.insert(metadata.id.clone(), metadata);
        while kept.order.len() > MAX_KEPT {
            if let Some(oldest) = kept.order.pop_front() {
                kept.found.remove(&oldest);
            }
        }
    }

    fn run(&self, places: &mut Places) -> rustix::io::Result<()> {
        let mut pending: VecDeque<(String, Instant)> = VecDeque::new();
        loop {
            places.look();
            places.wait(if pending.is_empty() { LATER } else { STEP })?;
            places.made(|id| {
                if pending.len() < MAX_PENDING {
                    pending.push_back((id.to_owned(), Instant::now()));
                }
            });
            pending.retain(|(id, since)| {
                let located = Located {
                    id: id.clone(),
                    engine: Engine::Other,
                    is_certain: true,
                };
                match places.runtimes.find(&located) {
                    Some(metadata) => {
                        self.keep(metadata);
                        false
                    }
                    None => since.elapsed() < PATIENCE,
                }
            });
        }
    }
}

/// The directories that are watched.
struct Places {
    runtimes: Runtimes,
    inotify: OwnedFd,
    watched: BTreeMap<i32, PathBuf>,
    looked: Option<Instant>,
}

impl Places {
    fn new(runtimes: Runtimes) -> rustix::io::Result<Self> {
        let mut places = Self {
            runtimes,
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            watched: BTreeMap::new(),
            looked: None,
        };
        places.look();
        Ok(places)
    }

    /// Watches what has appeared since it looked last.
    fn look(&mut self) {
        if self.looked.is_some_and(|at| at.elapsed() < LATER) {
            return;
        }
        self.looked = Some(Instant::now());
        for place in places(&self.runtimes.root) {
            if !self.watched.values().any(|known| *known == place) {
                let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
                if let Ok(id) = inotify::add_watch(&self.inotify, &place, flags) {
                    self.watched.insert(id, place);
                }
            }
        }
    }

    fn wait(&self, most: Duration) -> rustix::io::Result<()> {
        let most = Timespec {
            tv_sec: most.as_secs() as i64,
            tv_nsec: i64::from(most.subsec_nanos()),
        };
        let mut fds = [PollFd::from_borrowed_fd(
            self.inotify.as_fd(),
            PollFlags::IN,
        )];
        match poll(&mut fds, Some(&most)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Names of the directories that were made.
    fn made(&mut self, mut tell: impl FnMut(&str)) {
        let mut room = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.inotify, &mut room);
        while let Ok(event) = reader.next() {
            if event.events().contains(ReadFlags::IGNORED) {
                self.watched.remove(&event.wd());
                continue;
            }
            let name = event.file_name().and_then(|name| name.to_str().ok());
            let Some(name) = name.filter(|_| event.events().contains(ReadFlags::ISDIR)) else {
                continue;
            };
            // a namespace of containerd is a place, not a container
            let place = self.watched.get(&event.wd());
            if place.is_some_and(|place| place.ends_with(containerd::TASKS)) {
                self.looked = None;
            } else {
                tell(name);
            }
        }
    }
}

/// The directories in which a directory for each container appears.
fn places(root: &Path) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = oci::STATES.iter().map(|state| root.join(state)).collect();
    out.push(root.join(storage::STORAGE));
    out.extend(containerd::places(root));
    out.retain(|place| place.is_dir());
    out
}
