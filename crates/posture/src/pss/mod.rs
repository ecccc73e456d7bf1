//! The Pod Security Standards, with the verdicts and the very words of the API server's admission plugin.
//!
//! Source of the semantics: `k8s.io/pod-security-admission`, policies of v1.0 up to v1.37, tested against the
//! answers of that library and of a real API server.
//! [`evaluate`] gives the library's answer for a pod; [`admission`] adds what the API server does around it
//! (namespace labels, versions, warnings for workloads).

pub mod admission;
mod baseline;
pub mod impact;
mod pod;
mod restricted;
mod seccomp;

pub use pod::{Container, Pod};

/// The newest policy version that is known; `latest` and everything newer mean this one.
pub const NEWEST: Version = Version(37);

/// A level of the standards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No restriction.
    Privileged,
    /// Prevents known privilege escalations.
    Baseline,
    /// Current hardening practice.
    Restricted,
}

impl Level {
    /// The level as labels and messages write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        }
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "privileged" => Ok(Level::Privileged),
            "baseline" => Ok(Level::Baseline),
            "restricted" => Ok(Level::Restricted),
            _ => Err(format!(
                "expected privileged, baseline or restricted, found {text:?}"
            )),
        }
    }
}

/// A policy version `v1.N`, by its minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32);

impl std::str::FromStr for Version {
    type Err = String;

    /// Reads `latest` or `v1.N`. The version is kept as given; use [`Version::known`] to evaluate.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "latest" {
            return Ok(NEWEST);
        }
        text.strip_prefix("v1.")
            .filter(|minor| !minor.is_empty() && (*minor == "0" || !minor.starts_with('0')))
            .filter(|minor| minor.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|minor| minor.parse().ok())
            .map(Version)
            .ok_or_else(|| format!("expected latest or v1.N, found {text:?}"))
    }
}

impl Version {
    /// This version, or the newest known one when it is newer: that is what the admission plugin does.
    #[must_use]
    pub fn known(self) -> Self {
        self.min(NEWEST)
    }
}

/// A check that a pod violates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Id of the check in the standards, such as `hostNamespaces`.
    pub check: &'static str,
    /// Short reason, upstream's words.
    pub reason: String,
    /// What exactly is forbidden, upstream's words.
    pub detail: String,
    /// Fields of the object to look at, as paths from the object's root.
    pub fields: Vec<String>,
}

/// The answer for one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is violated, in upstream's order. Empty means allowed.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// True when nothing is violated.
    pub fn allowed(&self) -> bool {
        self.violations.is_empty()
    }

    /// The reasons joined as the admission plugin joins them.
    pub fn reason(&self) -> String {
        let reasons: Vec<&str> = self.violations.iter().map(|v| v.reason.as_str()).collect();
        reasons.join(", ")
    }

    /// The details joined as the admission plugin joins them: `reason (detail), …`.
    pub fn detail(&self) -> String {
        let details: Vec<String> = self
            .violations
            .iter()
            .map(|v| {
                if v.detail.is_empty() {
                    v.reason.clone()
                } else {
                    format!("{} ({})", v.reason, v.detail)
                }
            })
            .collect();
        details.join(", ")
    }
}

/// What a check function finds: reason, detail, fields.
type Found = Option<(String, String, Vec<String>)>;

/// One version of one check.
struct Rule {
    id: &'static str,
    /// First minor version this function holds for; the entry with the highest one that fits is used.
    since: u32,
    run: fn(&Pod<'_>) -> Found,
}

/// Evaluates `pod` against `level` as of `version`.
pub fn evaluate(pod: &Pod<'_>, level: Level, version: Version) -> Verdict {
    let version = version.known().0;
    let mut violations = Vec::new();
    if level == Level::Privileged {
        return Verdict { violations };
    }
    let mut run = |rules: &[Rule], skip: &[&str]| {
        for (index, rule) in rules.iter().enumerate() {
            let superseded = rules
                .get(index + 1)
                .is_some_and(|next| next.id == rule.id && next.since <= version);
            if rule.since > version || superseded || skip.contains(&rule.id) {
                continue;
            }
            if let Some((reason, detail, fields)) = (rule.run)(pod) {
                violations.push(Violation {
                    check: rule.id,
                    reason,
                    detail,
                    fields,
                });
            }
        }
    };
    if level == Level::Restricted {
        let overridden: Vec<&str> = restricted::OVERRIDES
            .iter()
            .filter(|(since, _)| *since <= version)
            .map(|(_, id)| *id)
            .collect();
        run(baseline::RULES, &overridden);
        run(restricted::RULES, &[]);
    } else {
        run(baseline::RULES, &[]);
    }
    Verdict { violations }
}

/// Runs one check of the standards alone, as of the newest version.
pub fn judge(pod: &Pod<'_>, id: &str) -> Option<Violation> {
    let rule = baseline::RULES
        .iter()
        .chain(restricted::RULES)
        .rfind(|rule| rule.id == id)?;
    (rule.run)(pod).map(|(reason, detail, fields)| Violation {
        check: rule.id,
        reason,
        detail,
        fields,
    })
}

/// `one` or `many`, by count.
fn plural(one: &'static str, many: &'static str, count: usize) -> &'static str {
    if count == 1 { one } else { many }
}

/// `"a", "b"` without escaping, as upstream writes names.
fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    format!("\"{}\"", names.join("\", \""))
}

/// `container "a"` or `containers "a", "b"`.
fn containers(names: &[&str]) -> String {
    format!(
        "{} {}",
        plural("container", "containers", names.len()),
        quoted(names)
    )
}

/// Sorted without duplicates, as Go's string sets list themselves.
fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names.dedup();
    names
}

/// `pod and container "a"`, from whether the pod itself and which containers set something.
fn setters(pod: bool, names: &[&str]) -> String {
    let mut out = Vec::new();
    if pod {
        out.push("pod".to_owned());
    }
    if !names.is_empty() {
        out.push(containers(names));
    }
    out.join(" and ")
}
