//! The server's own log: one JSON object a line, for what an operator must be able to find later.
//!
//! What outsiders can cause is limited in rate; what was left out is counted in the next line. Values are JSON texts, so
//! that nothing of a request can begin a line of its own.

use std::io::Write as _;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Map, Value as Json, json};

/// Lines a second that refusals may cause.
const REFUSALS_A_SECOND: u32 = 50;

/// Where the lines go.
pub type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// The log.
pub struct Log {
    sink: Sink,
    window: Mutex<Window>,
}

struct Window {
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}

impl Default for Log {
    /// Writes to standard error.
    fn default() -> Self {
        Self::new(Box::new(|line| {
            // A log that nobody takes must not stop the server.
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }))
    }
}

impl Log {
    /// A log that gives its lines to `sink`.
    pub fn new(sink: Sink) -> Self {
        Self {
            sink,
            window: Mutex::new(Window {
                since: Instant::now(),
                lines: 0,
                left_out: 0,
            }),
        }
    }

    /// Something that an operator did or that happened to the server.
    pub fn say(&self, level: &str, event: &str, more: Json) {
        let mut line = Map::new();
        line.insert(
            "time".to_owned(),
            json!(crate::clock::rfc3339(crate::clock::now())),
        );
        line.insert("level".to_owned(), json!(level));
        line.insert("event".to_owned(), json!(event));
        if let Json::Object(more) = more {
            line.extend(more);
        }
        (self.sink)(&Json::Object(line).to_string());
    }

    /// A request that was refused.
    pub fn refused(&self, mut more: Json) {
        let left_out = {
            let Ok(mut window) = self.window.lock() else {
                return;
            };
            if window.since.elapsed().as_secs() >= 1 {
                window.since = Instant::now();
                window.lines = 0;
            }
            if window.lines >= REFUSALS_A_SECOND {
                window.left_out += 1;
                return;
            }
            window.lines += 1;
            std::mem::take(&mut window.left_out)
        };
        if left_out > 0 {
            more["left_out_before"] = json!(left_out);
        }
        self.say("warn", "refused", more);
    }
}
