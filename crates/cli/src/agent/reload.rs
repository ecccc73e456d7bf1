//! Rules and configuration, read again when their files change or on SIGHUP.
//!
//! A thread of its own watches, reads and compiles, so that events never wait for it; the event loop only takes over what
//! is ready. What is faulty is logged and counted, and what is at work stays.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::config::{Config, Server, Values};
use super::log::Log;
use super::rules::{self, Ready, Sources};

/// How long files must be quiet before they are read: editors and mounts change several in a row.
const QUIET: Duration = Duration::from_millis(200);
/// Longest wait for quiet; a file that changes all the time is read nevertheless.
const MOST_QUIETS: u32 = 25;
/// Most directories that are watched: one descriptor's worth of kernel memory each, and no real set of rules has more.
const MAX_WATCHES: usize = 1024;
/// Largest configuration file in bytes; a real one has some hundred.
const MAX_CONFIG: u64 = 1 << 20;

/// Where the configuration comes from, so that it can be read again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// The file, if there is one.
    pub(crate) file: Option<PathBuf>,
    /// `KEY=VALUE` and other settings of the command line, which win over the file.
    pub(crate) overrides: Vec<(String, super::config::Value)>,
    /// `--set` options.
    pub(crate) set: Vec<String>,
}

impl Origin {
    /// Reads the configuration: defaults, file, command line.
    pub(crate) fn read(&self) -> anyhow::Result<Values> {
        let mut values = match &self.file {
            None => Values::default(),
            Some(file) => read_file(file)?,
        };
        for option in &self.set {
            values
                .set(option)
                .map_err(|fault| anyhow::anyhow!("{fault}"))?;
        }
        for (path, value) in &self.overrides {
            values.put(path, value.clone());
        }
        Ok(values)
    }
}

/// Reads a configuration file over the defaults; all faults are in the error's text.
pub(crate) fn read_file(file: &Path) -> anyhow::Result<Values> {
    let name = file.display().to_string();
    let what = || format!("reading configuration {name}");
    let mut text = String::new();
    std::fs::File::open(file)
        .with_context(what)?
        .take(MAX_CONFIG)
        .read_to_string(&mut text)
        .with_context(what)?;
    Values::read(&name, &text).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", faults.join("\n"))
    })
}

/// What was read again and is sound.
pub(crate) struct Fresh {
    pub(crate) config: Config,
    pub(crate) rules: Ready,
    /// The reason was SIGHUP, which also asks outputs to reopen their files.
    pub(crate) signalled: bool,
}

/// Counters, shared with the metrics page.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) done: AtomicU64,
    pub(crate) failed: AtomicU64,
}

/// The event loop's end of the thread.
pub(crate) struct Reload {
    pub(crate) fresh: Receiver<Fresh>,
    pub(crate) counts: Arc<Counts>,
}

/// Starts the thread. `sources` are the rule files at work.
pub(crate) fn start(
    origin: Origin,
    config: &Config,
    sources: &Sources,
    hostname: &Arc<str>,
    log: &Log,
) -> anyhow::Result<Reload> {
    let (hangup, write) = UnixStream::pair().context("making a pipe for signals")?;
    hangup
        .set_nonblocking(true)
        .context("making a pipe for signals")?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGHUP, write)
        .context("listening for SIGHUP")?;
    let counts = Arc::new(Counts::default());
    let (send, fresh) = channel();
    let worker = Worker {
        origin,
        hostname: Arc::clone(hostname),
        log: log.clone(),
        counts: Arc::clone(&counts),
        send,
        hangup,
        seen: fingerprint(config, sources),
    };
    let config = config.clone();
    std::thread::Builder::new()
        .name("reload".to_owned())
        .spawn(move || worker.run(config))
        .context("starting a thread")?;
    Ok(Reload { fresh, counts })
}

struct Worker {
    origin: Origin,
    hostname: Arc<str>,
    log: Log,
    counts: Arc<Counts>,
    send: Sender<Fresh>,
    hangup: UnixStream,
    seen: u64,
}

impl Worker {
    fn run(mut self, mut config: Config) {
        loop {
            // what the server gives is always taken up; files only where they are to be watched
            let mut watched = BTreeSet::new();
            if config.watch {
                watched = places(&self.origin, &config);
            }
            watched.extend(config.server.as_ref().and_then(Server::bundle_dir));
            let watch = if watched.is_empty() {
                None
            } else {
                match watch(&watched) {
                    Ok(watch) => Some(watch),
                    Err(error) => {
                        self.log.warn(
                            "files cannot be watched; send SIGHUP after changes",
                            &[("error", &error)],
                        );
                        None
                    }
                }
            };
            let Some(signalled) = self.wait(watch.as_ref()) else {
                return;
            };
            if let Some(next) = self.reload(signalled) {
                config = next;
            }
        }
    }

