//! `vedette replay`: recorded events through the rules.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context;
use vedette_detect::{Mode, Settings, TimeStyle};
use vedette_event::{JsonKeys, Priority};
use vedette_outputs::{Fanout, Format, Full, Snapshot, Spec};
use vedette_rules::output::AppendOutput;
use vedette_rules::{Loaded, Options};

use crate::input::Progress;
use crate::replay::{Outcome, Plan, Rules};
use crate::{hostname, replay, rulefiles};

/// Run recorded events through the rules and print the alerts
///
/// Inputs are .scap captures and logs of Kubernetes audit or cloud trails, gzipped or not; `-` is standard input. Without
/// -r the shipped rules are used.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Captures or logs
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// Rules file or directory; may be given several times, in order
    #[arg(short, long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
    /// Report every rule that matches an event, not only the first
    #[arg(long)]
    all: bool,
    /// Use only rules at least as urgent as this
    #[arg(long, value_name = "PRIORITY")]
    priority: Option<Priority>,
    /// Exit with 1 when an alert at least as urgent as this was seen
    #[arg(long, value_name = "PRIORITY")]
    fail_on: Option<Priority>,
    /// Also send alerts here; may be given several times. Forms: file:PATH, http(s)://…, program:COMMAND, stdout,
    /// syslog; options behind `?` (`#` for URLs): priority, source, tag, format
    #[arg(long, value_name = "OUTPUT")]
    to: Vec<Spec>,
    /// Print no alerts on standard output
    #[arg(short, long)]
    quiet: bool,
    /// Print events instead of alerts, those that match FILTER when one is given
    #[arg(long, value_name = "FILTER", num_args = 0..=1, default_missing_value = "")]
    print_events: Option<String>,
    /// Print findings and activity records instead of alerts, one JSON object a line: what a server takes in
    #[arg(long, conflicts_with_all = ["print_events", "to", "fail_on", "quiet"])]
    records: bool,
    /// How --print-events prints an event
    #[arg(long, value_name = "FORMAT", default_value = EVENT_FORMAT)]
    format: String,
    /// Event source of the inputs, such as syscall or k8s_audit; guessed when not given
    #[arg(long)]
    source: Option<String>,
    /// Read the inputs this many times
    #[arg(long = "loop", value_name = "N", default_value_t = 1)]
    passes: usize,
    /// Most threads that evaluate; the number of processors when not given
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print figures on standard error at the end, `name: value` a line
    #[arg(long)]
    stats: bool,
    /// Refuse to run when a rules file has an error
    #[arg(long)]
    strict: bool,
    /// Print warnings about rules too
    #[arg(short, long)]
    verbose: bool,
    /// Leave out the container fields that are put behind every output
    #[arg(long)]
    no_suggested_output: bool,
    /// Add the `message` key to JSON alerts
    #[arg(long)]
    json_message: bool,
    /// Write the date before the text of alerts, in UTC
    #[arg(long)]
    iso_time: bool,
}

/// How alerts are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// One line of text an alert
    #[default]
    Text,
    /// One JSON object an alert, with the keys that Falco uses
    Json,
}

/// What a line of `--print-events` shows unless told otherwise.
const EVENT_FORMAT: &str =
    "%evt.num %evt.time %evt.cpu %proc.name (%thread.tid) %evt.type %evt.args";

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let files = match &args.print_events {
        Some(filter) => vec![(String::from("<filter>"), event_rule(filter, &args.format)?)],
        None => rulefiles::read(&args.rules)?,
    };
    let suggested = !args.no_suggested_output && args.print_events.is_none();
    let append_output = if suggested {
        vec![AppendOutput::suggested()]
    } else {
        Vec::new()
    };
    let strict = args.strict || args.print_events.is_some();
    let loaded = vedette_rules::load(
        &files,
        &Options {
            append_output,
            strict,
            ..Options::default()
        },
    );
    let errors = rulefiles::complain(&loaded.diagnostics, &files, args.verbose)?;
    if strict && errors > 0 {
        return Ok(ExitCode::from(super::exit::USAGE));
    }
    let threads = args
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let hostname: Arc<str> = hostname::current().into();
    let plan = Plan {
        inputs: args.inputs.clone(),
        passes: args.passes,
        threads,
        source: args.source.clone(),
        rules: compile(&loaded, args, &hostname),
        hostname,
        progress: Arc::new(Progress::default()),
        records: args.records,
    };
    let prepared = started.elapsed();
    let (outcome, damages, worst) = if args.records {
        let (outcome, damages) = print_records(&plan)?;
        (outcome, damages, None)
    } else {
        replay_all(&plan, args)?
    };
    let mut err = std::io::stderr().lock();
    for damage in &damages {
        writeln!(err, "vedette: {damage}")?;
    }
    if args.stats {
        write_stats(&mut err, &outcome, &loaded, prepared, started.elapsed())?;
    }
    let failed = args
        .fail_on
        .zip(worst)
        .is_some_and(|(limit, worst)| worst <= limit);
    Ok(match (damages.is_empty(), failed) {
        (_, true) => ExitCode::from(super::exit::FINDINGS),
        (false, false) => ExitCode::from(super::exit::USAGE),
        (true, false) => ExitCode::SUCCESS,
    })
}

fn compile(loaded: &Loaded, args: &Args, hostname: &Arc<str>) -> Rules {
    let settings = Settings {
        mode: if args.all { Mode::All } else { Mode::First },
        least: args.priority.unwrap_or(Priority::Debug),
        hostname: Arc::clone(hostname),
        time: if args.iso_time {
            TimeStyle::Iso8601
        } else {
            TimeStyle::Clock
        },
    };
    Rules::compile(loaded, &settings)
}

