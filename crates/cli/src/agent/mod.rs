//! The agent: live events through the rules, until a signal or a limit ends it.
//!
//! [`config`] says what is wanted, [`pipeline`] is the way of an event, [`stage`] is where parts plug in, [`emit`] is
//! where findings go, [`reload`] reads rules again. One thread handles events; every other thread only helps it.

pub(crate) mod config;
mod emit;
mod figures;
mod http;
mod log;
mod metrics;
mod pipeline;
mod privileges;
pub(crate) mod reload;
mod rules;
mod sandbox;
mod stage;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context;
use vedette_sensor::Sensor;
use vedette_sensor::bootstrap::Scan;

use crate::commands::exit;
use crate::commands::report_losses;
use crate::{hostname, rulefiles};
use config::Config;
use emit::Emit;
use log::Log;
use pipeline::Pipeline;
use reload::{Fresh, Origin};

/// Pause when no event is ready; the sensor holds events back for about as long to put them in order.
const PAUSE: Duration = Duration::from_millis(2);
/// How often figures are published.
const TICK: Duration = Duration::from_secs(1);

/// Runs the agent.
pub(crate) fn run(origin: Origin, limit: Option<Duration>) -> anyhow::Result<ExitCode> {
    let config = Config::from(&origin.read()?);
    let log = Log::new(config.log);
    let hostname: Arc<str> = hostname::current().into();
    let texts = rules::read(&config.rules)?;
    let ready = match rules::compile(&texts, &config, &hostname) {
        Ok(ready) => ready,
        Err(_) => {
            let loaded = vedette_rules::load(&texts, &vedette_rules::Options::default());
            rulefiles::complain(&loaded.diagnostics, &texts, false)?;
            return Ok(ExitCode::from(exit::USAGE));
        }
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("listening for signals")?;
    }
    let (mut sensor, _) = Sensor::start(&config.sensor, &rules::interests(&ready.set)).context(
        "starting the sensor (it needs root, or CAP_BPF and CAP_PERFMON, and a kernel with BTF)",
    )?;
    let stages = stage::all(&config, &log)?;
    let board = figures::board();
    let listener = config.metrics.map(http::listen).transpose()?;
    // The rings fill while /proc is read, so nothing falls between the two; what both tell is told twice. Reading needs
    // privileges, and every thread that is started after they are gone has none to lose.
    let mut facts = Vec::new();
    let count = ready.set.len();
    let mut pipeline = Pipeline::new(&config, &hostname, ready.set, stages);
    Scan::default().run(&mut |fact| pipeline.before(&fact));
    let deadline = limit.map(|limit| Instant::now() + limit);
    let mut tick = Instant::now();
    while !stop.load(Relaxed) && deadline.is_none_or(|deadline| Instant::now() < deadline) {
        if let Ok(fresh) = reload.fresh.try_recv() {
            take_over(&mut pipeline, &mut sensor, fresh, &log);
            reload.counts.done.fetch_add(1, Relaxed);
        }
        let events = sensor.poll(|event| pipeline.event(&event));
        if let Some(error) = pipeline.emit.failure() {
            return Err(error).context("writing to standard output");
        }
        if events == 0 || tick.elapsed() >= TICK {
            pipeline.idle();
        }
        if tick.elapsed() >= TICK {
            tick = Instant::now();
        }
        if events == 0 {
            std::thread::sleep(PAUSE);
        }
    }
    let Pipeline {
        mut stages,
        mut emit,
        events,
        ..
    } = pipeline;
    for stage in &mut stages {
        stage.finish(&mut emit);
    }
    let alerts = emit.alerts();
    report_losses(emit.finish())?;
    let stats = sensor.stats().context("reading the sensor's counters")?;
    log.info(
        "stopped",
        &[
            ("events", &events),
            ("alerts", &alerts),
            ("lost", &stats.dropped()),
        ],
    );
    Ok(ExitCode::SUCCESS)
}

/// Goes on with rules and configuration that were read again; no event is missed.
fn take_over(pipeline: &mut Pipeline, sensor: &mut Sensor, fresh: Fresh, log: &Log) {
    let Fresh {
        config,
        rules,
        signalled,
    } = fresh;
    log.set(config.log);
    if signalled {
        pipeline.emit.reopen();
    }
    // first watched, then asked for: no rule sees a hole
    if let Err(error) = sensor.set_interesting(&rules::interests(&rules.set)) {
        log.error("the sensor refuses what the new rules ask for", &[("error", &error)]);
    }
    let count = rules.set.len();
    pipeline.detector.swap(rules.set);
    if let Err(error) = pipeline.emit.reload(&config) {
        let error = format!("{error:#}");
        log.error("the outputs at work stay", &[("error", &error)]);
    }
    for stage in &mut pipeline.stages {
        stage.reload(&config);
    }
    log.info("rules and configuration read again", &[("rules", &count)]);
}
