//! Labels, and the label selectors of Kubernetes.

use std::fmt;
use std::sync::Arc;

/// Labels of a pod, a namespace or a node, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Vec<(Arc<str>, Arc<str>)>);

impl Labels {
    /// From pairs; of a key given twice the last value stays.
    pub fn new(pairs: impl IntoIterator<Item = (Arc<str>, Arc<str>)>) -> Self {
        let mut out = Self::default();
        for (key, value) in pairs {
            out.set(key, value);
        }
        out
    }

    /// The value of a label.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .binary_search_by(|(k, _)| (**k).cmp(key))
            .ok()
            .map(|at| &*self.0[at].1)
    }

    /// Sets a label.
    pub fn set(&mut self, key: Arc<str>, value: Arc<str>) {
        match self.0.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    /// The pairs in order of key.
    pub fn pairs(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, value)) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            write!(f, "{key}={value}")?;
        }
        Ok(())
    }
}

/// One condition of a label selector.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Requirement {
    /// The label is there with one of the values. `matchLabels` entries are this with one value.
    In(Arc<str>, Vec<Arc<str>>),
    /// The label is missing, or has none of the values.
    NotIn(Arc<str>, Vec<Arc<str>>),
    /// The label is there.
    Exists(Arc<str>),
    /// The label is missing.
    DoesNotExist(Arc<str>),
}

impl Requirement {
    /// The label key it speaks about.
    pub fn key(&self) -> &Arc<str> {
        match self {
            Self::In(key, _)
            | Self::NotIn(key, _)
            | Self::Exists(key)
            | Self::DoesNotExist(key) => key,
        }
    }

    /// Whether labels meet it.
    pub fn matches(&self, labels: &Labels) -> bool {
        match self {
            Self::In(key, values) => labels
                .get(key)
                .is_some_and(|have| values.iter().any(|v| **v == *have)),
            Self::NotIn(key, values) => labels
                .get(key)
                .is_none_or(|have| values.iter().all(|v| **v != *have)),
            Self::Exists(key) => labels.get(key).is_some(),
            Self::DoesNotExist(key) => labels.get(key).is_none(),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(key, values) if values.len() == 1 => write!(f, "{key}={}", values[0]),
            Self::In(key, values) => write!(f, "{key} in ({})", values.join(",")),
            Self::NotIn(key, values) => write!(f, "{key} notin ({})", values.join(",")),
            Self::Exists(key) => f.write_str(key),
            Self::DoesNotExist(key) => write!(f, "!{key}"),
        }
    }
}

/// A Kubernetes label selector: all requirements must be met, so the empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LabelSelector {
    /// The requirements, in the order written, `matchLabels` first.
    pub requirements: Vec<Requirement>,
}

impl LabelSelector {
    /// Selects everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Selects what has all these labels.
    pub fn of_labels(labels: &Labels) -> Self {
        Self {
            requirements: labels
                .pairs()
                .iter()
                .map(|(key, value)| Requirement::In(key.clone(), vec![value.clone()]))
                .collect(),
        }
    }

    /// Whether it selects everything.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether it selects something with these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|r| r.matches(labels))
    }

    /// A `key=value` that everything selected has, when there is one: the way into an index.
    pub fn anchor(&self) -> Option<(&str, &str)> {
        self.requirements.iter().find_map(|r| match r {
            Requirement::In(key, values) if values.len() == 1 => Some((&**key, &*values[0])),
            _ => None,
        })
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.requirements.is_empty() {
            return f.write_str("(all)");
        }
        for (at, requirement) in self.requirements.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{requirement}")?;
        }
        Ok(())
    }
}

/// Longest name part of a label key, and longest label value. Source: Kubernetes label syntax.
const MAX_LABEL_NAME: usize = 63;
/// Longest prefix of a label key (a DNS subdomain).
const MAX_LABEL_PREFIX: usize = 253;

/// Why `key` is no label key; `None` when it is one.
pub fn key_fault(key: &str) -> Option<&'static str> {
    let name = match key.rsplit_once('/') {
        Some((prefix, name)) => {
            let sound = !prefix.is_empty()
                && prefix.len() <= MAX_LABEL_PREFIX
                && prefix.split('.').all(|part| {
                    !part.is_empty()
                        && part
                            .bytes()
                            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                        && !part.starts_with('-')
                        && !part.ends_with('-')
                });
            if !sound {
                return Some("the part before the slash must be a lower-case DNS name");
            }
            name
        }
        None => key,
    };
    if name.is_empty() {
        return Some("a label key cannot be empty");
    }
    qualified_fault(name)
}

/// Why `value` is no label value; `None` when it is one.
pub fn value_fault(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        return None;
    }
    qualified_fault(value)
}

fn qualified_fault(text: &str) -> Option<&'static str> {
    if text.len() > MAX_LABEL_NAME {
        return Some("it may have at most 63 characters");
    }
    let sound = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    if sound && ends(text.as_bytes().first()) && ends(text.as_bytes().last()) {
        None
    } else {
        Some(
            "it must be letters, digits, '-', '_' and '.', and begin and end with a letter or digit",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::new(pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())))
    }

    #[test]
    fn not_in_holds_for_a_missing_label() {
        let not_in = Requirement::NotIn("a".into(), vec!["x".into()]);
        assert!(not_in.matches(&labels(&[])));
        assert!(not_in.matches(&labels(&[("a", "y")])));
        assert!(!not_in.matches(&labels(&[("a", "x")])));
    }

    #[test]
    fn label_syntax_is_checked() {
        assert_eq!(key_fault("app.kubernetes.io/name"), None);
        assert!(key_fault("a/b/c").is_some());
        assert!(key_fault("app@b").is_some());
        assert!(value_fault("-x").is_some());
        assert_eq!(value_fault(""), None);
        assert!(value_fault(&"x".repeat(64)).is_some());
    }
}
