//! `vedette up`: the server, and an agent for this machine that reports to it.

use std::io::Write;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use vedette_server::enrol;

use super::exit;
use super::server::{announce, stop_signal};
use crate::hostname;
use crate::serving::{self, write_secret};

/// How often the agent is looked after.
const LOOK: Duration = Duration::from_millis(200);
/// Time the agent gets to deliver what it has when everything ends.
const FAREWELL: Duration = Duration::from_secs(5);
/// Pause before an agent that died is started again.
const AGAIN: Duration = Duration::from_secs(5);

/// Run the server and an agent for this machine together
///
/// The agent runs as a process of its own, with the privileges that the sensor needs, and reports over loopback; the
/// server's threads are outside of its restrictions. Where the sensor cannot run, the server goes on without it.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    options: serving::Options,
    /// Configuration file of the agent
    #[arg(long, value_name = "FILE")]
    agent_config: Option<std::path::PathBuf>,
    /// Rules file or directory; the shipped rules when none is given
    #[arg(short, long, value_name = "PATH")]
    rules: Vec<std::path::PathBuf>,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.options.tls_cert.is_some() || !args.options.listen.ip().is_loopback() {
        writeln!(
            std::io::stderr(),
            "vedette: `up` listens on this machine only; run `vedette server` and `vedette agent` apart to reach it from others"
        )?;
        return Ok(ExitCode::from(exit::USAGE));
    }
    let stop = stop_signal()?;
    let ready = serving::open(&args.options)?;
    let node = hostname::current();
    let token_file = args.options.data.join("agent-token");
    let token = enrol(&ready.store, &node).context("giving this machine's agent its token")?;
    write_secret(&token_file, &token)?;
    let url = format!("http://{}", ready.server.address());
    announce(&args.options, &ready)?;
    let command = || agent(args, &url, &token_file);
    let ended = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let (stop, ended) = (&*stop, &*ended);
        let agent = scope.spawn(move || look_after(command, stop));
        let server = scope.spawn(move || {
            // The server stays until the agent has said goodbye.
            let done = ready.server.run(ended);
            stop.store(true, Relaxed);
            done
        });
        let of_agent = agent.join();
        ended.store(true, Relaxed);
        let of_server = server.join();
        of_server.map_err(|_| anyhow::anyhow!("the server's thread panicked"))??;
        of_agent.map_err(|_| anyhow::anyhow!("the thread that looks after the agent panicked"))?
    })?;
    Ok(ExitCode::SUCCESS)
}

fn agent(args: &Args, url: &str, token_file: &std::path::Path) -> anyhow::Result<Child> {
    let own = std::env::current_exe().context("finding this program's file")?;
    let mut command = Command::new(own);
    command.arg("agent").arg("--quiet");
    if let Some(config) = &args.agent_config {
        command.arg("--config").arg(config);
    }
    for rules in &args.rules {
        command.arg("--rules").arg(rules);
    }
    let spool = args.options.data.join("agent-spool");
    for (key, value) in [
        ("server.url", url.to_owned()),
        ("server.token_file", token_file.display().to_string()),
        ("server.spool", spool.display().to_string()),
    ] {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("starting the agent")
}

/// Starts the agent, again when it dies, until `stop` is set. An agent that cannot run here is left alone.
fn look_after(start: impl Fn() -> anyhow::Result<Child>, stop: &AtomicBool) -> anyhow::Result<()> {
    let mut child = start()?;
    loop {
        if stop.load(Relaxed) {
            return end(&mut child);
        }
        if let Some(status) = child.try_wait().context("waiting for the agent")? {
            let cannot = matches!(status.code(), Some(code) if code == i32::from(exit::CANNOT) || code == i32::from(exit::USAGE));
            let then = if cannot {
                "the server goes on without it"
            } else {
                "it is started again"
            };
            writeln!(
                std::io::stderr(),
                "vedette: the agent ended ({status}); {then}"
            )?;
            let pause = Instant::now();
            while !stop.load(Relaxed) && (cannot || pause.elapsed() < AGAIN) {
                thread::sleep(LOOK);
            }
            if stop.load(Relaxed) {
                return Ok(());
            }
            child = start()?;
        }
        thread::sleep(LOOK);
    }
}

fn end(child: &mut Child) -> anyhow::Result<()> {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let begun = Instant::now();
    while begun.elapsed() < FAREWELL {
        if child.try_wait().context("waiting for the agent")?.is_some() {
            return Ok(());
        }
        thread::sleep(LOOK);
    }
    child.kill().context("ending the agent")?;
    child.wait().context("waiting for the agent")?;
    Ok(())
}
