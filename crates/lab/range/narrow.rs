//! `runc` as the node's containerd finds it: the real one, told not to give capabilities that the node itself gave up.
//!
//! containerd gives the first process of every pod a fixed set of them, and runc refuses to give what it has not got.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::fail;

/// The real one.
const RUNC: &str = "/usr/bin/runc";
/// Names of what the node gave up, one a line.
const GIVEN_UP: &str = "/run/range/given-up";

/// `runc`, with whatever arguments.
pub(crate) fn runc(arguments: &[String]) -> ExitCode {
    let makes = arguments.iter().any(|word| word == "create");
    let bundle = arguments
        .iter()
        .position(|word| word == "--bundle")
        .and_then(|at| arguments.get(at + 1));
    if let (true, Some(bundle)) = (makes, bundle)
        && let Err(error) = narrow(&Path::new(bundle).join("config.json"))
    {
        return fail("runc", 1, format!("{bundle}: {error}"));
    }
    // this process becomes the real one
    fail("runc", 1, Command::new(RUNC).args(arguments).exec())
}

fn narrow(config: &Path) -> io::Result<()> {
    let before = fs::read_to_string(config)?;
    let after = without(&before, &fs::read_to_string(GIVEN_UP)?);
    if after == before {
        return Ok(());
    }
    // in one piece, for those who read it meanwhile
    let draft = config.with_extension("narrowed");
    fs::write(&draft, after)?;
    fs::rename(draft, config)
}

/// A specification without these capabilities, as texts of lists.
fn without(config: &str, names: &str) -> String {
    names.lines().fold(config.to_owned(), |text, name| {
        let quoted = format!("\"CAP_{name}\"");
        text.replace(&format!("{quoted},"), "")
            .replace(&format!(",{quoted}"), "")
            .replace(&format!("[{quoted}]"), "[]")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_up_is_taken_out_wherever_it_stands() {
        let names = "MKNOD\nBPF\n";
        for (before, after) in [
            (r#"["CAP_MKNOD","CAP_KILL"]"#, r#"["CAP_KILL"]"#),
            (r#"["CAP_KILL","CAP_MKNOD"]"#, r#"["CAP_KILL"]"#),
            (r#"["CAP_MKNOD","CAP_BPF"]"#, "[]"),
            (r#"["CAP_KILL"]"#, r#"["CAP_KILL"]"#),
        ] {
            assert_eq!(without(before, names), after);
        }
    }
}
