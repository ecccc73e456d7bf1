//! `vedette agent`: live system calls through the rules.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::Context;
use vedette_container::{Observer, Runtimes};
use vedette_detect::{Detector, Mode, RuleSet, Settings, TimeStyle};
use vedette_event::{Alert, JsonKeys, Priority};
use vedette_outputs::{Fanout, Format, Full, Spec};
use vedette_rules::catalogue::SYSCALL;
use vedette_rules::{Options, load};
use vedette_sensor::bootstrap::Fact;
use vedette_state::{Boot, State};

use super::exit;
use super::replay::{OutputFormat, report_losses};
use crate::live::{self, Live, Until, Watch};
use crate::{hostname, replay, rulefiles};

/// Watch this machine's system calls and print alerts
///
/// Needs root, or CAP_BPF and CAP_PERFMON. SIGHUP reads the rules again without a gap and reopens output files. Ends at
/// SIGINT, SIGTERM, or after --seconds.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rules file or directory; the shipped rules when none is given
    #[arg(short, long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
    /// Report every rule that matches an event, not only the first
    #[arg(long)]
    all: bool,
    /// Use only rules at least as urgent as this
    #[arg(long, value_name = "PRIORITY", default_value = "debug")]
    priority: Priority,
    /// Also send alerts here, as with `vedette replay`
    #[arg(long, value_name = "OUTPUT")]
    to: Vec<Spec>,
    /// Print no alerts on standard output
    #[arg(short, long)]
    quiet: bool,
    /// Stop after this many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let hostname: Arc<str> = hostname::current().into();
    let Some(rules) = compile(args, &hostname)? else {
        return Ok(ExitCode::from(exit::USAGE));
    };
    let keys = JsonKeys::default();
    let mut fanout = Fanout::new(Full::Drop, keys);
    for spec in &args.to {
        let format = spec.format.unwrap_or(Format::Json);
        let output = spec
            .open(format)
            .with_context(|| format!("output {}", spec.text))?;
        fanout.add(spec.text.clone(), spec.filter.clone(), format, output);
    }
    let reload = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&reload))
        .context("listening for SIGHUP")?;
    let until = Until::signalled(args.seconds.map(Duration::from_secs))?;
    let watch = Watch::rules(&rules);
    let mut state = State::new(replay::settings(&hostname));
    let mut detector = Detector::new(rules);
    let mut observer = Observer::new(Runtimes::new("/"));
    let (mut events, mut alerts) = (0u64, 0u64);
    let mut out = std::io::stdout().lock();
    let mut line = String::new();
    let mut show = |alert: &Alert| -> anyhow::Result<()> {
        alerts += 1;
        fanout.send(alert);
        if args.quiet {
            return Ok(());
        }
        line.clear();
        match args.output {
            OutputFormat::Json => alert.write_json(keys, &mut line),
            OutputFormat::Text => line.push_str(&alert.line()),
        }
        line.push('\n');
        out.write_all(line.as_bytes())?;
        out.flush()?;
        Ok(())
    };
    let stats = live::run(
        &watch,
        &until,
        |what| {
            let event = match what {
                Live::Before(fact) => {
                    state.boot(&boot(&fact));
                    return Ok(());
                }
                Live::Earlier(event) => {
                    state.apply(&event);
                    return Ok(());
                }
                Live::Event(event) => event,
            };
            if reload.swap(false, Relaxed) {
                fanout.reopen();
                // Rules with an error leave the ones at work as they are.
                if let Some(rules) = compile(args, &hostname)? {
                    watch.change(&rules);
                    detector.swap(rules);
                }
            }
            events += 1;
            // A container's metadata goes before its first event, as its runtime left it on disk.
            if let Some(container) = observer.observe(&event) {
                state.apply(&container);
            }
            state.apply(&event);
            let mut shown = Ok(());
            detector.observe(&state.view(&event), |alert| {
                if shown.is_ok() {
                    shown = show(&alert);
                }
            });
            shown
        },
        || Ok(()),
    )?;
    report_losses(fanout.finish())?;
    let lost = stats.dropped();
    writeln!(
        std::io::stderr(),
        "{events} events, {alerts} alerts, {lost} events lost in the kernel"
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Reads and compiles the rules; `None` when they have an error, which was printed.
fn compile(args: &Args, hostname: &Arc<str>) -> anyhow::Result<Option<Arc<RuleSet>>> {
    let files = rulefiles::read(&args.rules)?;
    let loaded = load(&files, &Options::default());
    if rulefiles::complain(&loaded.diagnostics, &files, false)? > 0 {
        return Ok(None);
    }
    let settings = Settings {
        mode: if args.all { Mode::All } else { Mode::First },
        least: args.priority,
        hostname: Arc::clone(hostname),
        time: TimeStyle::Clock,
    };
    Ok(Some(Arc::new(RuleSet::compile(
        &loaded.rules,
        SYSCALL,
        settings,
    ))))
}

fn boot<'a>(fact: &Fact<'a>) -> Boot<'a> {
    match *fact {
        Fact::Machine(machine) => Boot::Machine(machine),
        Fact::User(user) => Boot::User(user),
        Fact::Group(group) => Boot::Group(group),
        Fact::Process(process) => Boot::Process(process),
        Fact::Descriptor(tid, entry) => Boot::Fd { tid, entry },
    }
}
