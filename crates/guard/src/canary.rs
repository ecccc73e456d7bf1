//! The proof that prevention works on this machine now: something that must be refused is tried.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};

use crate::{Error, Gate};

impl Gate {
    /// Tries to start a program of our own that the gate must refuse. Takes some milliseconds; call it at the start and
    /// every minute. The same way as every other decision: kernel, thread, answer.
    pub fn prove(&self) -> Result<(), Error> {
        let failed = |what: &str| Error::Canary(format!("prevention by fanotify {what}"));
        let path = self
            .canary_dir
            .join(format!("vedette-canary-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        let tried = (|| -> io::Result<io::Result<bool>> {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o700)
                .open(&path)?;
            file.write_all(b"#!/bin/sh\nexit 0\n")?;
            let meta = file.metadata()?;
            // a file that is open for writing cannot be started
            drop(file);
            self.set_canary(Some((meta.dev(), meta.ino())));
            self.guard_file(&path)?;
            Ok(Command::new(&path)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .map(|status| status.success()))
        })();
        self.set_canary(None);
        let _ = fs::remove_file(&path);
        match tried {
            Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Ok(Ok(_)) => Err(failed("let the canary run")),
            Ok(Err(error)) => Err(failed(&format!("could not be proved: {error}"))),
            Err(error) => Err(failed(&format!("could not be tried: {error}"))),
        }
    }
}

/// Runs something in a thread with a mount namespace of its own, whose number it is told: where a canary for the kernel's
/// own mechanisms can be let loose without touching anybody.
pub fn in_namespace_of_its_own<T: Send + 'static>(
    then: impl FnOnce(u32) -> T + Send + 'static,
) -> io::Result<T> {
    std::thread::Builder::new()
        .name("canary".into())
        .spawn(move || {
            unshare(CloneFlags::CLONE_NEWNS)
                .map_err(|errno| io::Error::from_raw_os_error(errno as i32))?;
            let link = fs::read_link("/proc/thread-self/ns/mnt")?;
            let number = link
                .to_str()
                .and_then(|t| t.strip_prefix("mnt:[")?.strip_suffix(']')?.parse().ok())
                .ok_or_else(|| io::Error::other("the mount namespace has no number"))?;
            Ok(then(number))
        })?
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the canary's thread ended early")))
}
