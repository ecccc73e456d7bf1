//! Typed reading of an object's fields, with the path for complaints kept on the stack.

use std::net::IpAddr;
use std::sync::Arc;

use vedette_manifest::{Object, Problem};
use vedette_yaml::{Kind, Node, Style};

use crate::labels::{LabelSelector, Labels, Requirement, key_fault, value_fault};
use crate::model::Place;
use crate::net::Cidr;

/// How much a problem costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is odd, but nothing was left out that could change an answer.
    Warning,
    /// Something was left out: answers may differ from what a cluster does.
    Error,
}

/// Something wrong with an input.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How much it costs.
    pub severity: Severity,
    /// Kind, namespace and name of the object, empty when the text is no object.
    pub object: String,
    /// Place and message.
    pub problem: Problem,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        if self.object.is_empty() {
            write!(f, "{word}: {}", self.problem)
        } else {
            write!(
                f,
                "{word}: {}:{}:{}: {}: ",
                self.problem.source, self.problem.span.line, self.problem.span.column, self.object
            )?;
            if !self.problem.path.is_empty() {
                write!(f, "{}: ", self.problem.path)?;
            }
            f.write_str(&self.problem.message)
        }
    }
}

/// The object that is being read, and what was wrong with it.
pub(super) struct Doc<'a> {
    pub(super) object: &'a Object,
    pub(super) found: Vec<Diagnostic>,
}

impl<'a> Doc<'a> {
    pub(super) fn new(object: &'a Object) -> Self {
        Self {
            object,
            found: Vec::new(),
        }
    }

    /// Whether anything was wrong enough to leave the object out.
    pub(super) fn failed(&self) -> bool {
        self.found.iter().any(|d| d.severity == Severity::Error)
    }

    fn add(&mut self, severity: Severity, at: &At<'_>, message: String) {
        self.found.push(Diagnostic {
            severity,
            object: self.object.title(),
            problem: Problem {
                source: self.object.source.name.clone(),
                document: self.object.document,
                path: at.path(),
                span: at.node.span,
                message,
            },
        });
    }

    pub(super) fn error(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.add(Severity::Error, at, message.into());
    }

    pub(super) fn warn(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.add(Severity::Warning, at, message.into());
    }

    pub(super) fn place(&self, node: &Node) -> Place {
        Place {
            source: self.object.source.name.clone(),
            line: node.span.line,
            column: node.span.column,
        }
    }

    pub(super) fn root(&self) -> At<'a> {
        At {
            node: &self.object.node,
            parent: None,
            step: Step::Root,
        }
    }
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

/// A node and the way to it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) node: &'a Node,
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
}

impl<'a> At<'a> {
    /// A node that was reached by other means, shown under `key` of `parent`.
    pub(super) fn detached(node: &'a Node, parent: &'a At<'a>, key: &'a str) -> Self {
        Self {
            node,
            parent: Some(parent),
            step: Step::Key(key),
        }
    }

    fn path(&self) -> String {
        let mut out = self.parent.map_or_else(String::new, At::path);
        match self.step {
            Step::Root => {}
            Step::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            Step::Index(index) => out.push_str(&format!("[{index}]")),
        }
        out
    }

