//! What the agent's metrics page says, and whether the agent is well. Published once a second for [`super::http`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use vedette_detect::Detector;
use vedette_event::EventType;
use vedette_outputs::Snapshot;
use vedette_sensor::{ProgramStats, Stats};

use super::config::Health;
use super::metrics::{Metric, Page, Type};
use super::pipeline::Pipeline;
use super::reload::Counts;

/// Every metric of the agent itself; stages add their own. `docs/agent.md` lists them and a test compares.
macro_rules! metrics {
    ($($id:ident $kind:ident $name:literal $help:literal;)*) => {
        $(pub(crate) const $id: Metric = Metric { name: $name, kind: Type::$kind, help: $help };)*
        /// All of them.
        #[cfg(test)]
        pub(crate) const ALL: &[Metric] = &[$($id),*];
    };
}

metrics! {
    BUILD Gauge "vedette_build_info" "1, with the version as a label.";
    START Gauge "vedette_start_time_seconds" "When the agent started, seconds since the Unix epoch.";
    HEALTHY Gauge "vedette_healthy" "1 when /healthz answers 200, else 0.";
    EVENTS Counter "vedette_events_total" "Events handled, by source and type.";
    UNWATCHED Gauge "vedette_unwatched_seconds" "How long nobody watched before this start, 0 when it is not known.";
    LAG Gauge "vedette_event_lag_seconds" "Age of the event that was handled last, 0 when none waits.";
    SENSOR_EVENTS Counter "vedette_sensor_events_total" "Events that the kernel side wrote.";
    SENSOR_BYTES Counter "vedette_sensor_bytes_total" "Bytes that the kernel side wrote.";
    SENSOR_DROPS Counter "vedette_sensor_drops_total" "Events lost in the kernel, by cause and processor.";
    SENSOR_WAITING Gauge "vedette_sensor_waiting_bytes" "Bytes that wait in the ring buffers.";
    SENSOR_LATE Counter "vedette_sensor_late_total" "Events that came out after a later one.";
    SENSOR_MALFORMED Counter "vedette_sensor_malformed_total" "Records that could not be read.";
    PROGRAM_VERIFIED Gauge "vedette_program_verified_instructions" "Instructions of a BPF program that the verifier walked.";
    PROGRAM_RUNS Counter "vedette_program_runs_total" "Runs of a BPF program; 0 unless kernel.bpf_stats_enabled is set.";
    PROGRAM_TIME Counter "vedette_program_run_seconds_total" "Time that a BPF program ran; 0 unless kernel.bpf_stats_enabled is set.";
    RULES Gauge "vedette_rules" "Rules at work.";
    RULE_MATCHES Counter "vedette_rule_matches_total" "Alerts of a rule.";
    ALERTS Counter "vedette_alerts_total" "Alerts sent on their way.";
    OUTPUT_DELIVERED Counter "vedette_output_delivered_total" "Alerts that an output delivered or put into its spool.";
    OUTPUT_FAILED Counter "vedette_output_failed_total" "Alerts whose delivery failed for good.";
    OUTPUT_DROPPED Counter "vedette_output_dropped_total" "Alerts that an output's full queue had no room for.";
    OUTPUT_GIVEN_UP Counter "vedette_output_given_up_total" "Alerts that an output's full spool gave up.";
    OUTPUT_SPOOLED Gauge "vedette_output_spooled" "Alerts that wait in an output's spool.";
    CONTAINERS Gauge "vedette_containers" "Containers in the state's table.";
    CONTAINERS_FOUND Counter "vedette_containers_found_total" "Containers that a runtime described.";
    CONTAINERS_UNKNOWN Gauge "vedette_containers_unknown" "Containers seen so far of which only the id is known.";
    CONTAINERS_EVICTED Counter "vedette_containers_evicted_total" "Containers forgotten because there were too many.";
    CONTAINERS_WAITED Counter "vedette_containers_waited_seconds_total" "Time that events waited for runtimes to describe new containers.";
    THREADS Gauge "vedette_threads" "Threads in the state's table.";
    THREADS_DROPPED Counter "vedette_threads_dropped_total" "Threads that the full table had no room for.";
    THREADS_EVICTED Counter "vedette_threads_evicted_total" "Threads removed to make room.";
    THREADS_UNKNOWN Counter "vedette_thread_lookups_failed_total" "Events of threads that nobody had told about.";
    FDS_UNKNOWN Counter "vedette_fd_lookups_failed_total" "Events of descriptors that nobody had told about.";
    RELOADS Counter "vedette_reloads_total" "Times that rules and configuration were read again, by outcome.";
    RELOADED Gauge "vedette_reload_timestamp_seconds" "When rules and configuration were last taken over, seconds since the Unix epoch.";
    MEMORY Gauge "vedette_memory_rss_bytes" "Resident memory of the agent.";
    CPU Counter "vedette_cpu_seconds_total" "Processor time of the agent.";
}

