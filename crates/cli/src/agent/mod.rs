//! The agent: live events through the rules, until a signal or a limit ends it.
//!
//! [`config`] says what is wanted, [`pipeline`] is the way of an event, [`stage`] is where parts plug in, [`emit`] is
//! where findings go, [`reload`] reads rules again. One thread handles events; every other thread only helps it.

mod activity;
mod bundle;
pub(crate) mod capture;
pub(crate) mod config;
mod emit;
mod figures;
mod guard;
mod heartbeat;
mod http;
mod log;
mod metrics;
pub(crate) mod miner;
mod orders;
mod pipeline;
mod privileges;
pub(crate) mod reload;
mod respond;
mod rules;
mod sandbox;
mod server;
mod stage;
mod tree;
mod watched;
pub(crate) mod workload;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::thread::CapabilitySet;
use vedette_outputs::Spec;
use vedette_sensor::bootstrap::Scan;
use vedette_sensor::{Origin as How, Sensor};

use crate::commands::exit;
use crate::commands::report_losses;
use crate::{hostname, rulefiles};
use config::Config;
use figures::{Change, Figures};
use heartbeat::Heartbeat;
use log::Log;
use pipeline::Pipeline;
use reload::{Fresh, Origin};
use watched::Watched;

/// Longest pause when no event is ready. A ring that fills up ends it sooner.
const PAUSE: Duration = Duration::from_millis(10);
/// How often figures are published.
const TICK: Duration = Duration::from_secs(1);