    /// The value under `key`; `None` when it is missing or null, which the API treats alike.
    pub(super) fn key(&'a self, key: &'a str) -> Option<At<'a>> {
        let node = self.node.get(key).filter(|node| !node.is_null())?;
        Some(At {
            node,
            parent: Some(self),
            step: Step::Key(key),
        })
    }

    /// Like [`At::key`], but says so when the field is missing.
    pub(super) fn need(&'a self, doc: &mut Doc<'_>, key: &'a str) -> Option<At<'a>> {
        let found = self.key(key);
        if found.is_none() {
            doc.error(self, format!("expected the field `{key}`"));
        }
        found
    }

    /// Says so when this is no map; warns of fields that the API does not have.
    pub(super) fn map(&self, doc: &mut Doc<'_>, known: &[&str]) -> bool {
        let Some(entries) = self.node.as_map() else {
            doc.error(
                self,
                format!("expected a map, found {}", self.node.describe()),
            );
            return false;
        };
        for (key, _) in entries {
            let name = key.as_str().unwrap_or_default();
            if !known.contains(&name) {
                let at = At {
                    node: key,
                    parent: Some(self),
                    step: Step::Key(name),
                };
                let near = nearest(name, known)
                    .map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
                doc.warn(&at, format!("the API has no field of this name here{near}"));
            }
        }
        true
    }

    /// The items of the list under `key`; empty when missing. `None` when it is no list, which is said.
    pub(super) fn items(&'a self, doc: &mut Doc<'_>) -> Vec<At<'a>> {
        let Some(items) = self.node.as_seq() else {
            doc.error(
                self,
                format!("expected a list, found {}", self.node.describe()),
            );
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .map(|(index, node)| At {
                node,
                parent: Some(self),
                step: Step::Index(index),
            })
            .collect()
    }

    /// A string. What YAML reads as a number or a boolean is none for the API.
    pub(super) fn string(&self, doc: &mut Doc<'_>) -> Option<&'a str> {
        if let Kind::Scalar(text, style) = &self.node.kind {
            let other = *style == Style::Plain
                && self.node.tag.is_none()
                && (self.node.is_null() || self.node.as_bool().is_some() || is_number(text));
            if !other {
                return Some(text);
            }
            doc.error(
                self,
                format!(
                    "expected a string, found {} (put it in quotes)",
                    self.node.describe()
                ),
            );
            return None;
        }
        doc.error(
            self,
            format!("expected a string, found {}", self.node.describe()),
        );
        None
    }

    /// An integer.
    pub(super) fn integer(&self, doc: &mut Doc<'_>) -> Option<i64> {
        let found = self.node.as_i64();
        if found.is_none() {
            doc.error(
                self,
                format!("expected a number, found {}", self.node.describe()),
            );
        }
        found
    }

    /// A port number.
    pub(super) fn port(&self, doc: &mut Doc<'_>) -> Option<u16> {
        let number = self.integer(doc)?;
        match u16::try_from(number) {
            Ok(port) if port > 0 => Some(port),
            _ => {
                doc.error(
                    self,
                    format!("expected a port from 1 to 65535, found {number}"),
                );
                None
            }
        }
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&self, doc: &mut Doc<'_>, words: &[(&str, T)]) -> Option<T> {
        let text = self.string(doc)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            doc.error(
                self,
                format!("expected one of {}, found `{text}`", names.join(", ")),
            );
        }
        found.map(|(_, value)| *value)
    }

    /// A CIDR block; a lone address when `lone` is set.
    pub(super) fn cidr(&self, doc: &mut Doc<'_>, lone: bool) -> Option<Cidr> {
        let text = self.string(doc)?;
        let found = Cidr::parse(text, lone);
        if found.is_none() {
            doc.error(
                self,
                format!("expected a CIDR block such as 10.0.0.0/8, found `{text}`"),
            );
        }
        found
    }

    /// The list of CIDR blocks under `key`.
    pub(super) fn cidrs(&self, doc: &mut Doc<'_>, key: &str, lone: bool) -> Vec<Cidr> {
        self.key(key).map_or_else(Vec::new, |at| {
            at.items(doc)
                .iter()
                .filter_map(|item| item.cidr(doc, lone))
                .collect()
        })
    }

    /// The list of strings under `key`.
    pub(super) fn strings(&self, doc: &mut Doc<'_>, key: &str) -> Vec<Arc<str>> {
        self.key(key).map_or_else(Vec::new, |at| {
            at.items(doc)
                .iter()
                .filter_map(|item| item.string(doc).map(Arc::from))
                .collect()
        })
    }

    /// A map of labels.
    pub(super) fn labels(&self, doc: &mut Doc<'_>, check: bool) -> Labels {
        let Some(entries) = self.node.as_map() else {
            doc.error(
                self,
                format!("expected a map of labels, found {}", self.node.describe()),
            );
            return Labels::default();
        };
        let mut out = Labels::default();
        for (key_node, value_node) in entries {
            let key = key_node.as_str().unwrap_or_default();
            let at = At {
                node: value_node,
                parent: Some(self),
                step: Step::Key(key),
            };
            if check && let Some(fault) = key_fault(key) {
                let at_key = At {
                    node: key_node,
                    ..at
                };
                doc.error(&at_key, format!("`{key}` is no label key: {fault}"));
            }
            // The API reads a null value as the empty string.
            let value = if value_node.is_null() {
                Some("")
            } else {
                at.string(doc)
            };
            if let Some(value) = value {
                if check && let Some(fault) = value_fault(value) {
                    doc.error(&at, format!("`{value}` is no label value: {fault}"));
                }
                out.set(key.into(), value.into());
            }
        }
        out
    }

    /// A Kubernetes label selector.
    pub(super) fn selector(&self, doc: &mut Doc<'_>) -> LabelSelector {
        let mut out = LabelSelector::default();
        if !self.map(doc, &["matchLabels", "matchExpressions"]) {
            return out;
        }
        if let Some(labels) = self.key("matchLabels") {
            out = LabelSelector::of_labels(&labels.labels(doc, true));
        }
        let Some(expressions) = self.key("matchExpressions") else {
            return out;
        };
        for item in expressions.items(doc) {
            if !item.map(doc, &["key", "operator", "values"]) {
                continue;
            }
            let key = item.need(doc, "key").and_then(|at| {
                let key = at.string(doc)?;
                if let Some(fault) = key_fault(key) {
                    doc.error(&at, format!("`{key}` is no label key: {fault}"));
                }
                Some(Arc::<str>::from(key))
            });
            let values = item.strings(doc, "values");
            for value in &values {
                if let Some(fault) = value_fault(value) {
                    doc.error(&item, format!("`{value}` is no label value: {fault}"));
                }
            }
            let operator = item.need(doc, "operator").and_then(|at| {
                at.word(
                    doc,
                    &[("In", 0), ("NotIn", 1), ("Exists", 2), ("DoesNotExist", 3)],
                )
            });
            let (Some(key), Some(operator)) = (key, operator) else {
                continue;
            };
            if operator < 2 && values.is_empty() {
                doc.error(&item, "expected at least one of `values` with In and NotIn");
            } else if operator >= 2 && !values.is_empty() {
                doc.error(&item, "expected no `values` with Exists and DoesNotExist");
            }
            out.requirements.push(match operator {
                0 => Requirement::In(key, values),
                1 => Requirement::NotIn(key, values),
                2 => Requirement::Exists(key),
                _ => Requirement::DoesNotExist(key),
            });
        }
        out
    }

    /// The addresses in the list of maps under `key`, each under `field`.
    pub(super) fn addresses(&self, key: &str, field: &str) -> Vec<IpAddr> {
        let items = self
            .node
            .get(key)
            .and_then(Node::as_seq)
            .unwrap_or_default();
        items
            .iter()
            .filter_map(|item| item.get(field)?.as_str()?.parse().ok())
            .collect()
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.parse::<f64>().is_ok()
}

/// The known name at the smallest edit distance, when that is small enough to be a slip.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    /// Longer names are not compared: the distance takes time in the product of the lengths.
    const LONGEST: usize = 40;
    if name.len() > LONGEST {
        return None;
    }
    known
        .iter()
        .map(|k| (strsim::levenshtein(name, k), *k))
        .min()
        .filter(|(d, k)| *d <= 2 && *d < k.len())
        .map(|(_, k)| k)
}
