//! Alerts: what a matching rule says, and their one wire format.
//!
//! The JSON form has exactly the keys, value types and order of Falco's `json_output`, so whatever reads Falco reads
//! Vedette.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

use crate::Priority;

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Time of the event in nanoseconds since the Unix epoch.
    pub time: u64,
    /// Name of the rule.
    pub rule: Arc<str>,
    /// Priority of the rule.
    pub priority: Priority,
    /// Event source, such as `syscall`.
    pub source: Arc<str>,
    /// Tags of the rule, sorted.
    pub tags: Arc<[String]>,
    /// Host the event happened on.
    pub hostname: Arc<str>,
    /// The whole text line: time, priority, message.
    pub output: String,
    /// Where the message starts in `output`.
    pub message_at: usize,
    /// `output_fields` as JSON object text.
    pub fields: String,
}

/// Which optional keys the JSON form carries. Falco's names: `json_include_*_property`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonKeys {
    /// `message`: the text without time and priority.
    pub message: bool,
    /// `output`: the whole text.
    pub output: bool,
    /// `output_fields`.
    pub fields: bool,
    /// `tags`.
    pub tags: bool,
}

impl Default for JsonKeys {
    /// Falco's defaults: everything but `message`.
    fn default() -> Self {
        Self {
            message: false,
            output: true,
            fields: true,
            tags: true,
        }
    }
}

impl Alert {
    /// The text without time and priority.
    pub fn message(&self) -> &str {
        self.output.get(self.message_at..).unwrap_or_default()
    }

    /// The whole line for a terminal, a log file or syslog: control characters, which an attacker may have put into a
    /// file name or an argument, are written out as JSON writes them.
    pub fn line(&self) -> String {
        let mut out = String::with_capacity(self.output.len());
        for c in self.output.chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if c.is_control() => {
                    let _ = write!(out, "\\u{:04x}", u32::from(c));
                }
                c => out.push(c),
            }
        }
        out
    }

    /// Appends the JSON form to `out`: one object, keys in alphabetical order, no line break.
    pub fn write_json(&self, keys: JsonKeys, out: &mut String) {
        out.push_str("{\"hostname\":");
        json_string(&self.hostname, out);
        if keys.message {
            out.push_str(",\"message\":");
            json_string(self.message(), out);
        }
        if keys.output {
            out.push_str(",\"output\":");
            json_string(&self.output, out);
        }
        if keys.fields {
            out.push_str(",\"output_fields\":");
            out.push_str(&self.fields);
        }
        let _ = write!(out, ",\"priority\":\"{}\",\"rule\":", self.priority);
        json_string(&self.rule, out);
        out.push_str(",\"source\":");
        json_string(&self.source, out);
        if keys.tags {
            out.push_str(",\"tags\":[");
            for (index, tag) in self.tags.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                json_string(tag, out);
            }
            out.push(']');
        }
        out.push_str(",\"time\":\"");
        write_utc(self.time, out);
        out.push_str("\"}");
    }
}

/// Appends `text` as a JSON string, quotes included.
pub fn json_string(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: Option<&str> = match byte {
            b'"' => Some("\\\""),
            b'\\' => Some("\\\\"),
            b'\n' => Some("\\n"),
            b'\r' => Some("\\r"),
            b'\t' => Some("\\t"),
            8 => Some("\\b"),
            12 => Some("\\f"),
            0..=0x1f => None,
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        match escape {
            Some(escape) => out.push_str(escape),
            None => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        plain = at + 1;
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// Appends `YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ` for nanoseconds since the Unix epoch.
pub fn write_utc(nanos: u64, out: &mut String) {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(9));
    let at =
        Timestamp::from_nanosecond(i128::from(nanos)).expect("64 bits of nanoseconds end in 2554");
    let _ = PRINTER.print_timestamp(&at, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_form_has_falcos_keys_in_falcos_order() {
        let alert = Alert {
            time: 1_795_299_390_302_973_163,
            rule: "a \"rule\"".into(),
            priority: Priority::Informational,
            source: "syscall".into(),
            tags: vec!["a".to_owned(), "b".to_owned()].into(),
            hostname: "h".into(),
            output: "22:16:30.302973163: Informational x\ty\u{1}".to_owned(),
            message_at: 34,
            fields: "{\"evt.num\":1}".to_owned(),
        };
        let mut text = String::new();
        alert.write_json(
            JsonKeys {
                message: true,
                ..JsonKeys::default()
            },
            &mut text,
        );
        assert_eq!(
            text,
            "{\"hostname\":\"h\",\"message\":\"x\\ty\\u0001\",\"output\":\"22:16:30.302973163: Informational x\\ty\\u0001\",\
             \"output_fields\":{\"evt.num\":1},\"priority\":\"Informational\",\"rule\":\"a \\\"rule\\\"\",\
             \"source\":\"syscall\",\"tags\":[\"a\",\"b\"],\"time\":\"2026-11-21T22:16:30.302973163Z\"}"
        );
    }

    #[test]
    fn dates_are_right_at_the_edges() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000000Z"),
        ] {
            let mut text = String::new();
            write_utc(seconds * 1_000_000_000, &mut text);
            assert_eq!(text, date);
        }
    }
}
