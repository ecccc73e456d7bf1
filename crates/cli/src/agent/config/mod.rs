//! The agent's configuration: one YAML file, every key with a default, a fault is an error with its place.

mod keys;
mod values;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use vedette_detect::Mode;
use vedette_event::Priority;
use vedette_outputs::Spec;

pub(crate) use keys::KEYS;
pub(crate) use values::{Value, Values};

use super::{bundle, log};

/// What standard output shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// A line of text for each alert.
    Text,
    /// Falco's JSON.
    Json,
    /// Findings as JSON.
    Finding,
    /// Nothing.
    Nothing,
}

/// Captures around alerts.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    pub(crate) dir: PathBuf,
    pub(crate) all: bool,
    pub(crate) before: Duration,
    pub(crate) after: Duration,
    pub(crate) ring_bytes: usize,
    pub(crate) file_bytes: u64,
    pub(crate) files: usize,
}

/// The server that findings are sent to.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
    /// Rules and policies are taken from it.
    pub(crate) bundle: bool,
    /// Orders of people are carried out.
    pub(crate) respond: bool,
    pub(crate) spool: PathBuf,
    pub(crate) spool_bytes: u64,
    pub(crate) batch: usize,
    pub(crate) activity: bool,
}

impl Server {
    /// Where its rules and policies are kept, when they are taken.
    pub(crate) fn bundle_dir(&self) -> Option<PathBuf> {
        self.bundle.then(|| bundle::directory(&self.spool))
    }
}

/// Policies, and how they prevent.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    pub(crate) policies: Vec<PathBuf>,
    /// Where the server's policies are kept, when they are taken.
    pub(crate) server: Option<PathBuf>,
    pub(crate) feeds: Vec<PathBuf>,
    pub(crate) cluster: String,
    pub(crate) deadline: Duration,
    pub(crate) otherwise: vedette_guard::Otherwise,
    pub(crate) keep_on_death: bool,
}

/// When `/healthz` fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Health {
    pub(crate) drop_percent: u64,
    pub(crate) lag: Duration,
}

/// The configuration in the agent's own types.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) node: Option<String>,
    pub(crate) rules: Vec<PathBuf>,
    pub(crate) priority: Priority,
    pub(crate) mode: Mode,
    pub(crate) shown: Shown,
    pub(crate) tree: bool,
    pub(crate) outputs: Vec<Spec>,
    pub(crate) sensor: vedette_sensor::Config,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) miners: bool,
    pub(crate) miners_window: Duration,
    pub(crate) health: Health,
    pub(crate) containers_root: PathBuf,
    pub(crate) containers_wait: Duration,
    pub(crate) capture: Option<Capture>,
    pub(crate) server: Option<Server>,
    pub(crate) guard: Option<Guard>,
    pub(crate) redact: Option<Vec<String>>,
    pub(crate) watch: bool,
    pub(crate) watched: PathBuf,
    pub(crate) drop_privileges: bool,
    pub(crate) seccomp: bool,
    pub(crate) log: log::Settings,
}

