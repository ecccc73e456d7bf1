//! `vedette lab soak`.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde_json::json;
use vedette_event::{Finding, Priority};
use vedette_lab::{Gate, Profile, Runtime};

use super::watch::{Rules, Watch};
use super::{Pods, cannot, profile, progress, shipped, start};
use crate::commands::{Listing, exit};
use crate::live::Until;

/// Pause between two rounds of requests.
const PAUSE: Duration = Duration::from_millis(250);

/// Run the lab's workloads without an attack and count what is found
///
/// Web requests, database queries, turned logs and fresh package lists, as on any node. Exit code 1 when a rule of priority
/// notice or above fired.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long, in minutes
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        conflicts_with = "seconds"
    )]
    minutes: u64,
    /// How long, in seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Profile to run
    #[arg(short, long, value_name = "PROFILE", value_parser = profile, default_value = "playground")]
    profile: Profile,
    #[command(flatten)]
    pods: Pods,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(code) = cannot(None, &args.pods)? {
        return Ok(code);
    }
    let steps = shipped()?;
    let rules = Rules::new(&steps)?;
    let time = args
        .seconds
        .map_or_else(|| Duration::from_mins(args.minutes), Duration::from_secs);
    progress("starting the node")?;
    let mut runtime = args.pods.runtime;
    let node = start(args.profile, &steps, &mut runtime)?;
    node.start_jobs()?;
    let until = Until::signalled(Some(time))?;
    let mut watch = Watch::new(&node, &steps, &rules, None)?;
    let (ready, gate) = (AtomicBool::new(false), node.gate());
    let began = Instant::now();
    let (watched, requests) = std::thread::scope(|scope| {
        let visitor = scope.spawn(|| visit(&gate, &until));
        let watched = watch.run(&until, &ready);
        until.stop();
        (watched, visitor.join().unwrap_or(0))
    });
    let took = began.elapsed();
    drop(node);
    watched?;
    let alarming: Vec<&Finding> = watch
        .findings
        .iter()
        .filter(|finding| finding.priority <= Priority::Notice)
        .collect();
    let mut out = std::io::stdout().lock();
    match args.output {
        Listing::Json => {
            let figures = json!({
                "seconds": took.as_secs_f64(),
                "requests": requests,
                "events": watch.events,
                "lost": watch.lost,
                "runtime": runtime.map(Runtime::name),
                "findings": alarming,
            });
            serde_json::to_writer(&mut out, &figures)?;
            writeln!(out)?;
        }
        Listing::Table => {
            for finding in &alarming {
                writeln!(
                    out,
                    "{} {}: {}",
                    finding.priority, finding.rule, finding.message
                )?;
            }
            writeln!(
                out,
                "{} findings in {:.0} s: {requests} requests, {} events in the lab, {} events lost",
                alarming.len(),
                took.as_secs_f64(),
                watch.events,
                watch.lost
            )?;
        }
    }
    Ok(if alarming.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::FINDINGS)
    })
}

/// Asks for pages as visitors and probes do, until the end. Gives the number of answers.
fn visit(gate: &Gate, until: &Until) -> u64 {
    let mut answers = 0;
    while !until.reached() {
        for (place, path) in [
            ("security-playground:8080", "/health"),
            ("security-playground:8080", "/app/index.html"),
            ("hello-server:8080", "/"),
            ("hello-server:8080", "/customers"),
        ] {
            answers += u64::from(
                gate.http(place, "GET", path, "")
                    .is_ok_and(|body| !body.is_empty()),
            );
        }
        std::thread::sleep(PAUSE);
    }
    answers
}
