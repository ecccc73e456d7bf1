//! The local syslog: RFC 3164 datagrams to `/dev/log`, facility user, level from the priority.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use crate::{Failure, Line, Output};

/// Facility "user-level messages" shifted into place (RFC 3164 §4.1.1).
const FACILITY_USER: u8 = 1 << 3;

/// Longest text of one datagram; more is cut, since the socket would refuse it.
const MAX_TEXT: usize = 60 * 1024;

/// Sends lines to a syslog socket.
#[derive(Debug)]
pub struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Syslog {
    /// Where the local syslog listens.
    pub const DEFAULT_SOCKET: &str = "/dev/log";

    /// Connects to the socket.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(path: &Path) -> Result<Self, Failure> {
        let what = || format!("connecting to the syslog socket {}", path.display());
        let socket = UnixDatagram::unbound().map_err(Failure::io(what()))?;
        socket.connect(path).map_err(Failure::io(what()))?;
        Ok(Self {
            socket,
            path: path.to_owned(),
        })
    }
}

impl Output for Syslog {
    fn deliver(&mut self, lines: &[Line]) -> Result<(), Failure> {
        for line in lines {
            let level = FACILITY_USER | line.priority as u8;
            let mut end = line.text.len().min(MAX_TEXT);
            while !line.text.is_char_boundary(end) {
                end -= 1;
            }
            let datagram = format!("<{level}>vedette: {}", &line.text[..end]);
            let send = |socket: &UnixDatagram| socket.send(datagram.as_bytes());
            if send(&self.socket).is_err() {
                // The daemon may have been restarted since: its old socket is dead, its new one has the same path.
                *self = Self::connect(&self.path)?;
                send(&self.socket)
                    .map_err(Failure::io(format!("sending to {}", self.path.display())))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_event::Priority;

    #[test]
    fn priorities_become_levels_and_a_restarted_daemon_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let mut output = Syslog::connect(&path).unwrap();
        let line = |priority| {
            [Line {
                text: "hello".to_owned(),
                priority,
            }]
        };
        output.deliver(&line(Priority::Critical)).unwrap();
        let mut room = [0; 64];
        let size = daemon.recv(&mut room).unwrap();
        assert_eq!(&room[..size], b"<10>vedette: hello");
        drop(daemon);
        std::fs::remove_file(&path).unwrap();
        let daemon = UnixDatagram::bind(&path).unwrap();
        output.deliver(&line(Priority::Debug)).unwrap();
        let size = daemon.recv(&mut room).unwrap();
        assert_eq!(&room[..size], b"<15>vedette: hello");
    }
}
