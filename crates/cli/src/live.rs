//! The live sensor at work: what was there before, then every event, until a signal or a limit ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context;
use vedette_detect::RuleSet;
use vedette_event::RawEvent;
use vedette_sensor::bootstrap::{Fact, Scan};
use vedette_sensor::{Config, Origin, Sensor, Stats, Watch};

/// Longest pause when no event is ready. A ring that fills up ends it sooner.
const PAUSE: Duration = Duration::from_millis(10);

/// Longest time after the end of a run in which what happened before it is still told.
const LAST: Duration = Duration::from_secs(2);

/// What the stream brings.
#[allow(clippy::large_enum_variant, reason = "it is lent and never stored")]
pub(crate) enum Live<'a> {
    /// Something that was there before the first event.
    Before(Fact<'a>),
    /// An event.
    Event(RawEvent<'a>),
    /// An event that happened earlier and that no rule could match then: news to the state, not to the rules.
    Earlier(RawEvent<'a>),
}

/// Signals and limits that end a run.
pub(crate) struct Until {
    stop: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Until {
    /// SIGINT and SIGTERM end the run, and `limit` does when it is given.
    pub(crate) fn signalled(limit: Option<Duration>) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop))
                .context("listening for signals")?;
        }
        Ok(Self {
            stop,
            deadline: limit.map(|limit| Instant::now() + limit),
        })
    }

    /// Ends the run.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Whether the run is to end.
    pub(crate) fn reached(&self) -> bool {
        self.stop.load(Relaxed)
            || self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// What these rules and the state behind their fields need.
pub(crate) fn needed<'a>(sets: impl IntoIterator<Item = &'a RuleSet>) -> Watch {
    Watch::rules(RuleSet::prefilter(sets))
}

/// Starts the sensor, tells what was there, then hands out events until the run ends. `idle` is called whenever no event
/// is ready. The figures of the sensor come back at the end.
pub(crate) fn run(
    watch: Watch,
    until: &Until,
    mut sink: impl FnMut(Live<'_>) -> anyhow::Result<()>,
    mut idle: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Stats> {
    let (mut sensor, _) = Sensor::start(&Config::default(), watch).context(
        "starting the sensor (it needs root, or CAP_BPF and CAP_PERFMON, and a kernel with BTF)",
    )?;
    let mut failure = None;
    // The rings fill while /proc is read, so nothing falls between the two; what both tell is told twice.
    Scan::default().run(&mut |fact| {
        if failure.is_none() {
            failure = sink(Live::Before(fact)).err();
        }
    });
    // The rings hand out a little later what happened: after the end comes what was before it.
    let (mut ended, mut over) = (None::<(Instant, u64)>, false);
    while failure.is_none() && !over {
        if ended.is_none() && until.reached() {
            ended = Some((Instant::now(), now_ns()));
        }
        let events = sensor.poll_with_origin(|event, origin| {
            over |= ended.is_some_and(|(_, end)| event.ts > end);
            if failure.is_none() && !over {
                let what = if origin == Origin::Kept {
                    Live::Earlier(event)
                } else {
                    Live::Event(event)
                };
                failure = sink(what).err();
            }
        });
        if let Some((at, _)) = ended {
            let since = at.elapsed();
            over |= since > LAST || (events == 0 && since > PAUSE);
        }
        if events == 0 && !over {
            idle()?;
            sensor.wait(PAUSE);
        }
    }
    match failure {
        Some(failure) => Err(failure),
        None => sensor.stats().context("reading the sensor's counters"),
    }
}

/// Nanoseconds since the Unix epoch.
fn now_ns() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}
