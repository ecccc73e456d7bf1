//! Trees without positions: what a text says, for proving that an edit changed one thing.

use vedette_yaml::{Kind, Node, Style};

use crate::check::Edit;
use crate::value::{Step, steps};

/// A YAML tree that compares by meaning: order of keys counts, style of scalars does not beyond quoting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// Text, and whether it was plain (so that `true` and `"true"` differ).
    Scalar(String, bool),
    Seq(Vec<Tree>),
    Map(Vec<(Tree, Tree)>),
}

impl Tree {
    pub(super) fn of(node: &Node) -> Self {
        match &node.kind {
            _ if node.is_null() => Tree::Scalar(String::new(), true),
            Kind::Scalar(text, style) => {
                // A quoted text that could stand plain says the same.
                let plain = *style == Style::Plain || crate::value::quote(text) == *text;
                Tree::Scalar(text.clone(), plain)
            }
            Kind::Seq(items) => Tree::Seq(items.iter().map(Tree::of).collect()),
            Kind::Map(entries) => Tree::Map(
                entries
                    .iter()
                    .map(|(key, value)| (Tree::of(key), Tree::of(value)))
                    .collect(),
            ),
        }
    }

    fn parse(yaml: &str) -> Self {
        vedette_yaml::parse(yaml)
            .documents
            .first()
            .map_or(Tree::Scalar(String::new(), true), |document| {
                Tree::of(&document.root)
            })
    }

    /// Makes the same change as an edit of the text at `path`.
    pub(super) fn apply(&mut self, path: &[Step], edit: &Edit) {
        match edit {
            Edit::Set(_, yaml) => {
                if let Some(place) = self.reach(path) {
                    *place = Tree::parse(yaml);
                }
            }
            Edit::Append(_, yaml) => {
                if let Some(place) = self.reach(path) {
                    match place {
                        Tree::Seq(items) => items.push(Tree::parse(yaml)),
                        _ => *place = Tree::Seq(vec![Tree::parse(yaml)]),
                    }
                }
            }
            Edit::Remove(_) => {
                let Some((last, before)) = path.split_last() else {
                    return;
                };
                match (self.reach(before), last) {
                    (Some(Tree::Map(entries)), Step::Key(key)) => {
                        if let Some(at) = entries.iter().rposition(|(k, _)| k.is(key)) {
                            entries.remove(at);
                        }
                    }
                    (Some(Tree::Seq(items)), Step::Index(index)) if *index < items.len() => {
                        items.remove(*index);
                    }
                    _ => {}
                }
            }
        }
    }

    fn is(&self, key: &str) -> bool {
        matches!(self, Tree::Scalar(text, _) if text == key)
    }

    /// The place at `path`, made when its maps are missing.
    fn reach(&mut self, path: &[Step]) -> Option<&mut Tree> {
        let Some((first, rest)) = path.split_first() else {
            return Some(self);
        };
        match first {
            Step::Index(index) => match self {
                Tree::Seq(items) => items.get_mut(*index)?.reach(rest),
                _ => None,
            },
            Step::Key(key) => {
                if *self == Tree::Scalar(String::new(), true) {
                    *self = Tree::Map(Vec::new());
                }
                let Tree::Map(entries) = self else {
                    return None;
                };
                let at = entries.iter().rposition(|(k, _)| k.is(key));
                let at = at.unwrap_or_else(|| {
                    let plain = crate::value::quote(key) == *key;
                    entries.push((
                        Tree::Scalar(key.clone(), plain),
                        Tree::Scalar(String::new(), true),
                    ));
                    entries.len() - 1
                });
                entries[at].1.reach(rest)
            }
        }
    }
}

/// A node as JSON, plain scalars by their YAML 1.2 meaning.
pub(super) fn json(node: &Node) -> String {
    to_json(node).to_string()
}

/// A node as a JSON value.
pub(crate) fn to_json(node: &Node) -> serde_json::Value {
    use serde_json::Value;
    match &node.kind {
        _ if node.is_null() => Value::Null,
        Kind::Scalar(text, _) => match (crate::value::truth(node), crate::value::number(node)) {
            (Some(flag), _) => Value::from(flag),
            (None, Some(number)) => Value::from(number),
            (None, None) => match (node.style(), text.parse::<f64>()) {
                (Some(Style::Plain), Ok(number)) if number.is_finite() => Value::from(number),
                _ => Value::from(text.as_str()),
            },
        },
        Kind::Seq(items) => Value::Array(items.iter().map(to_json).collect()),
        Kind::Map(entries) => Value::Object(
            entries
                .iter()
                .filter_map(|(key, value)| Some((key.as_str()?.to_owned(), to_json(value))))
                .collect(),
        ),
    }
}

/// A JSON object with `value` (YAML in flow style) at `path`; items of lists that have a name become
/// `{name: …}` so that a strategic merge finds them. `None` when a list on the way has no names.
pub(crate) fn merge_patch(
    node: &Node,
    path: &str,
    value: serde_json::Value,
) -> Option<serde_json::Value> {
    fn build(
        node: Option<&Node>,
        path: &[Step],
        value: serde_json::Value,
    ) -> Option<serde_json::Value> {
        let Some((first, rest)) = path.split_first() else {
            return Some(value);
        };
        match first {
            Step::Key(key) => {
                let inner = build(node.and_then(|n| n.get(key)), rest, value)?;
                Some(serde_json::json!({ key.as_str(): inner }))
            }
            Step::Index(index) => {
                let item = node?.as_seq()?.get(*index)?;
                let name = item.get("name")?.as_str()?;
                let mut inner = build(Some(item), rest, value)?;
                inner.as_object_mut()?.insert("name".into(), name.into());
                Some(serde_json::json!([inner]))
            }
        }
    }
    build(Some(node), &steps(path), value)
}
