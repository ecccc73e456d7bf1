//! The client of the container runtime, and a daemon for nodes that have no containerd.
//!
//! The daemon answers on containerd's own socket path and hands the work to the real `runc`, as containerd does; what it
//! speaks there is one line of words, not CRI. Containers are those of a table that the lab's runner writes; where there is
//! no such table, the runtime is the real one.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use crate::cri::{self, SOCKET};
use crate::{fail, kubelet};

const BUNDLES: &str = "/run/containerd/io.containerd.runtime.v2.task/k8s.io";
/// One container a line: id, name, pod, namespace, image; between tabs.
const TABLE: &str = "/run/range/containers";
/// Where runc keeps the state of containers that run.
const RUNNING: &str = "/run/runc";
/// Most bytes of a request.
const MAX_REQUEST: u64 = 64 << 10;
/// Between the words of a request.
const BLANK: char = '\u{1f}';

/// `containerd`.
pub(crate) fn daemon(_: &[String]) -> ExitCode {
    let _ = fs::create_dir_all("/run/containerd");
    let _ = fs::remove_file(SOCKET);
    let listener = match UnixListener::bind(SOCKET) {
        Ok(listener) => listener,
        Err(error) => return fail("containerd", 1, format!("{SOCKET}: {error}")),
    };
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let _ = answer(stream);
        });
    }
    ExitCode::SUCCESS
}

fn answer(stream: UnixStream) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_REQUEST)).read_line(&mut line)?;
    let words: Vec<&str> = line.trim_end_matches('\n').split(BLANK).collect();
    match words.as_slice() {
        ["list"] => {
            for row in fs::read_to_string(TABLE)?.lines() {
                let id = row.split('\t').next().unwrap_or_default();
                if Path::new(RUNNING).join(id).exists() {
                    writeln!(writer, "{row}")?;
                }
            }
            Ok(())
        }
        ["exec", id, command @ ..] if known(id) => {
            let output = Command::new("runc")
                .arg("exec")
                .arg(id)
                .args(command)
                .output()?;
            writer.write_all(&output.stdout)?;
            writer.write_all(&output.stderr)
        }
        ["start", id] if known(id) => {
            let status = Command::new("runc")
                .args([
                    "run",
                    "--detach",
                    "--bundle",
                    &format!("{BUNDLES}/{id}"),
                    id,
                ])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()?;
            writeln!(
                writer,
                "{}",
                if status.success() {
                    "started"
                } else {
                    "failed"
                }
            )
        }
        _ => writeln!(writer, "no such request"),
    }
}

fn known(id: &str) -> bool {
    fs::read_to_string(TABLE)
        .is_ok_and(|table| table.lines().any(|row| row.split('\t').next() == Some(id)))
}

/// Sends a request to the daemon and gives its answer.
fn request(words: &[&str]) -> io::Result<String> {
    let mut stream = UnixStream::connect(SOCKET)?;
    writeln!(stream, "{}", words.join(&BLANK.to_string()))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Whether the daemon is this program's.
fn is_played() -> bool {
    Path::new(TABLE).exists()
}

/// Starts a workload that was prepared, by the name of its container. Gives whether it runs.
pub(crate) fn start(name: &str) -> bool {
    let answer = if is_played() {
        id_of(name).map_or_else(|| Ok(String::new()), |id| request(&["start", &id]))
    } else {
        kubelet::schedule(name)
    };
    answer.is_ok_and(|answer| answer.trim() == "started")
}

/// The containers that run, each a line as the table has them.
pub(crate) fn rows() -> io::Result<String> {
    if is_played() {
        return request(&["list"]);
    }
    let row = |c: cri::Container| [c.id, c.name, c.pod, c.namespace, c.image].join("\t") + "\n";
    Ok(cri::list()?.into_iter().map(row).collect())
}

/// The id of the container of this name in the daemon's table, running or not.
fn id_of(name: &str) -> Option<String> {
    let table = fs::read_to_string(TABLE).ok()?;
    table.lines().find_map(|row| {
        let mut columns = row.split('\t');
        let id = columns.next()?;
        (columns.next()? == name).then(|| id.to_owned())
    })
}

/// `crictl ps [--name PREFIX] [-q]` and `crictl exec ID COMMAND…`.
pub(crate) fn crictl(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["ps", options @ ..] => rows().map(|rows| {
            print!("{}", list(&rows, options));
            ExitCode::SUCCESS
        }),
        ["exec", id, command @ ..] => exec(id, command),
        _ => return fail("crictl", 2, "ps or exec?"),
    };
    done.unwrap_or_else(|error| fail("crictl", 1, format!("{SOCKET}: {error}")))
}

fn exec(id: &str, command: &[&str]) -> io::Result<ExitCode> {
    if is_played() {
        let words = [&["exec", id], command].concat();
        io::stdout().write_all(request(&words)?.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let output = cri::exec(id, command)?;
    io::stdout().write_all(&output.stdout)?;
    io::stderr().write_all(&output.stderr)?;
    Ok(ExitCode::from(u8::try_from(output.code).unwrap_or(u8::MAX)))
}

fn list(rows: &str, options: &[&str]) -> String {
    let quiet = options.contains(&"-q");
    let name = options
        .iter()
        .position(|option| *option == "--name")
        .and_then(|at| options.get(at + 1));
    let mut out = String::new();
    if !quiet {
        out.push_str("CONTAINER       NAME                  POD                   NAMESPACE\n");
    }
    for row in rows.lines() {
        let columns: Vec<&str> = row.split('\t').collect();
        let [id, container, pod, namespace, ..] = columns.as_slice() else {
            continue;
        };
        if name.is_some_and(|name| !container.starts_with(name)) {
            continue;
        }
        if quiet {
            out.push_str(&format!("{id}\n"));
        } else {
            let short: String = id.chars().take(13).collect();
            out.push_str(&format!(
                "{short:<15} {container:<21} {pod:<21} {namespace}\n"
            ));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_listed_by_name() {
        let rows = "aa\thello-client\tp1\thello\timg\nbb\tgunicorn\tp2\tweb\timg\n";
        assert_eq!(list(rows, &["--name", "hello-client", "-q"]), "aa\n");
        assert_eq!(list(rows, &[]).lines().count(), 3);
    }
}