    /// Waits for a reason to read again: true for SIGHUP, false for a changed file. `None` when waiting is impossible.
    fn wait(&mut self, watch: Option<&std::fs::File>) -> Option<bool> {
        let mut changed = false;
        let mut quiets = 0;
        loop {
            let mut fds = vec![PollFd::from_borrowed_fd(self.hangup.as_fd(), PollFlags::IN)];
            if let Some(watch) = watch {
                fds.push(PollFd::from_borrowed_fd(watch.as_fd(), PollFlags::IN));
            }
            let quiet = Timespec {
                tv_sec: 0,
                tv_nsec: i64::from(QUIET.subsec_nanos()),
            };
            match poll(&mut fds, changed.then_some(&quiet)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return None,
            }
            let (hangup, file) = (
                !fds[0].revents().is_empty(),
                fds.get(1).is_some_and(|fd| !fd.revents().is_empty()),
            );
            drop(fds);
            if hangup {
                drain(&mut self.hangup);
                return Some(true);
            }
            if file && let Some(mut watch) = watch {
                drain(&mut watch);
                changed = true;
                quiets += 1;
            }
            if changed && (!file || quiets >= MOST_QUIETS) {
                return Some(false);
            }
        }
    }

    /// Reads and compiles. The configuration from now on, when it is sound.
    fn reload(&mut self, signalled: bool) -> Option<Config> {
        let failed = |error: &dyn std::fmt::Display| {
            self.counts.failed.fetch_add(1, Relaxed);
            self.log.error(
                "cannot use what was read again; the rules and configuration at work stay",
                &[("error", error)],
            );
        };
        let config = match self.origin.read() {
            Ok(values) => Config::from(&values),
            Err(error) => {
                failed(&format!("{error:#}"));
                return None;
            }
        };
        let sources = match rules::read(&config) {
            Ok(sources) => sources,
            Err(error) => {
                failed(&format!("{error:#}"));
                return None;
            }
        };
        let seen = fingerprint(&config, &sources);
        if !signalled && seen == self.seen {
            return None;
        }
        let ready = match rules::compile(&sources, &config, &self.hostname) {
            Ok(ready) => ready,
            Err(errors) => {
                for error in errors {
                    failed(&error);
                }
                return None;
            }
        };
        self.seen = seen;
        let fresh = Fresh {
            config: config.clone(),
            rules: ready,
            signalled,
        };
        self.send.send(fresh).ok()?;
        Some(config)
    }
}

fn drain(from: &mut impl Read) {
    let mut room = [0; 4096];
    while from.read(&mut room).is_ok_and(|n| n > 0) {}
}

/// The files and directories of policies and of lists of known-bad files.
fn guarded(config: &Config) -> impl Iterator<Item = &PathBuf> {
    config
        .guard
        .iter()
        .flat_map(|guard| guard.policies.iter().chain(&guard.feeds))
}

/// Stands for the content of rules and configuration.
fn fingerprint(config: &Config, sources: &Sources) -> u64 {
    let mut hasher = DefaultHasher::new();
    sources.texts.hash(&mut hasher);
    // policies of the server are in it, too
    sources.version.hash(&mut hasher);
    format!("{config:?}").hash(&mut hasher);
    // policies and lists by size and time: a list can be large
    for path in guarded(config) {
        let mut files = vec![path.clone()];
        if path.is_dir() {
            let _ = crate::rulefiles::walk(path, &mut files);
            files.sort();
        }
        for file in files {
            let meta = file.metadata().ok();
            let when = meta.map(|meta| (meta.len(), meta.modified().ok()));
            (file, when).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// The directories whose changes matter: a file is watched through its directory, since editors and Kubernetes put a new
/// file in the place of the old.
fn places(origin: &Origin, config: &Config) -> BTreeSet<PathBuf> {
    let mut out = BTreeSet::new();
    let mut add_file = |file: &Path| {
        let parent = file
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        out.insert(parent.map_or_else(|| PathBuf::from("."), Path::to_path_buf));
    };
    if let Some(file) = &origin.file {
        add_file(file);
    }
    let mut dirs = Vec::new();
    for path in config.rules.iter().chain(guarded(config)) {
        if path.is_dir() {
            dirs.push(path.clone());
        } else {
            add_file(path);
        }
    }
    while let Some(dir) = dirs.pop() {
        if out.len() >= MAX_WATCHES {
            break;
        }
        let inside = std::fs::read_dir(&dir).into_iter().flatten().flatten();
        dirs.extend(
            inside
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
        out.insert(dir);
    }
    out
}

fn watch(places: &BTreeSet<PathBuf>) -> std::io::Result<std::fs::File> {
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    for place in places {
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::CREATE
            | WatchFlags::DELETE;
        // a directory that is gone may come back with the next change around it
        match inotify::add_watch(&watch, place, flags) {
            Ok(_) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(watch.into())
}
