//! Every key of the agent's configuration: its place, type, default and meaning. The reader, `vedette config show` and the
//! reference in `docs/agent.md` are made from this one table.

use std::net::SocketAddr;

use vedette_event::Priority;
use vedette_outputs::Spec;

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number between two bounds, both included.
    Number(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text that passes a check.
    Text(fn(&str) -> Result<(), String>),
    /// A list of texts that each pass a check; a single text counts as a list of one.
    Texts(fn(&str) -> Result<(), String>),
}

impl Kind {
    /// What is expected, in words.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Number(least, most) => format!("a number from {least} to {most}"),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Text(_) => "a text".to_owned(),
            Self::Texts(_) => "a list of texts".to_owned(),
        }
    }
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Names from the top, joined by dots.
    pub(crate) path: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// Its default, as YAML.
    pub(crate) default: &'static str,
    /// What it does, in sentences.
    pub(crate) doc: &'static str,
}

const fn key(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key {
        path,
        kind,
        default,
        doc,
    }
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "it stands where other texts are checked"
)]
fn any(_: &str) -> Result<(), String> {
    Ok(())
}

fn path(text: &str) -> Result<(), String> {
    if text.is_empty() {
        Err("an empty path names nothing".to_owned())
    } else {
        Ok(())
    }
}

fn priority(text: &str) -> Result<(), String> {
    let parsed: Result<Priority, _> = text.parse();
    parsed.map(drop).map_err(|error| error.to_string())
}

fn output(text: &str) -> Result<(), String> {
    let parsed: Result<Spec, _> = text.parse();
    parsed.map(drop).map_err(|error| error.to_string())
}

fn address(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    let parsed: Result<SocketAddr, _> = text.parse();
    parsed
        .map(drop)
        .map_err(|_| "expected ADDRESS:PORT, such as 127.0.0.1:9376".to_owned())
}

fn url(text: &str) -> Result<(), String> {
    if text.is_empty() || text.starts_with("http://") || text.starts_with("https://") {
        Ok(())
    } else {
        Err("expected a URL that begins with http:// or https://".to_owned())
    }
}

use Kind::{Flag, Number, Text, Texts, Word};

/// Most MiB of anything; larger values are typing errors.
const MAX_MIB: u64 = 1 << 20;

