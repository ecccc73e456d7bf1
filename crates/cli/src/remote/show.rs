//! Answers of a server for a terminal: as tables, JSON or YAML. What attackers wrote is made visible.

use std::io::Write;

use serde_json::Value as Json;

use crate::table::{Table, visible};

/// How answers are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    #[default]
    Table,
    /// More columns
    Wide,
    /// JSON for programs
    Json,
    /// YAML
    Yaml,
}

/// A column: its title, whether it is for `wide` only, and what it shows of an item.
pub(crate) type Column = (&'static str, bool, fn(&Json) -> String);

/// Prints items.
pub(crate) fn list(format: Format, items: &[Json], columns: &[Column]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(items)?)?,
        Format::Yaml => write!(out, "{}", yaml(&Json::Array(items.to_vec())))?,
        Format::Table | Format::Wide => {
            let shown: Vec<&Column> = columns
                .iter()
                .filter(|(_, wide, _)| !wide || format == Format::Wide)
                .collect();
            let titles: Vec<&str> = shown.iter().map(|(title, ..)| *title).collect();
            let mut table = Table::new(&titles);
            for item in items {
                table.row(shown.iter().map(|(_, _, show)| show(item)));
            }
            write!(out, "{}", table.render())?;
        }
    }
    Ok(())
}

/// Prints one item as it comes in from a live stream.
pub(crate) fn one(format: Format, item: &Json, columns: &[Column]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{item}")?,
        Format::Yaml => write!(out, "---\n{}", yaml(item))?,
        Format::Table | Format::Wide => {
            let shown = columns
                .iter()
                .filter(|(_, wide, _)| !wide || format == Format::Wide);
            let cells: Vec<String> = shown.map(|(_, _, show)| visible(&show(item))).collect();
            writeln!(out, "{}", cells.join("  "))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// A text of an item; empty when it has none.
pub(crate) fn text(item: &Json, path: &str) -> String {
    match item.pointer(path) {
        Some(Json::String(text)) => text.clone(),
        None | Some(Json::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

/// A time to the second, in UTC.
pub(crate) fn time(item: &Json, path: &str) -> String {
    let text = text(item, path);
    text.get(..19).map_or(text.clone(), |seconds| {
        format!("{}Z", seconds.replace('T', " "))
    })
}

/// Where something happened, from the widest to the narrowest that is known.
pub(crate) fn place(item: &Json) -> String {
    let names = ["/place/namespace", "/place/workload", "/place/container"];
    let mut known: Vec<String> = names
        .iter()
        .map(|path| text(item, path))
        .filter(|name| !name.is_empty())
        .collect();
    // Without Kubernetes the container is its own workload.
    known.dedup();
    if known.is_empty() {
        text(item, "/node")
    } else {
        known.join("/")
    }
}

/// A value as YAML, in block style; texts that YAML could read as something else are quoted as JSON quotes them.
pub(crate) fn yaml(value: &Json) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn block(value: &Json, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Json::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                out.push_str(&format!("{indent}{}:", scalar(&Json::from(key.as_str()))));
                inner(value, depth, out);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                if is_leaf(item) {
                    out.push_str(&format!("{indent}- {}\n", scalar(item)));
                    continue;
                }
                let mut text = String::new();
                block(item, depth + 1, &mut text);
                // The first line of the item takes the place behind its dash.
                let start = indent.len() + 2;
                out.push_str(&format!(
                    "{indent}- {}",
                    text.get(start..).unwrap_or_default()
                ));
            }
        }
        leaf => out.push_str(&format!("{indent}{}\n", scalar(leaf))),
    }
}

fn inner(value: &Json, depth: usize, out: &mut String) {
    if is_leaf(value) {
        out.push_str(&format!(" {}\n", scalar(value)));
    } else {
        out.push('\n');
        block(value, depth + 1, out);
    }
}

fn is_leaf(value: &Json) -> bool {
    match value {
        Json::Object(map) => map.is_empty(),
        Json::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn scalar(value: &Json) -> String {
    let Json::String(text) = value else {
        return value.to_string();
    };
    let mut letters = text.chars();
    let starts = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@ ".contains(c);
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
    );
    if starts && !word && text.chars().all(plain) && !text.ends_with(' ') {
        text.clone()
    } else {
        // JSON escapes control characters; the rest of what could mislead is escaped here.
        value
            .to_string()
            .chars()
            .map(|c| {
                let turns = matches!(c, '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
                if turns {
                    format!("\\u{:04x}", u32::from(c))
                } else {
                    c.to_string()
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_says_what_json_said() {
        let value = json!({
            "a": 1, "b": [], "c": {"d": ["x", {"e": null, "f": [[1, "no"]]}]}, "g": "12", "h": "a: b # c",
            "i": "line\nline\u{202e}\u{1b}", "j": "", "k": true, "true": "plain text",
        });
        let text = yaml(&value);
        assert!(
            !text.contains('\u{202e}') && !text.contains('\u{1b}'),
            "{text}"
        );
        fn read(node: &vedette_yaml::Node) -> Json {
            if let Some(map) = node.as_map() {
                let pairs = map
                    .iter()
                    .map(|(key, value)| (key.as_str().unwrap().to_owned(), read(value)));
                return Json::Object(pairs.collect());
            }
            if let Some(items) = node.as_seq() {
                return items.iter().map(read).collect();
            }
            let quoted = node
                .style()
                .is_some_and(|style| style != vedette_yaml::Style::Plain);
            if !quoted {
                if node.is_null() {
                    return Json::Null;
                }
                if let Some(flag) = node.as_bool() {
                    return json!(flag);
                }
                if let Some(number) = node.as_i64() {
                    return json!(number);
                }
            }
            json!(node.as_str().unwrap())
        }
        let parsed = vedette_yaml::parse(&text);
        assert!(parsed.errors.is_empty(), "{text}");
        assert_eq!(read(&parsed.documents[0].root), value, "{text}");
    }
}
