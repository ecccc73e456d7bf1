//! `vedette miner`: how much a program behaves like a crypto miner.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use vedette_container::Meter;
use vedette_miner::{Window, score};

use crate::agent::miner::Lookout;
use crate::commands::exit;

/// Does a program behave like a crypto miner?
#[derive(clap::Subcommand)]
pub(crate) enum Miner {
    Measure(Measure),
    Watch(Follow),
}

/// Run a program in a control group of its own and print the features and the score of each window as CSV
///
/// Needs root. The program is ended when the time is up.
#[derive(clap::Args)]
pub(crate) struct Measure {
    /// Seconds to watch
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Seconds of a window
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    window: u64,
    /// Name in the first column; the program's when not given
    #[arg(long)]
    name: Option<String>,
    /// Leave out the line with the names of the columns
    #[arg(long)]
    no_header: bool,
    /// Program and arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// Look at the containers of this machine as the agent does, and print each window as CSV
///
/// Needs root. Nothing is done to the containers. `told` is 1 where the agent would make a finding; the exit code is 1
/// when there was one.
#[derive(clap::Args)]
pub(crate) struct Follow {
    /// Seconds to watch
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    seconds: u64,
    /// Seconds of a window, as the agent's `miners_window_seconds`
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=60))]
    window: u64,
    /// Look at the control groups directly below this one, such as `system.slice`, in place of containers
    #[arg(long)]
    group: Option<String>,
}

/// Runs the subcommand.
pub(crate) fn run(command: &Miner) -> anyhow::Result<ExitCode> {
    match command {
        Miner::Measure(args) => measure(args),
        Miner::Watch(args) => follow(args),
    }
}

fn follow(args: &Follow) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let names = Window::default().figures().map(|(name, _)| name);
    writeln!(
        out,
        "seconds,container,{},probability,heat,opened,accepted,held,told",
        names.join(",")
    )?;
    let begun = Instant::now();
    let mut lookout = Lookout::new(args.group.clone());
    let mut found = false;
    for n in 0..=args.seconds / args.window {
        let due = Duration::from_secs(n * args.window);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        for look in lookout.look() {
            let glance = &look.glance;
            let (values, probability) = match &glance.judged {
                Some((window, score)) => {
                    let values = window.figures().map(|(_, value)| format!("{value:.4}"));
                    (values.join(","), format!("{:.4}", score.probability))
                }
                // nearly nothing ran
                None => (",".repeat(names.len() - 1), String::new()),
            };
            let accepted = glance.contacts.iter().filter(|c| c.accepted).count();
            writeln!(
                out,
                "{},{},{values},{probability},{},{},{accepted},{},{}",
                due.as_secs(),
                look.container,
                glance.heat,
                glance.contacts.len() - accepted,
                glance.held.len(),
                u8::from(glance.is_told),
            )?;
            found |= glance.is_told;
        }
        out.flush()?;
    }
    Ok(if found {
        ExitCode::from(exit::FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}

fn measure(args: &Measure) -> anyhow::Result<ExitCode> {
    let group = Group::new()?;
    let mut child = group.spawn(&args.command)?;
    let watched = watch(args, &group, &mut child);
    group.end(&mut child);
    watched?;
    Ok(ExitCode::SUCCESS)
}

fn watch(args: &Measure, group: &Group, child: &mut Child) -> anyhow::Result<()> {
    let meter = Meter::new("/proc", "/sys/fs/cgroup");
    let mut out = std::io::stdout().lock();
    if !args.no_header {
        let names = Window::default().figures().map(|(name, _)| name);
        writeln!(out, "program,{},probability", names.join(","))?;
    }
    let name = args.name.as_deref().unwrap_or(&args.command[0]);
    let name: String = name
        .chars()
        .filter(|c| !matches!(c, ',' | '"' | '\n' | '\r'))
        .collect();
    let begun = Instant::now();
    let now = || u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut last = None;
    for n in 0..=args.seconds / args.window {
        let due = Duration::from_secs(n * args.window);
        while begun.elapsed() < due {
            if child
                .try_wait()
                .context("waiting for the program")?
                .is_some()
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let Some(usage) = meter.read(&group.pids(), now()) else {
            continue;
        };
        if let Some(window) = last
            .as_ref()
            .and_then(|before| Window::between(before, &usage))
        {
            let values: Vec<String> = window
                .figures()
                .iter()
                .map(|(_, value)| format!("{value:.4}"))
                .collect();
            writeln!(
                out,
                "{name},{},{:.4}",
                values.join(","),
                score(&window).probability
            )?;
            out.flush()?;
        }
        last = Some(usage);
    }
    Ok(())
}

/// A control group that is removed at the end.
struct Group {
    dir: PathBuf,
}

impl Group {
    fn new() -> anyhow::Result<Self> {
        let name = format!("vedette-measure-{}", std::process::id());
        let mut tried = Vec::new();
        for mount in ["cpuacct", "cpu,cpuacct", ""] {
            let root = Path::new("/sys/fs/cgroup").join(mount);
            let known = ["cpuacct.usage", "cgroup.controllers"];
            if !known.iter().any(|file| root.join(file).exists()) {
                continue;
            }
            let dir = root.join(&name);
            match fs::create_dir(&dir) {
                Ok(()) => return Ok(Self { dir }),
                Err(error) => tried.push(format!("{}: {error}", dir.display())),
            }
        }
        if tried.is_empty() {
            bail!("no control groups are mounted below /sys/fs/cgroup");
        }
        bail!(
            "making a control group (it needs root): {}",
            tried.join("; ")
        )
    }

    fn spawn(&self, command: &[String]) -> anyhow::Result<Child> {
        // The shell moves itself and then becomes the program, so that nothing of it runs outside of the group.
        Command::new("/bin/sh")
            .args(["-c", "echo $$ > \"$0\" && exec \"$@\""])
            .arg(self.dir.join("cgroup.procs"))
            .args(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", command[0]))
    }

    fn pids(&self) -> Vec<i64> {
        let text = fs::read_to_string(self.dir.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Ends the program and what it started.
    fn end(&self, child: &mut Child) {
        let _ = child.kill();
        let _ = child.wait();
        for _ in 0..100 {
            let left = self.pids();
            for pid in &left {
                if let Some(pid) = i32::try_from(*pid)
                    .ok()
                    .and_then(rustix::process::Pid::from_raw)
                {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
            }
            if fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