/// The table, sorted by path.
pub(crate) const KEYS: &[Key] = &[
    key(
        "buffers.cpus_per_ring",
        Number(1, 4096),
        "1",
        "Processors that share one ring buffer. With 1, events of one processor never overtake each other.",
    ),
    key(
        "buffers.ring_mib",
        Number(1, 1024),
        "4",
        "MiB of each ring buffer between kernel and agent, rounded up to a power of two.",
    ),
    key(
        "buffers.snap_len",
        Number(0, 4096),
        "80",
        "Bytes that are kept of data that is read, written, sent or received.",
    ),
    key(
        "capture.after_seconds",
        Number(0, 600),
        "5",
        "Seconds that a capture goes on after the alert. A rule's own capture_duration wins.",
    ),
    key(
        "capture.all",
        Flag,
        "false",
        "Takes a capture for every alert, not only for those of rules with `capture: true`.",
    ),
    key(
        "capture.before_seconds",
        Number(0, 600),
        "10",
        "Seconds before the alert that a capture holds, as far as capture.ring_mib allows.",
    ),
    key(
        "capture.dir",
        Text(any),
        "''",
        "Directory for captures around alerts. Empty: no captures are taken.",
    ),
    key(
        "capture.file_mib",
        Number(1, MAX_MIB),
        "64",
        "MiB after which one capture ends.",
    ),
    key(
        "capture.files",
        Number(1, 100_000),
        "32",
        "Captures that are kept in capture.dir; the oldest goes for a new one.",
    ),
    key(
        "capture.ring_mib",
        Number(1, 4096),
        "16",
        "MiB of memory for the events before an alert.",
    ),
    key(
        "containers.root",
        Text(path),
        "/",
        "Where the host's root is mounted; the files of container runtimes are looked for below it.",
    ),
    key(
        "containers.wait_ms",
        Number(0, 1000),
        "20",
        "Longest time that the events of a new container wait for its runtime to write down what it is.",
    ),
    key(
        "guard.cluster",
        Text(any),
        "''",
        "Name of the cluster, for policies whose scope names clusters.",
    ),
    key(
        "guard.deadline_ms",
        Number(10, 10_000),
        "500",
        "Longest time in milliseconds that the start of a program waits for a decision.",
    ),
    key(
        "guard.feeds",
        Texts(path),
        "[]",
        "Lists of known-bad files by SHA-256 or name, for the detector malware.",
    ),
    key(
        "guard.on_death",
        Word(&["open", "closed"]),
        "open",
        "Whether prevention ends with the agent (open), or the kernel's hooks go on without it (closed). See docs/drift.md.",
    ),
    key(
        "guard.otherwise",
        Word(&["allow", "deny"]),
        "allow",
        "What becomes of a start that nobody decided within guard.deadline_ms.",
    ),
    key(
        "health.drop_percent",
        Number(0, 100),
        "5",
        "Share of events lost within ten seconds above which /healthz fails.",
    ),
    key(
        "health.lag_seconds",
        Number(1, 3600),
        "10",
        "Age of the event being handled above which /healthz fails.",
    ),
    key(
        "log.format",
        Word(&["logfmt", "json"]),
        "logfmt",
        "Form of the agent's own log on standard error.",
    ),
    key(
        "log.level",
        Word(&["error", "warn", "info", "debug"]),
        "info",
        "Least important lines that are logged.",
    ),
    key(
        "matching",
        Word(&["first", "all"]),
        "first",
        "Whether an event makes an alert of the first rule that matches it, or of every one.",
    ),
    key(
        "metrics.listen",
        Text(address),
        "''",
        "Address for /metrics and /healthz, such as 127.0.0.1:9376. Empty: nothing listens.",
    ),
    key(
        "miners",
        Flag,
        "true",
        "Looks for containers that behave like crypto miners.",
    ),
    key(
        "miners_window_seconds",
        Number(2, 60),
        "10",
        "Seconds between two looks for miners. Six that look like mining make a finding: shorter is sooner told and more often wrong.",
    ),
    key(
        "node",
        Text(any),
        "''",
        "Name of this node in alerts and records; a server expects the name that its token was given for. Empty: FALCO_HOSTNAME, or the host name.",
    ),
    key(
        "outputs",
        Texts(output),
        "[]",
        "Where alerts go beside standard output, as with `vedette replay --to`.",
    ),
    key(
        "policies",
        Texts(path),
        "[]",
        "Policy files and directories, and `managed` for the set inside the binary. Empty: nothing is prevented.",
    ),
    key(
        "priority",
        Text(priority),
        "debug",
        "Least urgent priority of rules that are used.",
    ),
    key(
        "privileges.drop",
        Flag,
        "true",
        "Gives up every capability that is not needed once the sensor runs.",
    ),
    key(
        "privileges.seccomp",
        Flag,
        "true",
        "Restricts the agent to the system calls it needs once the sensor runs.",
    ),
    key(
        "redaction.enabled",
        Flag,
        "true",
        "Hides passwords, tokens and keys in command lines, environments and alert texts.",
    ),
    key(
        "redaction.words",
        Texts(any),
        "[]",
        "More parts of option and variable names whose values are hidden.",
    ),
    key(
        "reload.watch",
        Flag,
        "true",
        "Reads rules and configuration again when their files change. SIGHUP does so always.",
    ),
    key(
        "rules",
        Texts(path),
        "[]",
        "Rule files and directories, in order. Empty: the rules inside the binary.",
    ),
    key(
        "server.activity",
        Flag,
        "true",
        "Also sends activity records: programs started, connections, files changed.",
    ),
    key(
        "server.batch",
        Number(1, 10_000),
        "256",
        "Most records in one request.",
    ),
    key(
        "server.bundle",
        Flag,
        "true",
        "Takes rules and policies that were saved at the server, behind its own, and keeps them beside the spool.",
    ),
    key(
        "server.ca_file",
        Text(any),
        "''",
        "File with the certificates (PEM) of the authority that signed the server's. Empty: the public authorities.",
    ),
    key(
        "server.respond",
        Flag,
        "true",
        "Carries out what people order about findings: kill a process; pause, stop or kill its container.",
    ),
    key(
        "server.spool",
        Text(path),
        "/var/lib/vedette/spool",
        "Directory in which records wait until the server has taken them.",
    ),
    key(
        "server.spool_mib",
        Number(1, MAX_MIB),
        "256",
        "Largest size of the spool in MiB; the oldest records go first and are counted.",
    ),
    key(
        "server.token_file",
        Text(any),
        "''",
        "File with the token that the server gave this agent.",
    ),
    key(
        "server.url",
        Text(url),
        "''",
        "Address of the server, such as https://vedette.example:8443. Empty: nothing is sent.",
    ),
    key(
        "stdout.format",
        Word(&["text", "json", "finding", "none"]),
        "text",
        "Alerts on standard output: text lines, Falco's JSON, findings as JSON, or none.",
    ),
    key(
        "stdout.tree",
        Flag,
        "false",
        "Prints the process tree under each alert in text form.",
    ),
    key(
        "watched.file",
        Text(path),
        "/var/lib/vedette/watched.json",
        "File that says until when the agent watched, kept where its directory exists: the next start says how long nobody did.",
    ),
];

#[cfg(test)]
mod tests {
    use super::KEYS;

    #[test]
    fn the_table_is_sorted_and_no_key_is_a_map_too() {
        assert!(KEYS.is_sorted_by(|a, b| a.path < b.path));
        for key in KEYS {
            let below = format!("{}.", key.path);
            assert!(!KEYS.iter().any(|other| other.path.starts_with(&below)));
            assert!(key.doc.ends_with('.'), "{}", key.path);
        }
    }
}
