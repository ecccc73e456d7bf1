//! A program: alerts go to the standard input of a shell command, which is started again when it has ended.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::{Failure, Line, Output};

/// Feeds lines to a command.
#[derive(Debug)]
pub struct Program {
    command: String,
    keep_alive: bool,
    running: Option<(Child, ChildStdin)>,
}

impl Program {
    /// `command` is run by `/bin/sh -c`: with `keep_alive` once, fed line by line; without, once for each alert.
    pub fn new(command: String, keep_alive: bool) -> Self {
        Self {
            command,
            keep_alive,
            running: None,
        }
    }

    fn start(&self) -> Result<(Child, ChildStdin), Failure> {
        let what = || format!("starting `{}`", self.command);
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(&self.command)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(Failure::io(what()))?;
        match child.stdin.take() {
            Some(stdin) => Ok((child, stdin)),
            None => Err(Failure::Refused(what())),
        }
    }

    fn feed(&mut self, text: &str) -> Result<(), Failure> {
        let what = format!("writing to `{}`", self.command);
        if self.running.is_none() {
            self.running = Some(self.start()?);
        }
        let Some((_, stdin)) = &mut self.running else {
            return Ok(());
        };
        let written = stdin
            .write_all(text.as_bytes())
            .and_then(|()| stdin.flush());
        if written.is_err() {
            self.end();
        }
        written.map_err(Failure::io(what))
    }

    /// Closes the command's input and waits for it, so that no zombie stays.
    fn end(&mut self) {
        if let Some((mut child, stdin)) = self.running.take() {
            drop(stdin);
            let _ = child.wait();
        }
    }
}

impl Output for Program {
    fn deliver(&mut self, lines: &[Line]) -> Result<(), Failure> {
        for line in lines {
            let text = format!("{}\n", line.text);
            // A kept command that ended since the last alert is started once more for this one.
            let again = self.running.is_some();
            let sent = match self.feed(&text) {
                Err(_) if again => self.feed(&text),
                sent => sent,
            };
            if !self.keep_alive {
                self.end();
            }
            sent?;
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        self.end();
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_event::Priority;

    fn lines() -> Vec<Line> {
        ["one", "two"]
            .map(|text| Line {
                text: text.to_owned(),
                priority: Priority::Alert,
            })
            .to_vec()
    }

    #[test]
    fn each_alert_gets_its_own_run_unless_the_command_is_kept() {
        for (keep_alive, wanted) in [(false, "one\n.\ntwo\n.\n"), (true, "one\ntwo\n.\n")] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("out");
            let command = format!("{{ cat; echo .; }} >> {}", path.display());
            let mut output = Program::new(command, keep_alive);
            output.deliver(&lines()).unwrap();
            drop(output);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), wanted);
        }
    }

    #[test]
    fn a_command_that_cannot_read_is_a_failure() {
        let mut output = Program::new("exec 0<&-; sleep 0.3; exit 3".to_owned(), true);
        let big = Line {
            text: "x".repeat(1 << 20),
            priority: Priority::Alert,
        };
        assert!(output.deliver(&[big]).is_err());
    }
}
