//! A running sensor for tests: performs an action in this thread and finds the event that it caused.

use std::time::{Duration, Instant};

use vedette_event::{EventType, RawEvent, Via};
use vedette_sensor::{Config, Interest, Origin, Sensor};

/// How long an event may take to arrive before the test fails; far above what any machine needs.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event that outlives the ring.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) kind: EventType,
    pub(crate) tid: i64,
    pub(crate) ts: u64,
    pub(crate) origin: Origin,
    pub(crate) via: Via,
    pub(crate) params: Vec<Vec<u8>>,
}

impl Seen {
    fn new(event: &RawEvent<'_>, origin: Origin) -> Self {
        Self {
            kind: event.kind,
            tid: event.tid,
            ts: event.ts,
            origin,
            via: event.via,
            params: event.params().map(<[u8]>::to_vec).collect(),
        }
    }

    /// A parameter by its name in the event table.
    pub(crate) fn param(&self, name: &str) -> &[u8] {
        let info = self.kind.info().expect("known type");
        let at = info.params.iter().position(|p| p.name == name).expect(name);
        &self.params[at]
    }

    /// A number of any width, sign extended.
    pub(crate) fn number(&self, name: &str) -> i64 {
        let bytes = self.param(name);
        match bytes.len() {
            1 => i64::from(bytes[0]),
            2 => i64::from(u16::from_le_bytes(bytes.try_into().unwrap())),
            4 => i64::from(i32::from_le_bytes(bytes.try_into().unwrap())),
            8 => i64::from_le_bytes(bytes.try_into().unwrap()),
            n => panic!("{name} has {n} bytes"),
        }
    }

    /// Text without its NUL.
    pub(crate) fn text(&self, name: &str) -> String {
        let bytes = self.param(name);
        String::from_utf8(bytes.strip_suffix(b"\0").unwrap_or(bytes).to_vec()).unwrap()
    }
}

pub(crate) struct Watch {
    pub(crate) sensor: Sensor,
    pub(crate) seen: Vec<Seen>,
}

impl Watch {
    /// Starts a sensor for everything it can watch. `None`, with one printed line, when this process may not.
    pub(crate) fn start(interests: &[Interest]) -> Option<Self> {
        // SAFETY: no preconditions.
        if unsafe { libc::geteuid() } != 0 {
            println!("skipped: the live sensor is only tested as root");
            return None;
        }
        let (sensor, _) =
            Sensor::start(&Config::default(), interests).expect("root can start the sensor");
        Some(Self {
            sensor,
            seen: Vec::new(),
        })
    }

    pub(crate) fn poll(&mut self) {
        let seen = &mut self.seen;
        self.sensor
            .poll_with_origin(|event, origin| seen.push(Seen::new(&event, origin)));
    }

    /// Waits for the first event, not yet taken, that fits; what this thread did before is dropped with it.
    pub(crate) fn take(&mut self, what: &str, fits: impl Fn(&Seen) -> bool) -> Seen {
        let until = Instant::now() + PATIENCE;
        loop {
            self.poll();
            if let Some(at) = self.seen.iter().position(&fits) {
                return self.seen.drain(..=at).next_back().expect("just found");
            }
            assert!(
                Instant::now() < until,
                "no event for {what}; saw {:?}, {:?}",
                self.seen
                    .iter()
                    .filter(|s| s.tid == tid())
                    .map(|s| s.kind.name())
                    .rev()
                    .take(20)
                    .collect::<Vec<_>>(),
                self.sensor.stats()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for this thread's event of a type.
    pub(crate) fn own(&mut self, symbol: &str) -> Seen {
        let kind = EventType::by_symbol(symbol).expect(symbol);
        let tid = tid();
        self.take(symbol, |seen| seen.kind == kind && seen.tid == tid)
    }

    /// Forgets what has happened so far, once all of it has arrived.
    pub(crate) fn settle(&mut self) {
        std::thread::sleep(Duration::from_millis(5));
        self.poll();
        self.seen.clear();
    }
}

pub(crate) fn tid() -> i64 {
    // SAFETY: no preconditions.
    i64::from(unsafe { libc::gettid() })
}

/// A system call with up to six arguments: its result, or the negative error number.
pub(crate) fn call(nr: libc::c_long, args: &[i64]) -> i64 {
    let mut a = [0i64; 6];
    a[..args.len()].copy_from_slice(args);
    // SAFETY: the tests pass valid pointers or, on purpose, invalid ones that the kernel refuses.
    let ret = unsafe { libc::syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]) };
    if ret == -1 {
        -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    } else {
        ret
    }
}
