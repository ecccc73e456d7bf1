//! The agent's own log on standard error: one line an entry, logfmt or JSON, cheap to share.

use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use vedette_event::{json_string, write_utc};

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "error" => Self::Error,
            "warn" => Self::Warn,
            "debug" => Self::Debug,
            _ => Self::Info,
        }
    }
}

/// Form and least important level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    json: bool,
    level: Level,
}

impl Settings {
    /// From the configuration's words, which its table has checked.
    pub(crate) fn new(format: &str, level: &str) -> Self {
        Self {
            json: format == "json",
            level: Level::parse(level),
        }
    }
}

/// The log. Clones write to the same place and follow the same settings.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// The level, and 128 for JSON.
    state: Arc<AtomicU8>,
}

const JSON: u8 = 128;

impl Log {
    pub(crate) fn new(settings: Settings) -> Self {
        let log = Self {
            state: Arc::default(),
        };
        log.set(settings);
        log
    }

    /// Changes form and level, for every clone.
    pub(crate) fn set(&self, settings: Settings) {
        let json = if settings.json { JSON } else { 0 };
        self.state.store(settings.level as u8 | json, Relaxed);
    }

    pub(crate) fn error(&self, message: &str, values: &[(&str, &dyn Display)]) {
        self.write(Level::Error, message, values);
    }

    pub(crate) fn warn(&self, message: &str, values: &[(&str, &dyn Display)]) {
        self.write(Level::Warn, message, values);
    }

    pub(crate) fn info(&self, message: &str, values: &[(&str, &dyn Display)]) {
        self.write(Level::Info, message, values);
    }

    pub(crate) fn debug(&self, message: &str, values: &[(&str, &dyn Display)]) {
        self.write(Level::Debug, message, values);
    }

    fn write(&self, level: Level, message: &str, values: &[(&str, &dyn Display)]) {
        let state = self.state.load(Relaxed);
        if level as u8 > state & !JSON {
            return;
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as u64);
        let line = line(now, state & JSON != 0, level, message, values);
        // A log that cannot be written is no reason to stop watching.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

fn line(
    now: u64,
    json: bool,
    level: Level,
    message: &str,
    values: &[(&str, &dyn Display)],
) -> String {
    let mut out = String::with_capacity(128);
    if json {
        out.push_str("{\"time\":\"");
        write_utc(now, &mut out);
        let _ = write!(out, "\",\"level\":\"{}\",\"msg\":", level.name());
        json_string(message, &mut out);
        for (name, value) in values {
            out.push(',');
            json_string(name, &mut out);
            out.push(':');
            json_string(&value.to_string(), &mut out);
        }
        out.push_str("}\n");
    } else {
        out.push_str("time=");
        write_utc(now, &mut out);
        let _ = write!(out, " level={} msg=", level.name());
        logfmt(message, &mut out);
        for (name, value) in values {
            let _ = write!(out, " {name}=");
            logfmt(&value.to_string(), &mut out);
        }
        out.push('\n');
    }
    out
}

/// A value as it is where that is unambiguous, else quoted: what an attacker named cannot make lines or keys of its own.
fn logfmt(value: &str, out: &mut String) {
    let plain = !value.is_empty()
        && value
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\'));
    if plain {
        out.push_str(value);
        return;
    }
    let mut quoted = String::new();
    json_string(value, &mut quoted);
    for c in quoted.chars() {
        // beyond what JSON escapes: marks that turn the direction of text around, and the like
        if c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_lines_whatever_they_say() {
        let values: &[(&str, &dyn Display)] = &[("file", &"a b\n\u{202e}c=\"d\""), ("rules", &3)];
        assert_eq!(
            line(0, false, Level::Warn, "read again", values),
            "time=1970-01-01T00:00:00.000000000Z level=warn msg=\"read again\" \
             file=\"a b\\n\\u202ec=\\\"d\\\"\" rules=3\n"
        );
        let text = line(0, true, Level::Info, "m", values);
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (json["level"].as_str(), json["rules"].as_str()),
            (Some("info"), Some("3"))
        );
        assert_eq!(text.lines().count(), 1);
    }
}
