//! Values of the configuration's keys: read from YAML with every fault named by line and column, or given as `KEY=VALUE`.

use std::collections::BTreeMap;
use std::fmt;

use vedette_rules::diagnostic::closest;
use vedette_yaml::Node;

use super::keys::{KEYS, Key, Kind};

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Flag(bool),
    Number(u64),
    Text(String),
    Texts(Vec<String>),
}

impl fmt::Display for Value {
    /// As YAML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(&scalar(text)),
            Self::Texts(texts) => {
                let texts: Vec<_> = texts.iter().map(|text| scalar(text)).collect();
                write!(f, "[{}]", texts.join(", "))
            }
        }
    }
}

/// A text as a YAML scalar: plain where that is safe, else in double quotes.
fn scalar(text: &str) -> String {
    let plain = !text.is_empty()
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_'))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off"
        );
    if plain {
        text.to_owned()
    } else {
        let mut out = String::new();
        vedette_event::json_string(text, &mut out);
        out
    }
}

/// What is wrong in a configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// File, or what stands for it.
    pub(crate) name: String,
    /// Line and column, both from 1; `None` for command line values.
    pub(crate) at: Option<(u32, u32)>,
    /// What is wrong and what was expected.
    pub(crate) message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => {
                write!(f, "{}:{line}:{column}: {}", self.name, self.message)
            }
            None => write!(f, "{}: {}", self.name, self.message),
        }
    }
}

/// A value for every key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Values(BTreeMap<&'static str, Value>);

impl Default for Values {
    fn default() -> Self {
        let parsed = KEYS.iter().map(|key| {
            let value = vedette_yaml::parse(key.default)
                .documents
                .first()
                .and_then(|document| value(key, &document.root).ok())
                .expect("the test below reads every default");
            (key.path, value)
        });
        Self(parsed.collect())
    }
}

impl Values {
    /// Reads a configuration over the defaults. All faults of the text come back, not only the first.
    pub(crate) fn read(name: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let mut values = Self::default();
        let mut faults = Vec::new();
        let mut complain = |node: &Node, message: String| {
            faults.push(Fault {
                name: name.to_owned(),
                at: Some((node.span.line, node.span.column)),
                message,
            });
        };
        let parsed = vedette_yaml::parse(text);
        if let Some(document) = parsed.documents.first()
            && !document.root.is_null()
        {
            values.walk("", &document.root, &mut complain);
        }
        if let Some(second) = parsed.documents.get(1) {
            complain(
                &second.root,
                "a configuration is one document; remove the `---` before this one".to_owned(),
            );
        }
        for error in parsed.errors {
            faults.push(Fault {
                name: name.to_owned(),
                at: Some((error.span.line, error.span.column)),
                message: error.message,
            });
        }
        if faults.is_empty() {
            Ok(values)
        } else {
            faults.sort_by_key(|fault| fault.at);
            Err(faults)
        }
    }

    fn walk(&mut self, prefix: &str, node: &Node, complain: &mut impl FnMut(&Node, String)) {
        let Some(entries) = node.as_map() else {
            let what = if prefix.is_empty() {
                "the configuration".to_owned()
            } else {
                format!("`{prefix}`")
            };
            let message = format!("{what} is a map of settings; found {}", node.describe());
            complain(node, message);
            return;
        };
        let mut seen: Vec<&str> = Vec::new();
        for (name, inner) in entries {
            let Some(word) = name.as_str() else {
                complain(name, "a key is a text".to_owned());
                continue;
            };
            if seen.contains(&word) {
                complain(name, format!("`{word}` stands here twice; remove one"));
                continue;
            }
            seen.push(word);
            let path = if prefix.is_empty() {
                word.to_owned()
            } else {
                format!("{prefix}.{word}")
            };
            if let Some(key) = KEYS.iter().find(|key| key.path == path) {
                match value(key, inner) {
                    Ok(value) => {
                        self.0.insert(key.path, value);
                    }
                    Err((node, message)) => complain(node, format!("`{path}`: {message}")),
                }
            } else if is_section(&path) {
                // `capture:` with nothing under it changes nothing
                if !inner.is_null() {
                    self.walk(&path, inner, complain);
                }
            } else {
                complain(name, unknown(&path));
            }
        }
    }

