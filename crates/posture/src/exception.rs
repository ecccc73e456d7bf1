//! Exceptions: what somebody decided to live with, why, and until when.
//!
//! ```yaml
//! exceptions:
//! - id: node-agent
//!   reason: reads the host's processes
//!   owner: platform team
//!   expires: 2027-06-30        # or: never
//!   checks: [host-pid]         # * stands for any text
//!   match: {kind: DaemonSet, namespace: kube-system, name: agent-*, container: "*", path: "*"}
//! ```
//!
//! Reason, owner, expiry and checks are required; an exception past its expiry changes nothing and is told.

use vedette_yaml::{Node, Span};

use crate::value;

/// An exception.
#[derive(Clone, Debug)]
pub struct Exception {
    /// Its id, for the audit.
    pub id: String,
    /// Why.
    pub reason: String,
    /// Whose decision.
    pub owner: String,
    /// Last day on which it holds, `YYYY-MM-DD`; `None` means that it never ends.
    pub expires: Option<String>,
    checks: Vec<String>,
    kind: String,
    namespace: String,
    name: String,
    container: String,
    path: String,
}

/// A mistake in a file of exceptions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {message}", span.line, span.column)]
pub struct Mistake {
    /// Where.
    pub span: Span,
    /// What was expected.
    pub message: String,
}

/// What an exception is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Check.
    pub check: &'a str,
    /// Kind of the object.
    pub kind: &'a str,
    /// Its namespace, `default` when it says none.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Container, empty when the finding is about none.
    pub container: &'a str,
    /// Failing field.
    pub path: &'a str,
}

/// What the audit says about an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It holds and excepts this many findings.
    Active(usize),
    /// It is past its expiry; this many findings would have been excepted.
    Expired(usize),
    /// It matches nothing.
    Unused,
}

impl Exception {
    /// Whether the exception is about this finding, its expiry aside.
    pub fn covers(&self, subject: &Subject<'_>) -> bool {
        self.checks.iter().any(|check| fits(check, subject.check))
            && fits(&self.kind, subject.kind)
            && fits(&self.namespace, subject.namespace)
            && fits(&self.name, subject.name)
            && fits(&self.container, subject.container)
            && fits(&self.path, subject.path)
    }

    /// Whether it holds on `today` (`YYYY-MM-DD`).
    pub fn holds(&self, today: &str) -> bool {
        self.expires
            .as_deref()
            .is_none_or(|expires| today <= expires)
    }
}

/// Whether a pattern in which `*` stands for any text fits `text`. Linear in the text for each star.
pub fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(previous) = last.replace(part) {
            let previous: &str = previous;
            match rest.find(previous) {
                Some(at) => rest = &rest[at + previous.len()..],
                None => return false,
            }
        }
    }
    match last {
        None => rest.is_empty(),
        Some(part) => rest.ends_with(part),
    }
}

/// Reads a file of exceptions; a wrong one is left out and told, the others count.
pub fn parse(text: &str) -> (Vec<Exception>, Vec<Mistake>) {
    let parsed = vedette_yaml::parse(text);
    let (mut out, mut mistakes) = (Vec::new(), Vec::new());
    for error in parsed.errors {
        mistakes.push(Mistake {
            span: error.span,
            message: error.message,
        });
    }
    for document in &parsed.documents {
        if document.root.is_null() {
            continue;
        }
        let Some(list) = document.root.get("exceptions").and_then(Node::as_seq) else {
            mistakes.push(Mistake {
                span: document.root.span,
                message: "expected a map with a list `exceptions`".into(),
            });
            continue;
        };
        for node in list {
            match exception(node) {
                Ok(found) => out.push(found),
                Err(mistake) => mistakes.push(mistake),
            }
        }
    }
    (out, mistakes)
}

const KEYS: [&str; 6] = ["id", "reason", "owner", "expires", "checks", "match"];
const MATCH_KEYS: [&str; 5] = ["kind", "namespace", "name", "container", "path"];

fn exception(node: &Node) -> Result<Exception, Mistake> {
    known_keys(node, &KEYS)?;
    let required = |key: &str| {
        value::text(node, &[key])
            .filter(|text| !text.trim().is_empty())
            .map(str::to_owned)
            .ok_or_else(|| Mistake {
                span: node.span,
                message: format!("an exception needs `{key}`"),
            })
    };
    let expires = required("expires")?;
    if expires != "never" && !is_date(&expires) {
        return Err(Mistake {
            span: node.get("expires").map_or(node.span, |n| n.span),
            message: format!("expected a date such as 2027-06-30, or never; found {expires:?}"),
        });
    }
    let checks: Vec<String> = value::texts(node, &["checks"]).map(str::to_owned).collect();
    if checks.is_empty() {
        return Err(Mistake {
            span: node.span,
            message: "an exception needs `checks`, a list of check ids (`*` for all)".into(),
        });
    }
    if let Some(matcher) = value::field(node, "match") {
        known_keys(matcher, &MATCH_KEYS)?;
    }
    let pattern = |key: &str| value::text(node, &["match", key]).unwrap_or("*").to_owned();
    let reason = required("reason")?;
    Ok(Exception {
        id: value::text(node, &["id"]).map_or_else(|| reason.clone(), str::to_owned),
        reason,
        owner: required("owner")?,
        expires: (expires != "never").then_some(expires),
        checks,
        kind: pattern("kind"),
        namespace: pattern("namespace"),
        name: pattern("name"),
        container: pattern("container"),
        path: pattern("path"),
    })
}

/// A misspelt key would widen the exception, so it is a mistake.
fn known_keys(node: &Node, known: &[&str]) -> Result<(), Mistake> {
    let Some(entries) = node.as_map() else {
        return Err(Mistake {
            span: node.span,
            message: format!("expected a map, found {}", node.describe()),
        });
    };
    for (key, _) in entries {
        if !key.as_str().is_some_and(|name| known.contains(&name)) {
            return Err(Mistake {
                span: key.span,
                message: format!(
                    "unknown key {:?}; expected one of {}",
                    key.as_str().unwrap_or_default(),
                    known.join(", ")
                ),
            });
        }
    }
    Ok(())
}

fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        assert!(fits("*", ""));
        assert!(fits("agent-*", "agent-x"));
        assert!(fits("a*b*c", "axxbyyc"));
        assert!(!fits("a*b*c", "axxc"));
        assert!(!fits("agent", "agent-x"));
        assert!(fits("*.hostPID", "spec.hostPID"));
    }

    #[test]
    fn wrong_exceptions_are_told_and_the_others_count() {
        let (good, bad) = parse(
            "exceptions:\n- {reason: r, owner: o, expires: never, checks: [host-pid]}\n- {reason: r, owner: o, expires: soon, checks: [a]}\n- {reason: r, owner: o, expires: never, checks: [a], matches: {}}\n",
        );
        assert_eq!(good.len(), 1);
        assert_eq!(bad.len(), 2, "{bad:?}");
        assert!(good[0].holds("2999-01-01"));
    }
}