/// What is published.
#[derive(Debug)]
pub(crate) struct Published {
    /// The metrics page.
    pub(crate) text: String,
    /// Why the agent is not well, when it is not.
    pub(crate) unwell: Option<String>,
    /// When this was published.
    pub(crate) at: Instant,
}

/// Where it is published.
pub(crate) type Board = Arc<Mutex<Arc<Published>>>;

/// An empty board: not attached yet.
pub(crate) fn board() -> Board {
    Arc::new(Mutex::new(Arc::new(Published {
        text: String::new(),
        unwell: Some("the sensor is not attached yet".to_owned()),
        at: Instant::now(),
    })))
}

/// What publishing found to have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    Nothing,
    /// The agent is not well any more, and why.
    Unwell(String),
    /// The agent is well again.
    Well,
}

/// Over how many ticks losses count for health.
const WINDOW: usize = 10;
/// How often the kernel is asked what the programs cost, in ticks: that costs some hundred system calls.
const PROGRAMS_EVERY: u64 = 15;

/// Figures that outlive a rule set, and what is needed to see changes.
pub(crate) struct Figures {
    board: Board,
    started: u64,
    reloaded: u64,
    unwatched: Duration,
    ticks: u64,
    recent: VecDeque<(u64, u64)>,
    /// Matches of rule sets before this one, by rule, priority and source.
    matched: BTreeMap<(Arc<str>, &'static str), u64>,
    programs: Vec<ProgramStats>,
    was_well: bool,
}

impl Figures {
    /// `programs` is what the kernel side's programs cost at the start, when the kernel still tells; `unwatched` how long
    /// nobody watched before it.
    pub(crate) fn new(board: Board, programs: Vec<ProgramStats>, unwatched: Duration) -> Self {
        let now = now();
        Self {
            board,
            started: now,
            reloaded: now,
            unwatched,
            ticks: 0,
            recent: VecDeque::new(),
            matched: BTreeMap::new(),
            programs,
            was_well: true,
        }
    }

    /// Where the figures are published.
    pub(crate) fn board(&self) -> Board {
        Arc::clone(&self.board)
    }

    /// Keeps the counts of a rule set that is about to go.
    pub(crate) fn swap(&mut self, detector: &Detector) {
        self.reloaded = now();
        for count in detector.counts() {
            *self
                .matched
                .entry((count.rule, count.priority.name()))
                .or_default() += count.alerts;
        }
    }