/// Runs the agent.
pub(crate) fn run(origin: Origin, limit: Option<Duration>) -> anyhow::Result<ExitCode> {
    let mut config = Config::from(&origin.read()?);
    let log = Log::new(config.log);
    let hostname: Arc<str> = config.node.clone().unwrap_or_else(hostname::current).into();
    if let Some(dir) = config.server.as_ref().and_then(config::Server::bundle_dir) {
        bundle::prepare(&dir)?;
    }
    let sources = rules::read(&config)?;
    let Ok(ready) = rules::compile(&sources, &config, &hostname) else {
        let loaded = vedette_rules::load(&sources.texts, &vedette_rules::Options::default());
        rulefiles::complain(&loaded.diagnostics, &sources.texts, false)?;
        return Ok(ExitCode::from(exit::USAGE));
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("listening for signals")?;
    }
    let count = ready.set.len();
    let stages = stage::all(&config, &hostname, &log)?;
    let mut pipeline = Pipeline::new(&config, &hostname, Arc::clone(&ready.set), stages);
    let watch = pipeline.watch(&ready.set);
    let (mut sensor, _) = match Sensor::start(&config.sensor, watch) {
        Ok(started) => started,
        Err(error) => {
            let lacking = privileges::missing();
            let hint = if lacking.is_empty() {
                "`vedette doctor` says what this kernel allows".to_owned()
            } else {
                format!("run it as root; this process lacks {lacking}")
            };
            let error = format!("{:#}", anyhow::Error::from(error));
            log.error(
                "the sensor cannot start",
                &[("error", &error), ("hint", &hint)],
            );
            return Ok(ExitCode::from(exit::CANNOT));
        }
    };
    let (mut watched, unwatched) = take_over_note(&config, &log);
    let programs = sensor.programs();
    let listener = config.metrics.map(http::listen).transpose()?;
    // The rings fill while /proc is read, so nothing falls between the two; what both tell is told twice.
    Scan::default().run(&mut |fact| pipeline.before(&fact));
    // Reading that needed privileges. Threads that are started from here on have none to lose.
    give_up_privileges(&config, &pipeline, &log)?;
    pipeline.observer.watch();
    pipeline.emit.apply(&config)?;
    let in_use = bundle::Board::default();
    put_to_use(&in_use, &ready.bundle, &log);
    let mut heartbeat = None;
    if let Some(server) = &config.server {
        pipeline.emit.ship_to(server)?;
        heartbeat = Some(Heartbeat::start(server, &in_use)?);
        orders::start(server, &in_use, &log)?;
    }
    let mut figures = Figures::new(figures::board(), programs, unwatched);
    if let Some(listener) = listener {
        let address = listener.local_addr().context("metrics.listen")?;
        http::start(listener, figures.board())?;
        log.info("metrics and health are served", &[("address", &address)]);
    }
    let reload = reload::start(origin, &config, &sources, &hostname, &log)?;
    if config.seccomp {
        let programs = config.outputs.iter().any(Spec::is_program);
        let guard = pipeline.stages.iter().any(|stage| stage.is_guard());
        let respond = config.server.is_some();
        sandbox::enter(sandbox::Besides {
            programs,
            guard,
            respond,
        })?;
    }
    for warning in &ready.warnings {
        log.debug("rules", &[("warning", warning)]);
    }
    log.info("watching", &[("rules", &count)]);
    let deadline = limit.map(|limit| Instant::now() + limit);
    let mut tick: Option<Instant> = None;
    while !stop.load(Relaxed) && deadline.is_none_or(|deadline| Instant::now() < deadline) {
        if let Ok(fresh) = reload.fresh.try_recv() {
            figures.swap(&pipeline.detector);
            put_to_use(&in_use, &fresh.rules.bundle, &log);
            config = take_over(&mut pipeline, &mut sensor, fresh, &log);
            reload.counts.done.fetch_add(1, Relaxed);
        }
        let events = sensor.poll_with_origin(|event, how| match how {
            How::Kept => pipeline.earlier(&event),
            _ => pipeline.event(&event),
        });
        if let Some(error) = pipeline.emit.failure() {
            return Err(error).context("writing to standard output");
        }
        let due = tick.is_none_or(|tick| tick.elapsed() >= TICK);
        if events == 0 || due {
            pipeline.idle();
        }
        if due {
            tick = Some(Instant::now());
            let stats = sensor.stats();
            if let Ok(stats) = &stats {
                pipeline.emit.lost = stats.dropped();
                if let Some(watched) = &mut watched {
                    watched.note(stats.dropped(), false);
                }
                if let Some(heartbeat) = &heartbeat {
                    let prevention = pipeline.stages.iter().find_map(|stage| stage.prevention());
                    heartbeat.take(stats, &pipeline.emit.outputs(), prevention);
                }
            }
            let stats = stats.map_err(|error| error.to_string());
            let programs = || sensor.programs();
            let change = figures.publish(
                &pipeline,
                &stats,
                programs,
                events > 0,
                &reload.counts,
                config.health,
            );
            match change {
                Change::Unwell(reason) => log.warn("not well", &[("reason", &reason)]),
                Change::Well => log.info("well again", &[]),
                Change::Nothing => {}
            }
        }
        if events == 0 {
            sensor.wait(PAUSE);
        }
    }
    let events = pipeline.events;
    let Pipeline {
        mut stages,
        mut emit,
        ..
    } = pipeline;
    for stage in &mut stages {
        stage.finish(&mut emit);
    }
    let alerts = emit.alerts();
    report_losses(emit.finish())?;
    let stats = sensor.stats().context("reading the sensor's counters")?;
    if let Some(watched) = &mut watched {
        watched.note(stats.dropped(), true);
    }
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

/// The note of the last run, and how long nobody watched since then.
fn take_over_note(config: &Config, log: &Log) -> (Option<Watched>, Duration) {
    match Watched::open(&config.watched) {
        Ok(Some((mut watched, absence))) => {
            watched.note(0, false);
            if let Some(absence) = &absence {
                absence.tell(log);
            }
            let length = absence.map_or(Duration::ZERO, |absence| absence.length());
            (Some(watched), length)
        }
        Ok(None) => (None, Duration::ZERO),
        Err(error) => {
            let file = config.watched.display();
            log.warn(
                "the next start will not know how long nobody watched",
                &[("file", &file), ("error", &error)],
            );
            (None, Duration::ZERO)
        }
    }
}

fn give_up_privileges(config: &Config, pipeline: &Pipeline, log: &Log) -> anyhow::Result<()> {
    if !config.drop_privileges {
        return Ok(());
    }
    let mut needed = pipeline
        .stages
        .iter()
        .fold(CapabilitySet::empty(), |all, stage| all | stage.needs());
    if config.server.as_ref().is_some_and(|server| server.respond) {
        needed |= respond::needs();
    }
    let kept = privileges::drop_to(config, needed)?;
    log.debug("capabilities left", &[("kept", &privileges::names(kept))]);
    Ok(())
}

/// Notes which of the server's rules and policies are at work.
fn put_to_use(board: &bundle::Board, in_use: &bundle::InUse, log: &Log) {
    if !in_use.problem.is_empty() {
        log.error(
            "part of what the server gives is not used",
            &[("problem", &in_use.problem)],
        );
    }
    bundle::tell(board, |board| *board = in_use.clone());
}

/// Goes on with rules and configuration that were read again; no event is missed. The configuration comes back.
fn take_over(pipeline: &mut Pipeline, sensor: &mut Sensor, fresh: Fresh, log: &Log) -> Config {
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
    if let Err(error) = sensor.watch(pipeline.watch(&rules.set)) {
        log.error(
            "the sensor refuses what the new rules ask for",
            &[("error", &error)],
        );
    }
    let count = rules.set.len();
    pipeline.swap(rules.set);
    if let Err(error) = pipeline.emit.apply(&config) {
        let error = format!("{error:#}");
        log.error("the outputs at work stay", &[("error", &error)]);
    }
    for stage in &mut pipeline.stages {
        stage.reload(&config);
    }
    log.info("rules and configuration read again", &[("rules", &count)]);
    config
}