    /// Sets one key as the command line gives it: `KEY=VALUE`, a list with commas between.
    pub(crate) fn set(&mut self, option: &str) -> Result<(), Fault> {
        let fault = |message: String| Fault {
            name: format!("--set {option}"),
            at: None,
            message,
        };
        let Some((path, text)) = option.split_once('=') else {
            return Err(fault("expected KEY=VALUE".to_owned()));
        };
        let Some(key) = KEYS.iter().find(|key| key.path == path) else {
            return Err(fault(unknown(path)));
        };
        let value = from_text(key, text).map_err(fault)?;
        self.0.insert(key.path, value);
        Ok(())
    }

    /// Puts a value that the command line already checked.
    pub(crate) fn put(&mut self, path: &str, value: Value) {
        if let Some(key) = KEYS.iter().find(|key| key.path == path) {
            self.0.insert(key.path, value);
        }
    }

    /// The value of a key of the table.
    pub(crate) fn get(&self, path: &str) -> &Value {
        self.0.get(path).expect("every key of the table has one")
    }

    /// A flag.
    pub(crate) fn flag(&self, path: &str) -> bool {
        matches!(self.get(path), Value::Flag(true))
    }

    /// A number.
    pub(crate) fn number(&self, path: &str) -> u64 {
        match self.get(path) {
            Value::Number(number) => *number,
            _ => 0,
        }
    }

    /// A text.
    pub(crate) fn text(&self, path: &str) -> &str {
        match self.get(path) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, path: &str) -> &[String] {
        match self.get(path) {
            Value::Texts(texts) => texts,
            _ => &[],
        }
    }
}

fn is_section(path: &str) -> bool {
    let below = format!("{path}.");
    KEYS.iter().any(|key| key.path.starts_with(&below))
}

fn unknown(path: &str) -> String {
    let near = closest(path, KEYS.iter().map(|key| key.path))
        .or_else(|| {
            closest(
                path,
                KEYS.iter()
                    .filter_map(|key| Some(key.path.split_once('.')?.0)),
            )
        })
        .or_else(|| {
            // the right word in the wrong section
            let leaf = path.rsplit('.').next().unwrap_or(path);
            KEYS.iter()
                .find(|key| key.path.rsplit('.').next() == Some(leaf))
                .map(|key| key.path.to_owned())
        });
    match near {
        Some(near) => format!("there is no key `{path}`; did you mean `{near}`?"),
        None => format!("there is no key `{path}`; `vedette config show` lists all of them"),
    }
}

fn value<'a>(key: &Key, node: &'a Node) -> Result<Value, (&'a Node, String)> {
    let wrong = || {
        let message = format!(
            "expected {}; found {}",
            key.kind.expected(),
            node.describe()
        );
        (node, message)
    };
    match key.kind {
        Kind::Flag => node.as_bool().map(Value::Flag).ok_or_else(wrong),
        Kind::Texts(check) => {
            let one;
            let items = match node.as_seq() {
                Some(items) => items,
                None if node.as_str().is_some() && !node.is_null() => {
                    one = std::slice::from_ref(node);
                    one
                }
                None => return Err(wrong()),
            };
            let mut texts = Vec::new();
            for item in items {
                let Some(text) = item.as_str().filter(|_| !item.is_null()) else {
                    return Err((item, format!("expected a text; found {}", item.describe())));
                };
                check(text).map_err(|message| (item, message))?;
                texts.push(text.to_owned());
            }
            Ok(Value::Texts(texts))
        }
        Kind::Number(..) | Kind::Word(_) | Kind::Text(_) => {
            let text = node
                .as_str()
                .filter(|_| !node.is_null())
                .ok_or_else(wrong)?;
            from_text(key, text).map_err(|message| (node, message))
        }
    }
}

