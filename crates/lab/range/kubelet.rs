//! The node's kubelet: has the container runtime make the pods that were prepared, and those that the API server schedules.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::{cri, fail};

/// One directory for each pod: its `pod` and `container` as the runtime's interface has them, and `started` when it runs
/// from the beginning.
const PODS: &str = "/run/range/pods";
/// The images, in one archive, and their names, one a line.
const IMAGES: &str = "/run/range/images.tar";
const NAMES: &str = "/run/range/images";
/// Where the API server says what to start.
const SOCKET: &str = "/run/range/kubelet.sock";
/// What agents on the machine are to know is put here, and is taken away when they can.
const ANNOUNCE: &str = "/run/range/announce";
/// What the node's runner waits for.
const READY: &str = "/run/range/ready";
/// How long the runtime may take to come up, and to know its images.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long agents may take to know a container. It starts without, rather than never.
const KNOWN: Duration = Duration::from_secs(5);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);
/// Most bytes of a request.
const MAX_REQUEST: u64 = 256;

/// `kubelet`.
pub(crate) fn run(_: &[String]) -> ExitCode {
    match bring_up() {
        Ok(listener) => {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let _ = answer(stream);
                });
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            let code = fail("kubelet", 1, error);
            let _ = fs::write(READY, "failed\n");
            code
        }
    }
}

fn bring_up() -> io::Result<UnixListener> {
    let version = until("the runtime does not answer", || cri::version().ok())?;
    println!("kubelet: {version}");
    let status = Command::new("ctr")
        .args(["-n", "k8s.io", "images", "import", IMAGES])
        .status()?;
    if !status.success() {
        return Err(io::Error::other("the images could not be imported"));
    }
    fs::remove_file(IMAGES)?;
    for name in fs::read_to_string(NAMES)?.lines() {
        until("an image did not arrive", || {
            cri::has_image(name).ok().filter(|has| *has)
        })?;
    }
    let mut starts = Vec::new();
    for entry in fs::read_dir(PODS)? {
        let pod = entry?.path();
        if pod.join("started").exists() {
            starts.push(std::thread::spawn(move || start(&pod)));
        }
    }
    for start in starts {
        start
            .join()
            .map_err(|_| io::Error::other("a pod's thread ended by itself"))??;
    }
    UnixListener::bind(SOCKET)
}

fn until<T>(otherwise: &str, look: impl Fn() -> Option<T>) -> io::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(io::Error::other(otherwise.to_owned()));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Has a prepared pod made and started.
fn start(pod: &Path) -> io::Result<()> {
    let of_pod = fs::read(pod.join("pod"))?;
    let container = fs::read(pod.join("container"))?;
    let sandbox = cri::run_pod(&of_pod)?;
    announce(&sandbox, &cri::pod_info(&sandbox)?)?;
    let id = cri::create(&sandbox, &container, &of_pod)?;
    // before its first program runs, which is to have a name
    let announced = announce(&id, &cri::container_info(&id)?)?;
    let deadline = Instant::now() + KNOWN;
    while announced.exists() && Instant::now() < deadline {
        std::thread::sleep(PAUSE);
    }
    cri::start(&id)
}

fn announce(id: &str, info: &str) -> io::Result<PathBuf> {
    let place = Path::new(ANNOUNCE).join(id);
    // in one piece
    let draft = place.with_extension("draft");
    fs::write(&draft, info)?;
    fs::rename(&draft, &place)?;
    Ok(place)
}

/// Answers the API server.
fn answer(stream: UnixStream) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_REQUEST)).read_line(&mut line)?;
    let name = line.trim_end();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let started = !name.is_empty()
        && name.chars().all(plain)
        && start(&Path::new(PODS).join(name))
            .inspect_err(|error| eprintln!("kubelet: {name}: {error}"))
            .is_ok();
    writeln!(writer, "{}", if started { "started" } else { "failed" })
}

/// Asks the kubelet to start a prepared pod.
pub(crate) fn schedule(name: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(SOCKET)?;
    writeln!(stream, "{name}")?;
    let mut answer = String::new();
    stream.take(MAX_REQUEST).read_to_string(&mut answer)?;
    Ok(answer)
}

/// `pause`: the first process of a pod, which holds its namespaces open.
pub(crate) fn pause(_: &[String]) -> ExitCode {
    loop {
        std::thread::park();
    }
}
