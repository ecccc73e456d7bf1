//! `falco.yaml` and its `-o key=value` overrides, as far as they bear on replay, validation and outputs.

use anyhow::{Context, bail};
use serde_json::{Map, Value};
use vedette_event::Priority;
use vedette_yaml::{Kind, Node, Style};

/// What a configuration says. Defaults are Falco's.
#[derive(Debug)]
pub(super) struct Config {
    tree: Value,
}

impl Config {
    /// Reads a configuration text (empty for the defaults) and applies overrides in order.
    pub(super) fn read(name: &str, text: &str, overrides: &[String]) -> anyhow::Result<Self> {
        let parsed = vedette_yaml::parse(text);
        if let Some(error) = parsed.errors.first() {
            bail!(
                "{name}:{}:{}: {}",
                error.span.line,
                error.span.column,
                error.message
            );
        }
        let mut tree = parsed
            .documents
            .first()
            .map_or(Value::Null, |document| to_json(&document.root));
        if tree.is_null() {
            tree = Value::Object(Map::new());
        }
        if !tree.is_object() {
            bail!("{name}: expected a map of settings");
        }
        for option in overrides {
            let (path, value) = option
                .split_once('=')
                .with_context(|| format!("-o {option}: expected key=value"))?;
            set(&mut tree, path, scalar(value)).with_context(|| format!("-o {option}"))?;
        }
        let config = Self { tree };
        config
            .check()
            .with_context(|| format!("in configuration {name}"))?;
        Ok(config)
    }

    /// The setting at a path such as `engine.kind`.
    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        path.split('.')
            .try_fold(&self.tree, |value, key| value.get(key))
    }

    /// A boolean setting.
    pub(super) fn bool(&self, path: &str, default: bool) -> bool {
        match self.get(path) {
            Some(Value::Bool(value)) => *value,
            Some(Value::String(text)) => text == "true",
            _ => default,
        }
    }

    /// A text setting; absent and empty are the same.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.get(path)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    }

    /// The least urgent priority that is loaded.
    pub(super) fn priority(&self) -> anyhow::Result<Priority> {
        let text = self.text("priority").unwrap_or("debug");
        text.parse()
            .map_err(|error| anyhow::anyhow!("priority `{text}`: {error}"))
    }

    /// Rule files, under the new or the old name of the key.
    pub(super) fn rules_files(&self) -> Vec<String> {
        let value = self.get("rules_files").or_else(|| self.get("rules_file"));
        match value {
            Some(Value::Array(items)) => items
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            Some(Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        }
    }

    /// Event sources of the plugins that are loaded.
    pub(super) fn plugin_sources(&self) -> Vec<String> {
        let plugins = self
            .get("load_plugins")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let names = plugins.filter_map(Value::as_str);
        let of = |name: &str| {
            vedette_audit::Source::ALL
                .into_iter()
                .find(|source| source.plugin() == name)
        };
        names
            .filter_map(of)
            .map(|source| source.name().to_owned())
            .collect()
    }

    /// `rules:` selections in order: whether to enable, and what.
    pub(super) fn selections(&self) -> Vec<(bool, Selector)> {
        let mut out = Vec::new();
        for item in self
            .get("rules")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            for (verb, on) in [("enable", true), ("disable", false)] {
                let Some(what) = item.get(verb) else { continue };
                if let Some(rule) = what.get("rule").and_then(Value::as_str) {
                    out.push((on, Selector::Rule(rule.to_owned())));
                }
                if let Some(tag) = what.get("tag").and_then(Value::as_str) {
                    out.push((on, Selector::Tag(tag.to_owned())));
                }
            }
        }
        out
    }

    /// Whether suggested fields are appended to outputs.
    pub(super) fn suggested_output(&self) -> bool {
        match self.get("append_output") {
            Some(Value::Array(items)) => items.iter().any(|item| {
                item.get("suggested_output")
                    .is_some_and(|on| on == &Value::Bool(true))
            }),
            Some(Value::Object(item)) => item.get("suggested_output") != Some(&Value::Bool(false)),
            _ => true,
        }
    }

    /// What makes a configuration unusable, with Falco's conditions.
    fn check(&self) -> anyhow::Result<()> {
        self.priority()?;
        if self.bool("file_output.enabled", false) && self.text("file_output.filename").is_none() {
            bail!("file_output is enabled, but file_output.filename is empty; name a file");
        }
        if self.bool("program_output.enabled", false)
            && self.text("program_output.program").is_none()
        {
            bail!("program_output is enabled, but program_output.program is empty; name a command");
        }
        if self.bool("http_output.enabled", false) && self.text("http_output.url").is_none() {
            bail!("http_output is enabled, but http_output.url is empty; name a URL");
        }
        if let Some(threshold) = self
            .get("syscall_event_drops.threshold")
            .and_then(Value::as_f64)
            && !(0.0..=1.0).contains(&threshold)
        {
            bail!("syscall_event_drops.threshold is {threshold}; expected a number from 0 to 1");
        }
        let actions: Vec<&str> = self
            .get("syscall_event_drops.actions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if let Some(unknown) = actions
            .iter()
            .find(|a| !["ignore", "log", "alert", "exit"].contains(a))
        {
            bail!(
                "syscall_event_drops.actions holds `{unknown}`; expected ignore, log, alert or exit"
            );
        }
        if actions.contains(&"ignore") && (actions.contains(&"log") || actions.contains(&"alert")) {
            bail!("syscall_event_drops.actions holds `ignore` beside another action; choose one");
        }
        let matching = self.text("rule_matching").unwrap_or("first");
        if !["first", "all"].contains(&matching) {
            bail!("rule_matching is `{matching}`; expected first or all");
        }
        Ok(())
    }
}

