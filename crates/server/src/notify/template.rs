//! From a finding to the text that people get: a template with `{field}` holes, and everything an attacker chose made
//! visible.

use serde::Serialize;
use serde_json::Value as Json;
use vedette_event::Severity;
use vedette_history::StoredFinding;

use crate::clock::rfc3339;

/// Longest text of a message in bytes; chat services cut at some 3,000 to 4,000.
const MAX_TEXT: usize = 2_500;

/// What channels make their requests of.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) time: String,
    pub(crate) severity: Severity,
    pub(crate) rule: String,
    pub(crate) node: String,
    pub(crate) place: String,
    pub(crate) text: String,
    pub(crate) link: Option<String>,
    /// Findings of the group that this message stands for.
    pub(crate) count: u64,
    /// What is told together.
    #[serde(skip)]
    pub(crate) group: String,
    /// Fields of the finding, for templates and webhooks.
    pub(crate) fields: std::collections::BTreeMap<String, Json>,
}

/// The message for a finding.
pub(crate) fn message(stored: &StoredFinding, public_url: Option<&str>) -> Message {
    let (finding, place) = (&stored.finding, &stored.place);
    let names = [
        &place.namespace,
        &place.workload,
        &place.pod,
        &place.container,
    ];
    let named: Vec<&str> = names
        .iter()
        .map(|name| name.as_str())
        .filter(|name| !name.is_empty())
        .collect();
    let shown = if named.is_empty() {
        place.node.clone()
    } else {
        named.join(" / ")
    };
    let link = public_url.map(|url| format!("{}/events/{}", url.trim_end_matches('/'), finding.id));
    Message {
        id: finding.id.clone(),
        time: rfc3339(finding.time),
        severity: stored.severity,
        rule: visible(&finding.rule),
        node: visible(&finding.node),
        place: visible(&shown),
        text: visible(&finding.message),
        link,
        count: 1,
        group: format!(
            "{}\0{}\0{}\0{}",
            finding.rule, place.namespace, place.workload, place.node
        ),
        fields: finding.fields.clone(),
    }
}

/// One message for many that would be too many.
pub(crate) fn sum(messages: &[Message]) -> Option<Message> {
    let worst = messages.iter().max_by_key(|message| message.severity)?;
    let mut rules: Vec<&str> = messages
        .iter()
        .map(|message| message.rule.as_str())
        .collect();
    rules.sort_unstable();
    rules.dedup();
    let count = messages.iter().map(|message| message.count).sum();
    let mut sum = worst.clone();
    sum.rule = format!("{} further groups of findings", messages.len());
    sum.text = cut(&format!("Rules: {}", rules.join(", ")));
    sum.place = "several places".to_owned();
    sum.group = String::from("\0sum");
    sum.count = count;
    Some(sum)
}

/// Fills a template: `{rule}`, `{severity}`, `{place}`, `{text}`, `{time}`, `{node}`, `{link}`, `{count}`, `{id}`, or the
/// name of a field. A hole that nothing fills stays empty; `{{` is a brace.
pub(crate) fn fill(template: &str, message: &Message) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let (brace, behind) = rest[at..].split_at(1);
        if behind.starts_with(brace) {
            out.push_str(brace);
            rest = &behind[1..];
            continue;
        }
        match behind.split_once('}') {
            Some((name, behind)) if brace == "{" => {
                out.push_str(&value(name, message));
                rest = behind;
            }
            _ => {
                out.push_str(brace);
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    cut(&out)
}

fn value(name: &str, message: &Message) -> String {
    match name {
        "rule" => message.rule.clone(),
        "severity" => message.severity.name().to_owned(),
        "place" => message.place.clone(),
        "text" => message.text.clone(),
        "time" => message.time.clone(),
        "node" => message.node.clone(),
        "link" => message.link.clone().unwrap_or_default(),
        "count" => message.count.to_string(),
        "id" => message.id.clone(),
        field => match message.fields.get(field) {
            Some(Json::String(text)) => visible(text),
            Some(Json::Null) | None => String::new(),
            Some(other) => visible(&other.to_string()),
        },
    }
}

/// Text with control characters and characters that turn the direction of writing made visible, and not too long.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let turns = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || turns {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    cut(&out)
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let mut at = MAX_TEXT;
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    format!("{}…", &text[..at])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> Message {
        Message {
            id: "0123".to_owned(),
            time: "2026-01-01T00:00:00.000000000Z".to_owned(),
            severity: Severity::Critical,
            rule: "Shell <b>".to_owned(),
            node: "n1".to_owned(),
            place: "shop / web".to_owned(),
            text: "sh & <!channel> \\u{1b}".to_owned(),
            link: Some("https://v/events/0123".to_owned()),
            count: 3,
            group: "g".to_owned(),
            fields: [("proc.name".to_owned(), Json::from("sh\n"))].into(),
        }
    }

    #[test]
    fn templates_are_filled() {
        let fill = |template: &str| fill(template, &example());
        assert_eq!(
            fill("{severity}: {rule} x{count}"),
            "critical: Shell <b> x3"
        );
        assert_eq!(fill("{proc.name}|{nothing}|{{x}}|{"), "sh\\u{a}||{x}|{");
        assert!(super::fill(&"{text}".repeat(1000), &example()).len() < MAX_TEXT + 10);
        assert_eq!(visible("a\u{202e}b\u{1b}[1m"), "a\\u{202e}b\\u{1b}[1m");
    }
}
