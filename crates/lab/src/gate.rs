//! The way into the lab's network: requests as the attacker sends them, and marks between steps.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Most bytes of an answer that are kept.
const MAX_ANSWER: u64 = 1 << 20;
/// How long an answer may take. The slowest request runs the miner, at most 20 seconds, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// The lab's gate.
#[derive(Clone, Debug)]
pub struct Gate {
    socket: PathBuf,
}

impl Gate {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    fn open(&self, line: &str) -> io::Result<UnixStream> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        writeln!(stream, "{line}")?;
        Ok(stream)
    }

    /// Writes a mark into the stream of events: the gate opens the file of this name in the directory of marks.
    pub fn mark(&self, name: &str) -> io::Result<()> {
        let mut stream = self.open(&format!("mark {name}"))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.trim() == "ok" {
            Ok(())
        } else {
            Err(io::Error::other(format!(
                "the mark {name}: {}",
                answer.trim()
            )))
        }
    }

    /// Sends a request to a host of the lab and gives the body of the answer. The status is not looked at.
    pub fn http(&self, place: &str, method: &str, path: &str, form: &str) -> io::Result<String> {
        let mut stream = self.open(&format!("http {place}"))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {place}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        )?;
        stream.shutdown(Shutdown::Write)?;
        let mut bytes = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text
            .split_once("\r\n\r\n")
            .map_or_else(String::new, |(_, body)| body.to_owned()))
    }

    /// Has the vulnerable service run a command, and gives what it printed.
    pub fn exec(&self, command: &str) -> io::Result<String> {
        self.http(
            crate::pod::WEB,
            "POST",
            "/exec",
            &format!("command={}", encode(command)),
        )
    }

    /// Has the vulnerable service read a file.
    pub fn get(&self, path: &str) -> io::Result<String> {
        self.http(crate::pod::WEB, "GET", path, "")
    }

    /// Has the vulnerable service write a file.
    pub fn post(&self, path: &str, content: &str) -> io::Result<String> {
        self.http(
            crate::pod::WEB,
            "POST",
            path,
            &format!("content={}", encode(content)),
        )
    }
}

/// Text as forms carry it.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn forms_carry_any_text() {
        assert_eq!(
            super::encode("a b&c=\"d\"/é"),
            "a%20b%26c%3D%22d%22%2F%C3%A9"
        );
    }
}
