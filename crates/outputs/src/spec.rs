//! An output as a person writes it: `file:/var/log/alerts.jsonl?priority=warning`.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use vedette_event::{Alert, Priority};

use crate::{File, Http, Output, Program, Spool, Stdout, Syslog};

/// How alerts are rendered for an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line of text.
    Text,
    /// One JSON object.
    Json,
}

/// Which alerts an output wants. Empty means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The least urgent priority that passes.
    pub least: Option<Priority>,
    /// Sources that pass.
    pub sources: Vec<String>,
    /// Tags of which a rule must have at least one.
    pub tags: Vec<String>,
}

impl Filter {
    /// Whether `alert` goes to the output.
    pub fn passes(&self, alert: &Alert) -> bool {
        self.least.is_none_or(|least| alert.priority <= least)
            && (self.sources.is_empty()
                || self.sources.iter().any(|source| **source == *alert.source))
            && (self.tags.is_empty() || self.tags.iter().any(|tag| alert.tags.contains(tag)))
    }
}

/// A parsed output specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// As written.
    pub text: String,
    /// Which alerts it wants.
    pub filter: Filter,
    /// Its format, when one was asked for.
    pub format: Option<Format>,
    target: Target,
    keep_alive: bool,
    batch: usize,
    ca: Option<String>,
    spool: Option<(String, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Stdout,
    File(String),
    Syslog(String),
    Program(String),
    Http(String),
}

/// Default size of a spool in MiB.
const SPOOL_MIB: u64 = 64;

/// Every kind of output with how it is written; `vedette replay --help` and the errors print it.
pub const OUTPUTS: &[(&str, &str)] = &[
    ("file:PATH", "appends to a file; reopened on SIGHUP"),
    (
        "http://…, https://…",
        "POST requests; options batch=N, spool=DIR, spool_mib=N, ca=FILE (a private authority's certificates, PEM)",
    ),
    (
        "program:COMMAND",
        "standard input of a shell command; option keep=yes starts it only once",
    ),
    ("stdout", "standard output"),
    ("syslog[:SOCKET]", "the local syslog"),
];

/// Why a text is not an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError(String);

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SpecError {}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let is_http = text.starts_with("http://") || text.starts_with("https://");
        // A URL has options of its own behind `?`; ours follow `#` there.
        let (target, options) = match text.split_once(if is_http { '#' } else { '?' }) {
            Some((target, options)) => (target, options),
            None => (text, ""),
        };
        let with_path = |kind: &str, path: &str| match path {
            "" => Err(SpecError(format!(
                "`{kind}:` needs something behind the colon"
            ))),
            path => Ok(path.to_owned()),
        };
        let target = match target.split_once(':') {
            None if target == "stdout" => Target::Stdout,
            None if target == "syslog" => Target::Syslog(Syslog::DEFAULT_SOCKET.to_owned()),
            Some(("file", path)) => Target::File(with_path("file", path)?),
            Some(("syslog", path)) => Target::Syslog(with_path("syslog", path)?),
            Some(("program", command)) => Target::Program(with_path("program", command)?),
            Some(("http" | "https", _)) if is_http => Target::Http(target.to_owned()),
            _ => {
                let known: Vec<_> = OUTPUTS.iter().map(|(form, _)| *form).collect();
                return Err(SpecError(format!(
                    "`{text}` is no output; expected one of {}",
                    known.join(", ")
                )));
            }
        };
        let mut spec = Self {
            text: text.to_owned(),
            filter: Filter::default(),
            format: None,
            target,
            keep_alive: false,
            batch: 1,
            ca: None,
            spool: None,
        };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            spec.set(option)?;
        }
        Ok(spec)
    }
}

