//! Each output on its own thread behind a bounded queue, with a filter and counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::Duration;

use vedette_event::{Alert, JsonKeys};

use crate::{Filter, Format, Line, Output};

/// Alerts that wait for one output at most.
const QUEUE: usize = 8192;
/// How long an output's thread waits for an alert before it looks after its buffers.
const IDLE: Duration = Duration::from_millis(500);

/// What to do when an output's queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Wait: right for replays, where nothing is lost by being slow.
    Wait,
    /// Drop the alert and count it: right for live streams, where waiting would lose events instead.
    Drop,
}

#[derive(Debug, Default)]
struct Counters {
    delivered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    spooled: AtomicU64,
    given_up: AtomicU64,
}

/// Counters of one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The output as it was specified.
    pub name: String,
    /// Alerts delivered (or put into the spool).
    pub delivered: u64,
    /// Alerts whose delivery failed for good.
    pub failed: u64,
    /// Alerts dropped because the queue was full.
    pub dropped: u64,
    /// Alerts that wait in the spool now.
    pub spooled: u64,
    /// Alerts that the output gave up, such as those a full spool had no room for.
    pub given_up: u64,
    /// The last failure in words.
    pub last_failure: Option<String>,
}

struct Channel {
    name: String,
    filter: Filter,
    format: Format,
    queue: Option<SyncSender<Line>>,
    counters: Arc<Counters>,
    failure: Arc<std::sync::Mutex<Option<String>>>,
    reopen: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// All outputs of a process. Dropping it delivers what is queued and ends the threads.
pub struct Fanout {
    channels: Vec<Channel>,
    full: Full,
    keys: JsonKeys,
}

impl Fanout {
    /// No outputs yet.
    pub fn new(full: Full, keys: JsonKeys) -> Self {
        Self {
            channels: Vec::new(),
            full,
            keys,
        }
    }

    /// Adds an output.
    pub fn add(&mut self, name: String, filter: Filter, format: Format, output: Box<dyn Output>) {
        let (queue, lines) = mpsc::sync_channel(QUEUE);
        let counters = Arc::new(Counters::default());
        let failure = Arc::default();
        let reopen = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            output,
            lines,
            counters: Arc::clone(&counters),
            failure: Arc::clone(&failure),
            reopen: Arc::clone(&reopen),
        };
        let thread = std::thread::Builder::new()
            .name(format!("out {name}"))
            .spawn(move || worker.run())
            .ok();
        self.channels.push(Channel {
            name,
            filter,
            format,
            queue: Some(queue),
            counters,
            failure,
            reopen,
            thread,
        });
    }

    /// Hands an alert to every output whose filter lets it through.
    pub fn send(&self, alert: &Alert) {
        let (mut text, mut json) = (None, None);
        for channel in &self.channels {
            if !channel.filter.passes(alert) {
                continue;
            }
            let rendered = match channel.format {
                Format::Text => text.get_or_insert_with(|| alert.line()),
                Format::Json => json.get_or_insert_with(|| {
                    let mut line = String::with_capacity(1024);
                    alert.write_json(self.keys, &mut line);
                    line
                }),
            };
            let line = Line {
                text: rendered.clone(),
                priority: alert.priority,
            };
            self.queue(channel, line);
        }
    }

    /// Hands a line that is rendered already to every output, whatever their filters and formats.
    pub fn send_line(&self, line: &Line) {
        for channel in &self.channels {
            self.queue(channel, line.clone());
        }
    }

