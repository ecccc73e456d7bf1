//! `vedette doctor`: what this machine allows.

use std::io::Write;
use std::process::ExitCode;

use vedette_sensor::{HookState, Sensor, Tier};

use super::exit;
use crate::table::Table;

/// Say what this machine's kernel allows, hook by hook
///
/// Exit code 3 when not even observation is possible.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Runs the subcommand.
pub(crate) fn run(_: &Args) -> anyhow::Result<ExitCode> {
    let found = Sensor::probe();
    let mut out = std::io::stdout().lock();
    writeln!(out, "kernel            {}", found.kernel)?;
    writeln!(
        out,
        "kernel types      {}",
        if found.btf {
            "published (BTF)"
        } else {
            "missing: nothing can be loaded"
        }
    )?;
    let lsm = if found.lsm.is_empty() {
        "not known (securityfs is not mounted)".to_owned()
    } else {
        found.lsm.join(", ")
    };
    writeln!(out, "security modules  {lsm}\n")?;
    let mut table = Table::new(&["HOOK", "STATE", "FOR"]);
    for hook in &found.hooks {
        let state = match hook.state {
            HookState::Works => "works".to_owned(),
            HookState::Refused(number) => {
                format!("refused: {}", std::io::Error::from_raw_os_error(number))
            }
            HookState::Missing => "missing".to_owned(),
        };
        table.row([hook.name.to_owned(), state, hook.purpose.to_owned()]);
    }
    out.write_all(table.render().as_bytes())?;
    let (tier, lost) = match found.tier {
        Tier::Deny => ("deny", "nothing"),
        Tier::DenyExec => (
            "deny exec",
            "refusing anything but the start of programs and scripts; the rest is killed",
        ),
        Tier::Kill => ("kill", "refusing operations; processes can be killed"),
        Tier::Observe => ("observe", "refusing operations and killing from the kernel"),
        Tier::Nothing => ("none", "everything; run as root on a kernel with BTF"),
    };
    writeln!(
        out,
        "\nbest tier {tier}; lost: {lost}\nNothing is prevented without policies: `vedette policy list`, docs/drift.md."
    )?;
    Ok(if found.tier == Tier::Nothing {
        ExitCode::from(exit::CANNOT)
    } else {
        ExitCode::SUCCESS
    })
}
