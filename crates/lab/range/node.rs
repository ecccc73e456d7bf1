//! What a node does by itself: keeps its package lists fresh and turns its logs over. Part of the benign soak.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::fail;

/// While this file is there, the jobs run; otherwise they would stand between the steps of an attack.
const SWITCH: &str = "/run/range/soak";
/// Pause between two rounds of jobs: often enough that a short soak sees several.
const PERIOD: Duration = Duration::from_secs(5);
/// Where containers' logs lie on a node.
const LOGS: &str = "/var/log/pods";

/// Runs the node's jobs for ever.
pub(crate) fn crond(_: &[String]) -> ExitCode {
    loop {
        std::thread::sleep(PERIOD);
        if Path::new(SWITCH).exists() {
            for job in [&["apt-get", "update"][..], &["logrotate", LOGS]] {
                if let Err(error) = Command::new(job[0]).args(&job[1..]).status() {
                    eprintln!("crond: {}: {error}", job[0]);
                }
            }
        }
    }
}

/// `logrotate DIRECTORY`: every log becomes `.1` and starts anew.
pub(crate) fn logrotate(arguments: &[String]) -> ExitCode {
    let directory = arguments.first().map_or(LOGS, String::as_str);
    match turn(Path::new(directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail("logrotate", 1, format!("{directory}: {error}")),
    }
}

fn turn(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            fs::rename(&path, path.with_extension("log.1"))?;
            fs::write(&path, "")?;
        }
    }
    Ok(())
}