impl Spec {
    fn set(&mut self, option: &str) -> Result<(), SpecError> {
        let wrong = |why: &str| SpecError(format!("option `{option}`: {why}"));
        let (key, value) = option
            .split_once('=')
            .ok_or_else(|| wrong("expected key=value"))?;
        let number = || value.parse::<u64>().map_err(|_| wrong("expected a number"));
        match key {
            "priority" => {
                self.filter.least = Some(
                    value
                        .parse()
                        .map_err(|e: vedette_event::UnknownPriority| wrong(&e.to_string()))?,
                );
            }
            "source" => self.filter.sources = value.split(',').map(str::to_owned).collect(),
            "tag" => self.filter.tags = value.split(',').map(str::to_owned).collect(),
            "format" => {
                self.format = Some(match value {
                    "text" => Format::Text,
                    "json" => Format::Json,
                    _ => return Err(wrong("expected text or json")),
                });
            }
            "keep" if matches!(self.target, Target::Program(_)) => self.keep_alive = value == "yes",
            "batch" if matches!(self.target, Target::Http(_)) => self.batch = number()? as usize,
            "ca" if matches!(self.target, Target::Http(_)) => self.ca = Some(value.to_owned()),
            "spool" if matches!(self.target, Target::Http(_)) => {
                self.spool = Some((
                    value.to_owned(),
                    self.spool.as_ref().map_or(SPOOL_MIB, |(_, mib)| *mib),
                ));
            }
            "spool_mib" if matches!(self.target, Target::Http(_)) => {
                let dir = self.spool.take().map(|(dir, _)| dir).unwrap_or_default();
                self.spool = Some((dir, number()?));
            }
            _ => {
                return Err(wrong(
                    "this output has no such option (priority, source, tag and format go everywhere)",
                ));
            }
        }
        Ok(())
    }

    /// Whether the output starts a program.
    pub fn is_program(&self) -> bool {
        matches!(self.target, Target::Program(_))
    }

    /// Opens the output. `format` is what to use when the specification names none.
    ///
    /// # Errors
    /// When it cannot be opened or reached.
    pub fn open(&self, format: Format) -> Result<Box<dyn Output>, crate::Failure> {
        Ok(match &self.target {
            Target::Stdout => Box::new(Stdout),
            Target::File(path) => Box::new(File::open(path.into())?),
            Target::Syslog(path) => Box::new(Syslog::connect(Path::new(path))?),
            Target::Program(command) => Box::new(Program::new(command.clone(), self.keep_alive)),
            Target::Http(url) => {
                let spool = match &self.spool {
                    Some((dir, mib)) if !dir.is_empty() => {
                        Some(Spool::open(Path::new(dir), mib << 20)?)
                    }
                    _ => None,
                };
                let json = self.format.unwrap_or(format) == Format::Json;
                let http = Http::new(url.clone(), self.batch, json, spool);
                Box::new(http.with_ca(self.ca.as_deref().map(Path::new))?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications_are_read_and_faults_are_named() {
        let spec: Spec = "file:/tmp/a?priority=warning&source=syscall&tag=T1,T2&format=text"
            .parse()
            .unwrap();
        assert_eq!(spec.target, Target::File("/tmp/a".to_owned()));
        assert_eq!(spec.filter.least, Some(Priority::Warning));
        assert_eq!(spec.filter.tags, ["T1", "T2"]);
        assert_eq!(spec.format, Some(Format::Text));
        let spec: Spec = "http://127.0.0.1:2801/?a=b#batch=50&spool=/s&spool_mib=7&ca=/ca.pem"
            .parse()
            .unwrap();
        assert_eq!(
            spec.target,
            Target::Http("http://127.0.0.1:2801/?a=b".to_owned())
        );
        assert_eq!((spec.batch, spec.spool), (50, Some(("/s".to_owned(), 7))));
        assert_eq!(spec.ca.as_deref(), Some("/ca.pem"));
        for (text, fault) in [
            ("kafka:x", "is no output"),
            ("file:", "needs something"),
            ("stdout?batch=3", "no such option"),
            ("stdout?priority=loud", "expected one of emergency"),
            ("http://h/#batch=x", "expected a number"),
        ] {
            let error = text.parse::<Spec>().unwrap_err().to_string();
            assert!(error.contains(fault), "{text}: {error}");
        }
    }
}
