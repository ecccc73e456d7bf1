//! What a YAML scalar means to the Kubernetes API server, and how a field is named by a path.
//!
//! The API server reads YAML 1.1 booleans (`yes`, `on`, …) and treats an explicit `null` as a field that is not
//! there, so every check asks through here instead of reading scalars on its own.

use vedette_yaml::{Kind, Node, Span, Style};

/// The boolean that the API server would read; `None` for anything else, quoted text included.
pub fn truth(node: &Node) -> Option<bool> {
    let Kind::Scalar(text, Style::Plain) = &node.kind else {
        return None;
    };
    match text.as_str() {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            Some(true)
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            Some(false)
        }
        _ => None,
    }
}

/// The value under `key`, unless it is null: the API server drops nulls.
pub fn field<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    node.get(key).filter(|value| !value.is_null())
}

/// Follows map keys, ending on a value that is there and not null.
pub fn at<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, key| field(node, key))
}

/// The text of a scalar at `path`.
pub fn text<'a>(node: &'a Node, path: &[&str]) -> Option<&'a str> {
    at(node, path).and_then(Node::as_str)
}

/// The boolean at `path`.
pub fn flag(node: &Node, path: &[&str]) -> Option<bool> {
    at(node, path).and_then(truth)
}

/// The integer at `path`; YAML 1.1 octal (`0644`) and hexadecimal are understood.
pub fn int(node: &Node, path: &[&str]) -> Option<i64> {
    number(at(node, path)?)
}

/// The integer that a scalar stands for.
pub fn number(node: &Node) -> Option<i64> {
    let Kind::Scalar(text, Style::Plain) = &node.kind else {
        return None;
    };
    if let Some(hex) = text.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok();
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() && octal.bytes().all(|b| b.is_ascii_digit()) => {
            i64::from_str_radix(octal, 8).ok()
        }
        _ => text
            .parse()
            .ok()
            .or_else(|| text.strip_suffix(".0").and_then(|whole| whole.parse().ok())),
    }
}

/// The items of the list at `path`, or nothing.
pub fn list<'a>(node: &'a Node, path: &[&str]) -> &'a [Node] {
    at(node, path).and_then(Node::as_seq).unwrap_or_default()
}

/// The texts of the list at `path`.
pub fn texts<'a>(node: &'a Node, path: &[&str]) -> impl Iterator<Item = &'a str> {
    list(node, path).iter().filter_map(Node::as_str)
}

/// The entries of the map at `path` whose key and value are scalars (labels, annotations, selectors).
pub fn pairs<'a>(node: &'a Node, path: &[&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    at(node, path)
        .and_then(Node::as_map)
        .unwrap_or_default()
        .iter()
        .filter_map(|(key, value)| Some((key.as_str()?, value.as_str()?)))
}

/// A scalar as a person reads it; collections in short.
pub fn show(node: &Node) -> String {
    match &node.kind {
        _ if node.is_null() => "null".into(),
        Kind::Scalar(text, _) => text.clone(),
        Kind::Seq(items) => {
            let shown: Vec<String> = items.iter().take(SHOWN_ITEMS).map(show).collect();
            let more = if items.len() > SHOWN_ITEMS {
                ", …"
            } else {
                ""
            };
            format!("[{}{more}]", shown.join(", "))
        }
        Kind::Map(entries) => {
            let keys: Vec<&str> = entries
                .iter()
                .filter_map(|(key, _)| key.as_str())
                .take(SHOWN_ITEMS)
                .collect();
            format!("{{{}}}", keys.join(", "))
        }
    }
}

/// A text as a YAML scalar that is read back as that text: plain where that is safe, else in double quotes.
pub fn quote(text: &str) -> String {
    let plain = !text.is_empty()
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
        );
    if plain {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

/// How many items of a collection [`show`] writes: enough to recognise it, short enough for a line.
const SHOWN_ITEMS: usize = 8;

/// One step of a field path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A key of a map.
    Key(String),
    /// An index of a list.
    Index(usize),
}

/// Takes `spec.containers[0].securityContext` or `metadata.annotations[a.b/c]` apart.
/// A bracket that holds digits only is an index; any other bracket is a key with dots in it.
pub fn steps(path: &str) -> Vec<Step> {
    let mut out = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('[') {
            let (key, after) = inner.split_once(']').unwrap_or((inner, ""));
            out.push(match key.parse() {
                Ok(index) => Step::Index(index),
                Err(_) => Step::Key(key.to_owned()),
            });
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            out.push(Step::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    out
}

/// The key of a map written as a path step: `.name`, or `[name]` when it has dots or brackets in it.
pub fn key_step(key: &str) -> String {
    if key.contains(['.', '[', ']', '/']) {
        format!("[{key}]")
    } else {
        format!(".{key}")
    }
}

/// The node at `path`, or else the deepest node on the way that exists, with `false`.
pub fn resolve<'a>(root: &'a Node, path: &str) -> (&'a Node, bool) {
    let mut node = root;
    for step in steps(path) {
        let next = match &step {
            Step::Key(key) => node.get(key),
            Step::Index(index) => node.as_seq().and_then(|items| items.get(*index)),
        };
        match next {
            Some(next) => node = next,
            None => return (node, false),
        }
    }
    (node, true)
}

/// Where `path` stands in the text: its key when it exists, else the nearest parent's.
pub fn place(root: &Node, path: &str) -> Span {
    let mut node = root;
    let mut span = root.span;
    for step in steps(path) {
        match &step {
            Step::Key(key) => match node.entry(key) {
                Some((key, value)) => {
                    span = key.span;
                    node = value;
                }
                None => return span,
            },
            Step::Index(index) => match node.as_seq().and_then(|items| items.get(*index)) {
                Some(item) => {
                    span = item.span;
                    node = item;
                }
                None => return span,
            },
        }
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_indices_and_dotted_keys_are_followed() {
        let parsed = vedette_yaml::parse("a:\n  b:\n  - c.d/e: yes\n");
        let root = &parsed.documents[0].root;
        let (node, found) = resolve(root, "a.b[0][c.d/e]");
        assert!(found);
        assert_eq!(truth(node), Some(true));
        assert_eq!(place(root, "a.b[0].missing").line, 3);
        assert_eq!(key_step("c.d/e"), "[c.d/e]");
    }
}
