//! Changes to YAML (and JSON) text that touch nothing but the field they are about.
//!
//! Every edit is one splice: bytes before and after it stay as they are, with their comments, quotes, order and
//! line ends. What cannot be edited so (a value reached through an alias, a map that is a scalar) is refused.

use vedette_yaml::{Kind, Node, Style};

use crate::check::Edit;
use crate::value::{Step, steps};

/// Why an edit was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The value is shared by an anchor; changing it would change other places. The author can unshare it.
    #[error("{0} is shared through an anchor or alias; changing it would change other places too")]
    Aliased(String),
    /// The text is laid out in a way that this editor does not change.
    #[error("{0} is written in a way that cannot be edited safely: {1}")]
    Layout(String, &'static str),
    /// The text is not what it was when the finding was made.
    #[error("the text could not be read again: {0}")]
    Unreadable(String),
    /// A check that passed before would fail, so the change is not made.
    #[error("it would make {0} fail, which passes now")]
    Regression(String),
    /// The tree after the edit is not the tree with just this change.
    #[error("{0}: the result would differ in more than this field")]
    Verification(String),
}

/// Makes one edit to the object at `base` (such as `items[3]`, empty for the root) of a one-document text.
/// `None` means that there is nothing to do.
pub fn apply(text: &str, base: &str, edit: &Edit) -> Result<Option<String>, Refusal> {
    let root = root(text)?;
    let (path, made) = match edit {
        Edit::Set(path, yaml) => (path, Editor::new(text, &root).set(&full(base, path), yaml)?),
        Edit::Append(path, yaml) => (
            path,
            Editor::new(text, &root).append(&full(base, path), yaml)?,
        ),
        Edit::Remove(path) => (path, Editor::new(text, &root).remove(&full(base, path))?),
    };
    let Some(splice) = made else { return Ok(None) };
    let mut out = String::with_capacity(text.len() + splice.with.len());
    out.push_str(&text[..splice.from]);
    out.push_str(&splice.with);
    out.push_str(&text[splice.to..]);
    let mut expected = super::tree::Tree::of(&root);
    expected.apply(&full(base, path), edit);
    let found = self::root(&out).map_err(|_| Refusal::Verification(path.clone()))?;
    if super::tree::Tree::of(&found) != expected {
        return Err(Refusal::Verification(path.clone()));
    }
    Ok(Some(out))
}

fn full(base: &str, path: &str) -> Vec<Step> {
    let mut out = steps(base);
    out.extend(steps(path));
    out
}

/// The first document of a text that is not empty.
fn root(text: &str) -> Result<Node, Refusal> {
    let parsed = vedette_yaml::parse(text);
    if let Some(error) = parsed.errors.first() {
        return Err(Refusal::Unreadable(error.to_string()));
    }
    parsed
        .documents
        .into_iter()
        .map(|document| document.root)
        .find(|root| !root.is_null())
        .ok_or_else(|| Refusal::Unreadable("the document is empty".into()))
}

struct Splice {
    from: usize,
    to: usize,
    with: String,
}

type Made = Result<Option<Splice>, Refusal>;

struct Editor<'t> {
    text: &'t str,
    root: &'t Node,
    newline: &'static str,
    /// Keys are written in double quotes, so this is JSON.
    json: bool,
}

/// Where a path leads: the deepest node there is, the key it hangs on, and how many steps were left.
struct Way<'t> {
    node: &'t Node,
    key: Option<&'t Node>,
    parent: Option<&'t Node>,
    left: usize,
}

impl<'t> Editor<'t> {
    fn new(text: &'t str, root: &'t Node) -> Self {
        let json = text[root.span.start.min(text.len())..].starts_with('{')
            && root
                .as_map()
                .and_then(<[_]>::first)
                .is_some_and(|(key, _)| key.style() == Some(Style::DoubleQuoted));
        Self {
            text,
            root,
            newline: if text.contains("\r\n") { "\r\n" } else { "\n" },
            json,
        }
    }