fn from_text(key: &Key, text: &str) -> Result<Value, String> {
    let wrong = || format!("expected {}; found `{text}`", key.kind.expected());
    match key.kind {
        Kind::Flag => match text {
            "true" => Ok(Value::Flag(true)),
            "false" => Ok(Value::Flag(false)),
            _ => Err(wrong()),
        },
        Kind::Number(least, most) => match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(Value::Number(number)),
            _ => Err(wrong()),
        },
        Kind::Word(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
        Kind::Word(words) => Err(match closest(text, words.iter().copied()) {
            Some(near) => format!("{}; did you mean `{near}`?", wrong()),
            None => wrong(),
        }),
        Kind::Text(check) => check(text).map(|()| Value::Text(text.to_owned())),
        Kind::Texts(check) => {
            let texts: Vec<String> = text
                .split(',')
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
                .collect();
            texts.iter().try_for_each(|text| check(text))?;
            Ok(Value::Texts(texts))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_what_the_table_says_and_survive_being_written() {
        let values = Values::default();
        for key in KEYS {
            let written = values.get(key.path).to_string();
            let mut again = Values::default();
            again.0.remove(key.path);
            let nested = key
                .path
                .split('.')
                .enumerate()
                .map(|(depth, word)| format!("\n{}{word}:", "  ".repeat(depth)))
                .collect::<String>();
            let read = Values::read("t", &format!("{nested} {written}")).expect(key.path);
            assert_eq!(read.get(key.path), values.get(key.path), "{}", key.path);
        }
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (text, expected) in [
            (
                "rulez: [a]",
                "c:1:1: there is no key `rulez`; did you mean `rules`?",
            ),
            (
                "log:\n  levle: info",
                "c:2:3: there is no key `log.levle`; did you mean `log.level`?",
            ),
            (
                "ring_mib: 4",
                "c:1:1: there is no key `ring_mib`; did you mean `buffers.ring_mib`?",
            ),
            (
                "log: {level: inof}",
                "c:1:14: `log.level`: expected one of error, warn, info, debug; found `inof`; did you mean `info`?",
            ),
            (
                "buffers:\n  ring_mib: 5000",
                "c:2:13: `buffers.ring_mib`: expected a number from 1 to 1024; found `5000`",
            ),
            (
                "reload: {watch: maybe}",
                "c:1:17: `reload.watch`: expected true or false; found a string",
            ),
            (
                "log: 3",
                "c:1:6: `log` is a map of settings; found a number",
            ),
            (
                "- a",
                "c:1:1: the configuration is a map of settings; found a list",
            ),
            ("priority: a\npriority: b", "c:1:11: `priority`: "),
            (
                "outputs: [stdout, 'kafka:x']",
                "c:1:19: `outputs`: `kafka:x` is no output;",
            ),
            (
                "metrics: {listen: 9000}",
                "c:1:19: `metrics.listen`: expected ADDRESS:PORT",
            ),
            (
                "rules: {a: b}",
                "c:1:8: `rules`: expected a list of texts; found a map",
            ),
        ] {
            let faults = Values::read("c", text).expect_err(text);
            let first = faults.first().map(ToString::to_string).unwrap_or_default();
            assert!(first.starts_with(expected), "{text}: {first}");
        }
        let both = Values::read("c", "x: 1\ny: 2\n").expect_err("two faults");
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn what_is_given_wins_over_the_default() {
        let mut values = Values::read(
            "c",
            "rules: /etc/r.yaml\ncapture:\nlog: {level: debug}\noutputs:\n- stdout\n- file:/a\n",
        )
        .expect("sound");
        assert_eq!(values.texts("rules"), ["/etc/r.yaml"]);
        assert_eq!(values.text("log.level"), "debug");
        assert_eq!(values.texts("outputs"), ["stdout", "file:/a"]);
        values.set("log.level=warn").expect("sound");
        values.set("outputs=").expect("sound");
        assert_eq!(values.text("log.level"), "warn");
        assert!(values.texts("outputs").is_empty());
        let fault = values.set("log.levels=warn").expect_err("unknown");
        assert!(fault.to_string().contains("did you mean `log.level`?"));
        assert!(values.set("log.level").is_err());
    }
}
