//! The gate: the way of the attacker's requests into the lab's network, and of the step marks into the event stream.
//!
//! The lab's runner lives outside the lab's network. It speaks to this part over a Unix socket, one request a connection:
//! `http HOST:PORT`, a new line and then bytes that are handed on both ways; or `mark NAME`, which opens the file of that
//! name below [`MARKS`], so that the recording itself says where a step begins and ends.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::time::Duration;

use crate::{fail, hosts};

const SOCKET: &str = "/run/range/gate.sock";
/// Opening a file below this directory marks a step.
const MARKS: &str = "/run/range/steps";

/// `range-gate`.
pub(crate) fn run(_: &[String]) -> ExitCode {
    let _ = fs::remove_file(SOCKET);
    let listener = match UnixListener::bind(SOCKET) {
        Ok(listener) => listener,
        Err(error) => return fail("range-gate", 1, format!("{SOCKET}: {error}")),
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
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    match line.trim_end().split_once(' ') {
        Some(("mark", name)) if !name.contains('/') && !name.starts_with('.') => {
            let opened = fs::File::open(format!("{MARKS}/{name}"));
            writeln!(
                writer,
                "{}",
                if opened.is_ok() { "ok" } else { "no such mark" }
            )
        }
        Some(("http", place)) => {
            let address =
                hosts::socket(place, 8080).ok_or_else(|| io::Error::other("no such host"))?;
            let mut out = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
            let mut back = out.try_clone()?;
            let answers = std::thread::spawn(move || {
                let copied = io::copy(&mut back, &mut writer);
                let _ = writer.shutdown(Shutdown::Write);
                copied
            });
            io::copy(&mut reader, &mut out)?;
            out.shutdown(Shutdown::Write)?;
            let _ = answers.join();
            Ok(())
        }
        _ => writeln!(writer, "say `mark NAME` or `http HOST:PORT`"),
    }
}