    fn queue(&self, channel: &Channel, line: Line) {
        let Some(queue) = &channel.queue else { return };
        let lost = match self.full {
            Full::Wait => queue.send(line).is_err(),
            Full::Drop => {
                matches!(
                    queue.try_send(line),
                    Err(TrySendError::Full(_) | TrySendError::Disconnected(_))
                )
            }
        };
        if lost {
            channel.counters.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Asks every output to reopen its files; done before its next delivery.
    pub fn reopen(&self) {
        for channel in &self.channels {
            channel.reopen.store(true, Relaxed);
        }
    }

    /// Counters of every output, in the order in which they were added.
    pub fn snapshot(&self) -> Vec<Snapshot> {
        self.channels.iter().map(Channel::snapshot).collect()
    }

    /// Delivers what is queued, ends the threads and gives the final counters.
    pub fn finish(mut self) -> Vec<Snapshot> {
        self.end();
        self.snapshot()
    }

    fn end(&mut self) {
        for channel in &mut self.channels {
            channel.queue = None;
        }
        for channel in &mut self.channels {
            if let Some(thread) = channel.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Fanout {
    fn drop(&mut self) {
        self.end();
    }
}

impl Channel {
    fn snapshot(&self) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        Snapshot {
            name: self.name.clone(),
            delivered: read(&self.counters.delivered),
            failed: read(&self.counters.failed),
            dropped: read(&self.counters.dropped),
            spooled: read(&self.counters.spooled),
            given_up: read(&self.counters.given_up),
            last_failure: self.failure.lock().ok().and_then(|failure| failure.clone()),
        }
    }
}

struct Worker {
    output: Box<dyn Output>,
    lines: Receiver<Line>,
    counters: Arc<Counters>,
    failure: Arc<std::sync::Mutex<Option<String>>>,
    reopen: Arc<AtomicBool>,
}

impl Worker {
    fn run(mut self) {
        loop {
            let first = match self.lines.recv_timeout(IDLE) {
                Ok(line) => Some(line),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if self.reopen.swap(false, Relaxed) {
                let reopened = self.output.reopen();
                self.note(reopened);
            }
            if let Some(first) = first {
                self.deliver(first);
            } else {
                let idle = self.output.idle();
                self.note(idle);
            }
            self.count_aside();
        }
        let idle = self.output.idle();
        self.note(idle);
        self.count_aside();
    }

    fn deliver(&mut self, first: Line) {
        let most = self.output.batch().max(1);
        let mut lines = vec![first];
        while lines.len() < most {
            let Ok(line) = self.lines.try_recv() else {
                break;
            };
            lines.push(line);
        }
        let outcome = self.output.deliver(&lines);
        let counter = if outcome.is_ok() {
            &self.counters.delivered
        } else {
            &self.counters.failed
        };
        counter.fetch_add(lines.len() as u64, Relaxed);
        self.note(outcome);
    }

    fn count_aside(&self) {
        let (spooled, given_up) = self.output.put_aside();
        self.counters.spooled.store(spooled, Relaxed);
        self.counters.given_up.store(given_up, Relaxed);
    }

    fn note(&self, outcome: Result<(), crate::Failure>) {
        let Err(error) = outcome else { return };
        let mut text = error.to_string();
        if let Some(source) = std::error::Error::source(&error) {
            text = format!("{text}: {source}");
        }
        if let Ok(mut failure) = self.failure.lock() {
            *failure = Some(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;
    use vedette_event::Priority;

    fn alert(priority: Priority) -> Alert {
        Alert {
            time: 0,
            rule: "r".into(),
            priority,
            source: "syscall".into(),
            tags: vec!["t".to_owned()].into(),
            hostname: "h".into(),
            output: "text".to_owned(),
            message_at: 0,
            fields: "{}".to_owned(),
        }
    }

    struct Stuck(Receiver<()>);

    impl Output for Stuck {
        fn deliver(&mut self, _: &[Line]) -> Result<(), Failure> {
            let _ = self.0.recv();
            Err(Failure::Refused("no".to_owned()))
        }

        fn batch(&self) -> usize {
            1
        }
    }

    #[test]
    fn a_stuck_output_neither_blocks_the_others_nor_loses_uncounted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let (release, stuck) = mpsc::channel();
        let mut fanout = Fanout::new(Full::Drop, JsonKeys::default());
        fanout.add(
            "stuck".to_owned(),
            Filter::default(),
            Format::Text,
            Box::new(Stuck(stuck)),
        );
        let file = Box::new(crate::File::open(path.clone()).unwrap());
        let filter = Filter {
            least: Some(Priority::Warning),
            ..Filter::default()
        };
        fanout.add("file".to_owned(), filter, Format::Text, file);
        let extra = 10;
        for _ in 0..QUEUE + extra {
            fanout.send(&alert(Priority::Notice));
        }
        fanout.send(&alert(Priority::Critical));
        drop(release);
        let counts = fanout.finish();
        let stuck = &counts[0];
        assert_eq!(stuck.failed + stuck.dropped, (QUEUE + extra + 1) as u64);
        assert!(stuck.dropped >= extra as u64);
        assert_eq!(stuck.last_failure.as_deref(), Some("no"));
        assert_eq!((counts[1].delivered, counts[1].failed), (1, 0));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "text\n");
    }
}