/// What a `rules:` selection speaks of.
#[derive(Debug)]
pub(super) enum Selector {
    /// Rules whose name matches, `*` standing for anything.
    Rule(String),
    /// Rules with this tag.
    Tag(String),
}

impl Selector {
    /// Whether a rule is meant.
    pub(super) fn matches<'t>(&self, name: &str, mut tags: impl Iterator<Item = &'t str>) -> bool {
        match self {
            Self::Rule(pattern) => wildcard(pattern.as_bytes(), name.as_bytes()),
            Self::Tag(tag) => tags.any(|other| other == tag),
        }
    }
}

/// Whether `*` in `pattern` can be filled so that it equals `text`.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            back = Some((p, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star, from)) = back {
            back = Some((star, from + 1));
            p = star + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

fn to_json(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar(text, Style::Plain) if !node.is_null() => scalar(text),
        Kind::Scalar(..) if node.is_null() => Value::Null,
        Kind::Scalar(text, _) => Value::String(text.clone()),
        Kind::Seq(items) => Value::Array(items.iter().map(to_json).collect()),
        Kind::Map(entries) => Value::Object(
            entries
                .iter()
                .filter_map(|(k, v)| Some((k.as_str()?.to_owned(), to_json(v))))
                .collect(),
        ),
    }
}

fn scalar(text: &str) -> Value {
    match text {
        "true" | "yes" | "on" => Value::Bool(true),
        "false" | "no" | "off" => Value::Bool(false),
        _ => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => text
                .parse::<i64>()
                .map_or_else(|_| Value::from(number), Value::from),
            _ => Value::String(text.to_owned()),
        },
    }
}

/// Sets the value at a path with dots, `[n]` for an element and `[]` for a new one.
fn set(tree: &mut Value, path: &str, value: Value) -> anyhow::Result<()> {
    let mut at = tree;
    let parts: Vec<&str> = path.split('.').collect();
    for part in parts {
        let (key, index) = match part.split_once('[') {
            Some((key, index)) => (key, Some(index.strip_suffix(']').context("expected `]`")?)),
            None => (part, None),
        };
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = at
            .as_object_mut()
            .map(|map| map.entry(key).or_insert(Value::Null))
            .context("a map")?;
        let Some(index) = index else { continue };
        if !at.is_array() {
            *at = Value::Array(Vec::new());
        }
        let items = at.as_array_mut().context("a list")?;
        let index = if index.is_empty() {
            items.len()
        } else {
            index.parse().context("expected a number in []")?
        };
        // An override names an element that is there or the next one.
        anyhow::ensure!(index <= items.len(), "there is no element {index}");
        if index == items.len() {
            items.push(Value::Null);
        }
        at = &mut items[index];
    }
    *at = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_reach_into_lists_and_selections_keep_their_order() {
        let options = [
            "rules[].disable.rule=*",
            "rules[].enable.tag=c",
            "json_output=true",
            "priority=ERROR",
        ];
        let options = options.map(str::to_owned);
        let config = Config::read(
            "falco.yaml",
            "json_output: false\nengine: {kind: modern_ebpf}\n",
            &options,
        )
        .unwrap();
        assert!(config.bool("json_output", false));
        assert_eq!(config.priority().unwrap(), Priority::Error);
        assert_eq!(config.text("engine.kind"), Some("modern_ebpf"));
        let selections = config.selections();
        assert!(!selections[0].0 && selections[1].0);
        assert!(selections[0].1.matches("any rule", [].into_iter()));
        assert!(selections[1].1.matches("x", ["a", "c"].into_iter()));
    }

    #[test]
    fn unusable_settings_are_refused_by_name() {
        for (text, fault) in [
            (
                "file_output: {enabled: true, filename: ''}",
                "file_output.filename",
            ),
            ("syscall_event_drops: {threshold: 1.5}", "threshold"),
            (
                "syscall_event_drops: {actions: [ignore, log]}",
                "beside another",
            ),
            ("rule_matching: some", "first or all"),
            ("[1", "expected"),
        ] {
            let error = format!("{:#}", Config::read("f", text, &[]).unwrap_err());
            assert!(
                error.contains(fault) || fault == "expected",
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn wildcards_match_anything_between() {
        assert!(
            wildcard(b"open_*", b"open_1") && wildcard(b"*", b"") && wildcard(b"a*b*c", b"axxbxxc")
        );
        assert!(!wildcard(b"open_*", b"close") && !wildcard(b"a*b", b"axxbx"));
    }
}