    /// Publishes. `stats` are the sensor's counters, `busy` whether events were waiting just now, `programs` asks what
    /// the kernel side's programs cost. When the agent has become unwell or well again, the answer says so.
    pub(crate) fn publish(
        &mut self,
        pipeline: &Pipeline,
        stats: &Result<Stats, String>,
        programs: impl FnOnce() -> Vec<ProgramStats>,
        busy: bool,
        reloads: &Counts,
        health: Health,
    ) -> Change {
        if self.ticks.is_multiple_of(PROGRAMS_EVERY) {
            let seen = programs();
            // without CAP_SYS_ADMIN the kernel does not tell; what it told at the start stays true but for the costs
            if !seen.is_empty() {
                self.programs = seen;
            }
        }
        self.ticks += 1;
        let lag = if busy {
            Duration::from_nanos(now_ns().saturating_sub(pipeline.last))
        } else {
            Duration::ZERO
        };
        let unwell = self.unwell(stats.as_ref(), lag, health);
        let mut page = Page::default();
        page.sample(&BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        page.add(&START, self.started);
        page.add(&HEALTHY, u8::from(unwell.is_none()));
        for (id, count) in pipeline.kinds.iter().enumerate() {
            if *count > 0 {
                let name = EventType(id as u16).name();
                page.sample(&EVENTS, &[("source", "syscall"), ("type", name)], count);
            }
        }
        page.add(&UNWATCHED, self.unwatched.as_secs_f64());
        page.add(&LAG, lag.as_secs_f64());
        if let Ok(stats) = stats {
            sensor(&mut page, stats);
        }
        for program in &self.programs {
            page.sample(
                &PROGRAM_VERIFIED,
                &[("program", &program.name)],
                program.verified_instructions,
            );
        }
        for program in &self.programs {
            page.sample(&PROGRAM_RUNS, &[("program", &program.name)], program.runs);
        }
        for program in &self.programs {
            let seconds = program.run_time_ns as f64 / 1e9;
            page.sample(&PROGRAM_TIME, &[("program", &program.name)], seconds);
        }
        self.rules(&mut page, pipeline);
        outputs(&mut page, pipeline);
        tables(&mut page, pipeline);
        for (outcome, count) in [("done", &reloads.done), ("failed", &reloads.failed)] {
            page.sample(&RELOADS, &[("outcome", outcome)], count.load(Relaxed));
        }
        page.add(&RELOADED, self.reloaded);
        let (memory, cpu) = own_costs();
        page.add(&MEMORY, memory);
        page.add(&CPU, cpu);
        for stage in &pipeline.stages {
            stage.metrics(&mut page);
        }
        let change = match (&unwell, self.was_well) {
            (Some(reason), true) => Change::Unwell(reason.clone()),
            (None, false) => Change::Well,
            _ => Change::Nothing,
        };
        self.was_well = unwell.is_none();
        let published = Arc::new(Published {
            text: page.finish(),
            unwell,
            at: Instant::now(),
        });
        if let Ok(mut board) = self.board.lock() {
            *board = published;
        }
        change
    }

    fn unwell(
        &mut self,
        stats: Result<&Stats, &String>,
        lag: Duration,
        health: Health,
    ) -> Option<String> {
        let stats = match stats {
            Ok(stats) => stats,
            Err(error) => return Some(format!("the sensor does not answer: {error}")),
        };
        self.recent.push_back((stats.events, stats.dropped()));
        while self.recent.len() > WINDOW + 1 {
            self.recent.pop_front();
        }
        let (first, last) = (self.recent.front()?, self.recent.back()?);
        let (events, lost) = (last.0 - first.0.min(last.0), last.1 - first.1.min(last.1));
        if lost * 100 > health.drop_percent * (events + lost) {
            return Some(format!(
                "{lost} of {} events were lost in the last {WINDOW} seconds",
                events + lost
            ));
        }
        (lag > health.lag).then(|| format!("events are handled {} seconds late", lag.as_secs()))
    }

    fn rules(&self, page: &mut Page, pipeline: &Pipeline) {
        page.add(&RULES, pipeline.detector.rules().len());
        let mut matched = self.matched.clone();
        for count in pipeline.detector.counts() {
            *matched
                .entry((count.rule, count.priority.name()))
                .or_default() += count.alerts;
        }
        for ((rule, priority), count) in &matched {
            let labels = [("rule", &**rule), ("priority", *priority)];
            page.sample(&RULE_MATCHES, &labels, count);
        }
        page.add(&ALERTS, pipeline.emit.alerts());
    }
}

fn sensor(page: &mut Page, stats: &Stats) {
    page.add(&SENSOR_EVENTS, stats.events);
    page.add(&SENSOR_BYTES, stats.bytes);
    for (cpu, drops) in stats.drops.iter().enumerate() {
        let cpu = cpu.to_string();
        for (cause, count) in [
            ("ring_full", drops.ring_full),
            ("too_long", drops.too_long),
            ("nested", drops.nested),
            ("no_program", drops.no_program),
            ("pending_full", drops.pending_full),
        ] {
            page.sample(&SENSOR_DROPS, &[("cpu", &cpu), ("cause", cause)], count);
        }
    }
    page.add(&SENSOR_WAITING, stats.waiting);
    page.add(&SENSOR_LATE, stats.late);
    page.add(&SENSOR_MALFORMED, stats.malformed);
}

/// Reads a counter of an output.
type Read = fn(&Snapshot) -> u64;

fn outputs(page: &mut Page, pipeline: &Pipeline) {
    let outputs = pipeline.emit.outputs();
    let columns: [(&Metric, Read); 5] = [
        (&OUTPUT_DELIVERED, |o| o.delivered),
        (&OUTPUT_FAILED, |o| o.failed),
        (&OUTPUT_DROPPED, |o| o.dropped),
        (&OUTPUT_GIVEN_UP, |o| o.given_up),
        (&OUTPUT_SPOOLED, |o| o.spooled),
    ];
    for (metric, read) in columns {
        for output in &outputs {
            page.sample(metric, &[("output", &output.name)], read(output));
        }
    }
}

fn tables(page: &mut Page, pipeline: &Pipeline) {
    let state = pipeline.state.stats();
    let seen = pipeline.observer.stats();
    page.add(&CONTAINERS, state.containers);
    page.add(&CONTAINERS_FOUND, seen.found);
    page.add(&CONTAINERS_UNKNOWN, seen.unknown);
    page.add(&CONTAINERS_EVICTED, seen.evicted);
    page.add(&CONTAINERS_WAITED, seen.waited.as_secs_f64());
    page.add(&THREADS, state.threads);
    page.add(&THREADS_DROPPED, state.threads_dropped);
    page.add(&THREADS_EVICTED, state.threads_evicted);
    page.add(&THREADS_UNKNOWN, state.thread_lookups_failed);
    page.add(&FDS_UNKNOWN, state.fd_lookups_failed);
}

/// Resident bytes and processor seconds of this process, as `/proc` tells them.
fn own_costs() -> (u64, f64) {
    /// Bytes of a page: 4096 on every platform that the sensor is built for.
    const PAGE: u64 = 4096;
    /// `USER_HZ`, which the kernel fixes at 100 towards programs.
    const TICKS: f64 = 100.0;
    let resident = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0);
    let ticks = std::fs::read_to_string("/proc/self/stat")
        .ok()
        .and_then(|text| {
            // the name in brackets may hold blanks; utime and stime are the 12th and 13th after it
            let rest = &text[text.rfind(')')? + 1..];
            let mut words = rest.split_whitespace().skip(11);
            let user: u64 = words.next()?.parse().ok()?;
            let system: u64 = words.next()?.parse().ok()?;
            Some(user + system)
        })
        .unwrap_or(0);
    (resident * PAGE, ticks as f64 / TICKS)
}

fn now() -> u64 {
    now_ns() / 1_000_000_000
}

fn now_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::super::{activity, capture, guard};
    use super::*;