impl From<&Values> for Config {
    fn from(values: &Values) -> Self {
        let seconds = |path: &str| Duration::from_secs(values.number(path));
        let mib = |path: &str| values.number(path) << 20;
        let set = |path: &str| Some(values.text(path)).filter(|text| !text.is_empty());
        Self {
            node: set("node").map(str::to_owned),
            rules: values.texts("rules").iter().map(PathBuf::from).collect(),
            priority: values
                .text("priority")
                .parse()
                .expect("the table checks it"),
            mode: if values.text("matching") == "all" {
                Mode::All
            } else {
                Mode::First
            },
            shown: match values.text("stdout.format") {
                "json" => Shown::Json,
                "finding" => Shown::Finding,
                "none" => Shown::Nothing,
                _ => Shown::Text,
            },
            tree: values.flag("stdout.tree"),
            outputs: values
                .texts("outputs")
                .iter()
                .filter_map(|text| text.parse().ok())
                .collect(),
            sensor: vedette_sensor::Config {
                ring_bytes: mib("buffers.ring_mib") as u32,
                cpus_per_ring: values.number("buffers.cpus_per_ring") as u32,
                snap_len: values.number("buffers.snap_len") as u32,
                ..vedette_sensor::Config::default()
            },
            miners: values.flag("miners"),
            miners_window: seconds("miners_window_seconds"),
            metrics: set("metrics.listen").and_then(|text| text.parse().ok()),
            health: Health {
                drop_percent: values.number("health.drop_percent"),
                lag: seconds("health.lag_seconds"),
            },
            containers_root: values.text("containers.root").into(),
            containers_wait: Duration::from_millis(values.number("containers.wait_ms")),
            capture: set("capture.dir").map(|dir| Capture {
                dir: dir.into(),
                all: values.flag("capture.all"),
                before: seconds("capture.before_seconds"),
                after: seconds("capture.after_seconds"),
                ring_bytes: mib("capture.ring_mib") as usize,
                file_bytes: mib("capture.file_mib"),
                files: values.number("capture.files") as usize,
            }),
            guard: Some(Guard {
                policies: values.texts("policies").iter().map(PathBuf::from).collect(),
                feeds: values
                    .texts("guard.feeds")
                    .iter()
                    .map(PathBuf::from)
                    .collect(),
                cluster: values.text("guard.cluster").to_owned(),
                deadline: Duration::from_millis(values.number("guard.deadline_ms")),
                otherwise: match values.text("guard.otherwise") {
                    "deny" => vedette_guard::Otherwise::Deny,
                    _ => vedette_guard::Otherwise::Allow,
                },
                server: set("server.url")
                    .filter(|_| values.flag("server.bundle"))
                    .map(|_| bundle::directory(values.text("server.spool").as_ref())),
                keep_on_death: values.text("guard.on_death") == "closed",
            })
            .filter(|guard| !guard.policies.is_empty() || guard.server.is_some()),
            server: set("server.url").map(|url| Server {
                url: url.trim_end_matches('/').to_owned(),
                token_file: set("server.token_file").map(PathBuf::from),
                ca_file: set("server.ca_file").map(PathBuf::from),
                bundle: values.flag("server.bundle"),
                respond: values.flag("server.respond"),
                spool: values.text("server.spool").into(),
                spool_bytes: mib("server.spool_mib"),
                batch: values.number("server.batch") as usize,
                activity: values.flag("server.activity"),
            }),
            redact: values
                .flag("redaction.enabled")
                .then(|| values.texts("redaction.words").to_vec()),
            watch: values.flag("reload.watch"),
            watched: values.text("watched.file").into(),
            drop_privileges: values.flag("privileges.drop"),
            seccomp: values.flag("privileges.seccomp"),
            log: log::Settings::new(values.text("log.format"), values.text("log.level")),
        }
    }
}

/// The whole configuration as commented YAML.
pub(crate) fn show(values: &Values) -> String {
    let mut out = String::new();
    let mut open: Vec<&str> = Vec::new();
    for key in KEYS {
        let mut words: Vec<&str> = key.path.split('.').collect();
        let leaf = words.pop().unwrap_or_default();
        let common = open.iter().zip(&words).take_while(|(a, b)| a == b).count();
        for (depth, word) in words.iter().enumerate().skip(common) {
            let _ = writeln!(out, "{}{word}:", "  ".repeat(depth));
        }
        let indent = "  ".repeat(words.len());
        let _ = writeln!(out, "{indent}# {}", key.doc);
        let _ = writeln!(out, "{indent}{leaf}: {}", values.get(key.path));
        open = words;
    }
    out
}

/// The keys as the table of the reference page.
pub(crate) fn reference() -> String {
    let mut out = String::from("| key | takes | default | meaning |\n| --- | --- | --- | --- |\n");
    for key in KEYS {
        let default = key.default.trim_matches('\'');
        let default = if default.is_empty() { "empty" } else { default };
        let _ = writeln!(
            out,
            "| `{}` | {} | `{default}` | {} |",
            key.path,
            key.kind.expected(),
            key.doc
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_a_configuration_and_says_the_same() {
        let mut values = Values::default();
        values.set("capture.dir=/tmp/a b").expect("sound");
        values.set("redaction.words=pin,puk").expect("sound");
        let text = show(&values);
        assert_eq!(Values::read("shown", &text).expect(&text), values);
    }

    #[test]
    fn the_reference_page_has_the_table() {
        let page = include_str!("../../../../../docs/agent.md");
        for line in reference().lines() {
            assert!(
                page.lines().any(|other| other == line),
                "docs/agent.md lacks this line of `vedette config show --markdown`:\n{line}"
            );
        }
    }

    #[test]
    fn values_become_the_agents_types() {
        let values = Values::read(
            "c",
            "server: {url: 'https://s:1/'}\ncapture: {dir: /c, before_seconds: 3}\nmetrics: {listen: '127.0.0.1:1'}\nmatching: all",
        )
        .expect("sound");
        let config = Config::from(&values);
        assert_eq!(config.server.expect("set").url, "https://s:1");
        assert_eq!(config.capture.expect("set").before, Duration::from_secs(3));
        assert!(config.metrics.is_some() && config.mode == Mode::All);
        assert_eq!(config.sensor.ring_bytes, 4 << 20);
    }
}
