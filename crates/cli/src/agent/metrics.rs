//! The metrics page: Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write as _};

/// Whether a figure only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// It only grows while the agent runs.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A metric of the agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) kind: Type,
    /// One sentence.
    pub(crate) help: &'static str,
}

/// A page that is being written.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
    last: &'static str,
}

impl Page {
    /// Adds a sample without labels.
    pub(crate) fn add(&mut self, metric: &Metric, value: impl Display) {
        self.sample(metric, &[], value);
    }

    /// Adds a sample. Samples of one metric must follow one another.
    pub(crate) fn sample(&mut self, metric: &Metric, labels: &[(&str, &str)], value: impl Display) {
        if self.last != metric.name {
            self.last = metric.name;
            let kind = match metric.kind {
                Type::Counter => "counter",
                Type::Gauge => "gauge",
            };
            let _ = writeln!(
                self.text,
                "# HELP {} {}\n# TYPE {} {kind}",
                metric.name, metric.help, metric.name
            );
        }
        self.text.push_str(metric.name);
        for (index, (name, value)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{name}=\"");
            for c in value.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// The page.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_in_prometheus_form() {
        const EVENTS: Metric = Metric {
            name: "vedette_events_total",
            kind: Type::Counter,
            help: "Events.",
        };
        let mut page = Page::default();
        page.sample(&EVENTS, &[("type", "a\"b\\\n"), ("source", "syscall")], 3);
        page.sample(&EVENTS, &[("type", "c"), ("source", "syscall")], 4);
        assert_eq!(
            page.finish(),
            "# HELP vedette_events_total Events.\n# TYPE vedette_events_total counter\n\
             vedette_events_total{type=\"a\\\"b\\\\\\n\",source=\"syscall\"} 3\n\
             vedette_events_total{type=\"c\",source=\"syscall\"} 4\n"
        );
    }
}