    #[test]
    fn losses_and_lag_make_unwell() {
        let mut figures = Figures::new(board(), Vec::new(), Duration::ZERO);
        let health = Health {
            drop_percent: 5,
            lag: Duration::from_secs(10),
        };
        let stats = |events, lost| Stats {
            events,
            drops: vec![vedette_sensor::Drops {
                ring_full: lost,
                ..Default::default()
            }],
            ..Stats::default()
        };
        let mut check =
            |stats: &Stats, lag| figures.unwell(Ok(stats), Duration::from_secs(lag), health);
        // what was lost before the first look does not count
        assert_eq!(check(&stats(100, 100), 0), None);
        assert_eq!(check(&stats(1100, 104), 0), None);
        assert_eq!(
            check(&stats(1100, 204), 0).as_deref(),
            Some("104 of 1104 events were lost in the last 10 seconds")
        );
        // and is over when it has left the window
        for _ in 0..WINDOW {
            check(&stats(2000, 204), 0);
        }
        assert_eq!(check(&stats(2000, 204), 10), None);
        assert_eq!(
            check(&stats(2000, 204), 11).as_deref(),
            Some("events are handled 11 seconds late")
        );
    }

    #[test]
    fn every_metric_is_documented() {
        let page = include_str!("../../../../docs/agent.md");
        let stages = [activity::LEFT_OUT, capture::CAPTURES, capture::RING];
        for metric in ALL.iter().chain(&stages).chain(guard::ALL) {
            let kind = match metric.kind {
                Type::Counter => "counter",
                Type::Gauge => "gauge",
            };
            let row = format!("| `{}` | {kind} | {} |", metric.name, metric.help);
            assert!(page.contains(&row), "docs/agent.md lacks this row:\n{row}");
        }
    }

    #[test]
    fn this_process_costs_something() {
        let (memory, _) = own_costs();
        assert!(memory > 1 << 20);
    }
}