/// Replays and prints what a server would be sent.
fn print_records(plan: &Plan) -> anyhow::Result<(Outcome, Vec<String>)> {
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let replayed = replay::records(plan, |record| {
        serde_json::to_writer(&mut out, &record)?;
        out.write_all(b"\n")?;
        Ok(())
    });
    let flushed = out.flush();
    let replayed = replayed?;
    flushed?;
    Ok(replayed)
}

/// Replays, delivers the alerts, and gives the most urgent priority that was seen.
fn replay_all(
    plan: &Plan,
    args: &Args,
) -> anyhow::Result<(Outcome, Vec<String>, Option<Priority>)> {
    let keys = JsonKeys {
        message: args.json_message,
        ..JsonKeys::default()
    };
    let json = args.output == OutputFormat::Json;
    let mut fanout = Fanout::new(Full::Wait, keys);
    for spec in &args.to {
        let format = spec.format.unwrap_or(Format::Json);
        let output = spec
            .open(format)
            .with_context(|| format!("output {}", spec.text))?;
        fanout.add(spec.text.clone(), spec.filter.clone(), format, output);
    }
    let reopen = Arc::new(AtomicBool::new(false));
    if !args.to.is_empty() {
        signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&reopen))
            .context("listening for SIGHUP")?;
    }
    let bar = Bar::start(&plan.progress);
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut line = String::new();
    let mut worst: Option<Priority> = None;
    let replayed = replay::run(plan, |alert| {
        worst = Some(worst.map_or(alert.priority, |worst| worst.min(alert.priority)));
        if !args.quiet {
            line.clear();
            match (json, args.print_events.is_some()) {
                (true, _) => alert.write_json(keys, &mut line),
                (false, false) => line.push_str(&alert.line()),
                (false, true) => {
                    line.push_str(alert.line().get(alert.message_at..).unwrap_or_default());
                }
            }
            line.push('\n');
            out.write_all(line.as_bytes())?;
        }
        if reopen.swap(false, Relaxed) {
            fanout.reopen();
        }
        fanout.send(&alert);
        Ok(())
    });
    // What was found before a failure is shown all the same.
    let flushed = out.flush();
    drop(bar);
    let (outcome, damages) = replayed?;
    flushed?;
    report_losses(fanout.finish())?;
    Ok((outcome, damages, worst))
}

/// Says on standard error which outputs lost alerts, or keep some for later.
pub(crate) fn report_losses(outputs: Vec<Snapshot>) -> std::io::Result<()> {
    let mut err = std::io::stderr().lock();
    for output in outputs {
        let lost = output.failed + output.dropped + output.given_up;
        if lost + output.spooled > 0 {
            let why = output.last_failure.unwrap_or_default();
            writeln!(
                err,
                "vedette: output {}: {lost} alerts lost, {} kept for later: {why}",
                output.name, output.spooled
            )?;
        }
    }
    Ok(())
}

/// A rules file whose one rule matches what `filter` says.
pub(crate) fn event_rule(filter: &str, format: &str) -> anyhow::Result<String> {
    // A JSON string is a YAML string, whatever is in it.
    let condition = serde_json::to_string(if filter.trim().is_empty() {
        "evt.num > 0"
    } else {
        filter
    })?;
    let output = serde_json::to_string(format)?;
    Ok(format!(
        "- rule: event\n  desc: an event that was asked for\n  condition: {condition}\n  output: {output}\n  \
         priority: DEBUG\n  warn_evttypes: false\n"
    ))
}

fn write_stats(
    err: &mut impl Write,
    outcome: &Outcome,
    loaded: &Loaded,
    prepared: Duration,
    elapsed: Duration,
) -> std::io::Result<()> {
    let replaying = elapsed.saturating_sub(prepared).as_secs_f64();
    writeln!(err, "events: {}", outcome.events)?;
    writeln!(
        err,
        "alerts: {}",
        outcome.counts.iter().map(|count| count.alerts).sum::<u64>()
    )?;
    writeln!(
        err,
        "rules: {}",
        loaded.rules.iter().filter(|rule| rule.enabled).count()
    )?;
    writeln!(err, "prepare_seconds: {:.6}", prepared.as_secs_f64())?;
    writeln!(err, "replay_seconds: {replaying:.6}")?;
    if replaying > 0.0 {
        writeln!(
            err,
            "events_per_second: {:.0}",
            outcome.events as f64 / replaying
        )?;
    }
    for (name, value) in &outcome.figures {
        writeln!(err, "{name}: {value}")?;
    }
    for count in &outcome.counts {
        writeln!(
            err,
            "rule {}: {}",
            crate::table::visible(&count.rule),
            count.alerts
        )?;
    }
    Ok(())
}

/// A progress bar on standard error, only where a person sees it and nothing else is printed there.
struct Bar {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Bar {
    fn start(progress: &Arc<Progress>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let shown = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
        let thread = shown.then(|| {
            let (stop, progress) = (Arc::clone(&stop), Arc::clone(progress));
            std::thread::spawn(move || draw(&stop, &progress))
        });
        Self { stop, thread }
    }
}

fn draw(stop: &AtomicBool, progress: &Progress) {
    let mut err = std::io::stderr();
    while !stop.load(Relaxed) {
        let (read, total) = (progress.read.load(Relaxed), progress.total.load(Relaxed));
        let share = (read * 100).checked_div(total).unwrap_or(0).min(100);
        let bar: String = (0..25)
            .map(|i| if i * 4 < share { '#' } else { '.' })
            .collect();
        let _ = write!(err, "\r[{bar}] {share:3} %  {} MiB", read >> 20);
        let _ = err.flush();
        std::thread::park_timeout(Duration::from_millis(200));
    }
    let _ = write!(err, "\r{:60}\r", "");
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