    fn follow(&self, path: &[Step]) -> Result<Way<'t>, Refusal> {
        let mut way = Way {
            node: self.root,
            key: None,
            parent: None,
            left: path.len(),
        };
        for step in path {
            let (key, next) = match step {
                Step::Key(key) => match way.node.entry(key) {
                    Some((key, value)) => (Some(key), value),
                    None => break,
                },
                Step::Index(index) => match way.node.as_seq().and_then(|items| items.get(*index)) {
                    Some(item) => (None, item),
                    None => break,
                },
            };
            way = Way {
                node: next,
                key,
                parent: Some(way.node),
                left: way.left - 1,
            };
            if next.aliased || self.anchored(next) {
                return Err(Refusal::Aliased(shown(path)));
            }
        }
        Ok(way)
    }

    /// Whether an anchor or tag stands right before the node.
    fn anchored(&self, node: &Node) -> bool {
        let start = node.span.start.min(self.text.len());
        if !matches!(node.kind, Kind::Scalar(..)) && self.text[start..].starts_with(['&', '!']) {
            return true;
        }
        let before = self.text[..start].trim_end();
        let word = before.rsplit([' ', '\n', '\t']).next().unwrap_or_default();
        word.starts_with('&') || (word.starts_with('!') && word.len() > 1)
    }

    fn flow(&self, node: &Node) -> bool {
        let rest = &self.text[node.span.start.min(self.text.len())..];
        rest.starts_with('{') || rest.starts_with('[')
    }

    fn set(&self, path: &[Step], yaml: &str) -> Made {
        let way = self.follow(path)?;
        if way.left > 0 {
            return self.add(&way, path, yaml);
        }
        let wanted = root(yaml)?;
        if super::tree::Tree::of(way.node) == super::tree::Tree::of(&wanted) {
            return Ok(None);
        }
        let with = self.flow_value(yaml);
        match &way.node.kind {
            Kind::Scalar(_, Style::Literal | Style::Folded) => {
                Err(Refusal::Layout(shown(path), "a block of text"))
            }
            Kind::Scalar(text, _) if text.is_empty() && way.node.is_null() => {
                let at = self.after_colon(way.key, path)?;
                Ok(Some(Splice {
                    from: at,
                    to: at,
                    with: format!(" {with}"),
                }))
            }
            Kind::Scalar(..) => Ok(Some(self.replace(way.node, with))),
            _ if self.flow(way.node) => Ok(Some(self.replace(way.node, with))),
            _ => {
                let from = self.after_colon(way.key, path)?;
                Ok(Some(Splice {
                    from,
                    to: self.tail(way.node, way.key).max(from),
                    with: format!(" {with}"),
                }))
            }
        }
    }

    fn replace(&self, node: &Node, with: String) -> Splice {
        Splice {
            from: node.span.start,
            to: self.tail(node, None),
            with,
        }
    }

    /// Adds the keys that are missing under the deepest node there is.
    fn add(&self, way: &Way<'_>, path: &[Step], yaml: &str) -> Made {
        let missing = &path[path.len() - way.left..];
        let mut keys = Vec::new();
        for step in missing {
            match step {
                Step::Key(key) => keys.push(key.as_str()),
                Step::Index(_) => {
                    return Err(Refusal::Layout(
                        shown(path),
                        "a list item that is not there",
                    ));
                }
            }
        }
        match &way.node.kind {
            Kind::Map(entries) if self.flow(way.node) => {
                Ok(Some(self.add_to_flow(way.node, entries, &keys, yaml)))
            }
            Kind::Map(entries) => {
                let Some((first, _)) = entries.first() else {
                    return Err(Refusal::Layout(shown(path), "an empty map"));
                };
                let indent = first.span.column as usize - 1;
                let at = self.line_end(self.tail(way.node, None));
                Ok(Some(self.insert(at, &self.block(&keys, yaml, indent))))
            }
            Kind::Scalar(text, _) if way.node.is_null() && text.is_empty() => {
                let (Some(key), false) = (way.key, self.json) else {
                    return Err(Refusal::Layout(shown(path), "an empty value"));
                };
                let at = self.line_end(self.after_colon(way.key, path)?);
                let indent = key.span.column as usize + 1;
                Ok(Some(self.insert(at, &self.block(&keys, yaml, indent))))
            }
            Kind::Scalar(..) if way.node.is_null() => {
                let nested = self.flow_entry(&keys, yaml);
                Ok(Some(self.replace(way.node, format!("{{{nested}}}"))))
            }
            _ => Err(Refusal::Layout(
                shown(path),
                "a value where a map is expected",
            )),
        }
    }

    fn insert(&self, at: usize, lines: &str) -> Splice {
        Splice {
            from: at,
            to: at,
            with: format!("{}{lines}", self.newline),
        }
    }

    /// `a:` / `  b: value` as lines without a line end behind the last.
    fn block(&self, keys: &[&str], yaml: &str, indent: usize) -> String {
        let mut out = String::new();
        for (depth, key) in keys.iter().enumerate() {
            if depth > 0 {
                out.push_str(self.newline);
            }
            out.push_str(&" ".repeat(indent + 2 * depth));
            out.push_str(&crate::value::quote(key));
            out.push(':');
        }
        out.push(' ');
        out.push_str(yaml);
        out
    }

    fn flow_entry(&self, keys: &[&str], yaml: &str) -> String {
        let key = |key: &str| {
            if self.json {
                serde_json::Value::from(key).to_string()
            } else {
                crate::value::quote(key)
            }
        };
        let value = self.flow_value(yaml);
        let mut out = String::new();
        for (depth, name) in keys.iter().enumerate() {
            if depth > 0 {
                out.push('{');
            }
            out.push_str(&key(name));
            out.push_str(": ");
        }
        out.push_str(&value);
        out.push_str(&"}".repeat(keys.len() - 1));
        out
    }

    fn add_to_flow(
        &self,
        node: &Node,
        entries: &[(Node, Node)],
        keys: &[&str],
        yaml: &str,
    ) -> Splice {
        let entry = self.flow_entry(keys, yaml);
        let Some((last_key, last)) = entries.last() else {
            let at = node.span.start + 1;
            return Splice {
                from: at,
                to: at,
                with: entry,
            };
        };
        let at = self.tail(last, Some(last_key));
        let first = &entries[0].0;
        let with = if first.span.line > node.span.line {
            let indent = " ".repeat(first.span.column as usize - 1);
            format!(",{}{indent}{entry}", self.newline)
        } else {
            format!(", {entry}")
        };
        Splice {
            from: at,
            to: at,
            with,
        }
    }

    /// A value for use inside flow collections: as given, or as JSON.
    fn flow_value(&self, yaml: &str) -> String {
        if !self.json {
            return yaml.to_owned();
        }
        root(yaml).map_or_else(|_| yaml.to_owned(), |node| super::tree::json(&node))
    }

    fn append(&self, path: &[Step], yaml: &str) -> Made {
        let way = self.follow(path)?;
        let items = if way.left == 0 {
            way.node.as_seq()
        } else {
            None
        };
        let Some(last) = items.and_then(<[_]>::last) else {
            return self.set(path, &format!("[{yaml}]"));
        };
        let wanted = super::tree::Tree::of(&root(yaml)?);
        if items.is_some_and(|items| items.iter().any(|i| super::tree::Tree::of(i) == wanted)) {
            return Ok(None);
        }
        let tail = self.tail(last, None);
        if self.flow(way.node) {
            return Ok(Some(Splice {
                from: tail,
                to: tail,
                with: format!(", {}", self.flow_value(yaml)),
            }));
        }
        let dash = self.dash(last, path)?;
        let indent = " ".repeat(dash - self.line_start(dash));
        Ok(Some(
            self.insert(self.line_end(tail), &format!("{indent}- {yaml}")),
        ))
    }

    fn remove(&self, path: &[Step]) -> Made {
        let way = self.follow(path)?;
        let (0, Some(parent)) = (way.left, way.parent) else {
            return Ok(None);
        };
        if self.flow(parent) {
            return Ok(Some(self.remove_from_flow(parent, &way)));
        }
        let tail = self.tail(way.node, way.key);
        if let Some(key) = way.key {
            let entries = parent.as_map().unwrap_or_default();
            if entries.len() == 1 {
                return self.empty_out(parent, path, "{}");
            }
            let start = self.line_start(key.span.start);
            if self.text[start..key.span.start].trim().is_empty() {
                return Ok(Some(self.cut(start, tail)));
            }
            // First key of a list item: the next key takes its place behind the dash.
            let next = entries
                .iter()
                .map(|(key, _)| key.span.start)
                .filter(|at| *at > key.span.start)
                .min();
            return match next {
                Some(next) => Ok(Some(Splice {
                    from: key.span.start,
                    to: next,
                    with: String::new(),
                })),
                None => Err(Refusal::Layout(shown(path), "the last key of a list item")),
            };
        }
        if parent.as_seq().is_some_and(|items| items.len() == 1) {
            return self.empty_out(parent, path, "[]");
        }
        let dash = self.dash(way.node, path)?;
        let start = self.line_start(dash);
        if !self.text[start..dash].trim().is_empty() {
            return Err(Refusal::Layout(shown(path), "a list inside a list"));
        }
        Ok(Some(self.cut(start, tail)))
    }

    /// Takes whole lines away.
    fn cut(&self, from: usize, tail: usize) -> Splice {
        let end = self.line_end(tail);
        let to = if self.text[end..].starts_with("\r\n") {
            end + 2
        } else {
            (end + 1).min(self.text.len())
        };
        Splice {
            from,
            to,
            with: String::new(),
        }
    }

    fn remove_from_flow(&self, parent: &Node, way: &Way<'_>) -> Splice {
        let starts: Vec<(usize, usize)> = match &parent.kind {
            Kind::Seq(items) => items
                .iter()
                .map(|item| (item.span.start, self.tail(item, None)))
                .collect(),
            Kind::Map(entries) => entries
                .iter()
                .map(|(key, value)| (key.span.start, self.tail(value, Some(key))))
                .collect(),
            Kind::Scalar(..) => Vec::new(),
        };
        let start = way.key.map_or(way.node.span.start, |key| key.span.start);
        let index = starts.iter().position(|(at, _)| *at == start).unwrap_or(0);
        let (from, to) = match (index, starts.get(index + 1)) {
            (_, Some((next, _))) => (start, *next),
            (0, None) => (start, starts[0].1),
            (_, None) => (starts[index - 1].1, starts[index].1),
        };
        Splice {
            from,
            to,
            with: String::new(),
        }
    }

    /// Writes an empty collection where a block one was.
    fn empty_out(&self, node: &Node, path: &[Step], with: &str) -> Made {
        let way = self.follow(&path[..path.len() - 1])?;
        let from = self.after_colon(way.key, path)?;
        Ok(Some(Splice {
            from,
            to: self.tail(node, None),
            with: format!(" {with}"),
        }))
    }

    /// The dash of a list item.
    fn dash(&self, item: &Node, path: &[Step]) -> Result<usize, Refusal> {
        let before = self.text[..item.span.start].trim_end_matches([' ', '\t']);
        if before.ends_with('-') {
            Ok(before.len() - 1)
        } else {
            Err(Refusal::Layout(
                shown(path),
                "a list item that starts on its own line",
            ))
        }
    }

    fn after_colon(&self, key: Option<&Node>, path: &[Step]) -> Result<usize, Refusal> {
        let end = key
            .map(|key| key.span.end)
            .ok_or_else(|| Refusal::Layout(shown(path), "a value without a key"))?;
        self.text[end..]
            .find(':')
            .filter(|at| self.text[end..end + at].trim().is_empty())
            .map(|at| end + at + 1)
            .ok_or_else(|| Refusal::Layout(shown(path), "a key without a colon"))
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |newline| at + newline);
        if self.text[..end].ends_with('\r') {
            end - 1
        } else {
            end
        }
    }

    /// One past the last byte that belongs to a value; for an empty one, past its key's colon.
    fn tail(&self, node: &Node, key: Option<&Node>) -> usize {
        match &node.kind {
            _ if self.flow(node) && !matches!(node.kind, Kind::Scalar(..)) => node.span.end,
            Kind::Scalar(text, _) if text.is_empty() && node.is_null() => {
                let end = key.map_or(node.span.start, |key| key.span.end);
                self.text[end..]
                    .find(':')
                    .filter(|_| key.is_some())
                    .map_or(end, |colon| end + colon + 1)
            }
            Kind::Scalar(..) => {
                let written = &self.text[node.span.start..node.span.end];
                node.span.start + written.trim_end().len()
            }
            Kind::Seq(items) => items
                .last()
                .map_or(node.span.start, |last| self.tail(last, None)),
            Kind::Map(entries) => entries
                .last()
                .map_or(node.span.start, |(key, last)| self.tail(last, Some(key))),
        }
    }
}

/// A path for messages.
fn shown(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) => out.push_str(&crate::value::key_step(key)),
            Step::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out.trim_start_matches('.').to_owned()
}
