//! What is put behind the outputs of rules: formats, fields, and the fields that sources suggest.

use std::collections::BTreeSet;

/// What the container source suggests for rules over system calls.
pub const SUGGESTED: &str = "container_id=%container.id container_name=%container.name \
    container_image_repository=%container.image.repository container_image_tag=%container.image.tag \
    k8s_pod_name=%k8s.pod.name k8s_ns_name=%k8s.ns.name";

/// One entry of `append_output`: for which rules, and what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendOutput {
    /// Only this rule; empty for any.
    pub rule: String,
    /// Only rules of this source; empty for any.
    pub source: String,
    /// Only rules that have all of these tags.
    pub tags: BTreeSet<String>,
    /// Format to put behind the output, with a blank between; empty for none.
    pub format: String,
    /// Whether to put [`SUGGESTED`] behind the outputs of rules over system calls.
    pub suggested: bool,
    /// Fields that only `output_fields` gets.
    pub fields: Vec<ExtraField>,
}

/// A field that only `output_fields` gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtraField {
    /// A field under its own name, with its own type.
    Field(String),
    /// A name and a format; the value is a text.
    Named(String, String),
}

impl AppendOutput {
    /// Falco's default: suggested fields for every rule.
    pub fn suggested() -> Self {
        Self {
            suggested: true,
            ..Self::default()
        }
    }

    fn concerns(&self, rule: &str, source: &str, tags: &BTreeSet<String>) -> bool {
        (self.rule.is_empty() || self.rule == rule)
            && (self.source.is_empty() || self.source == source)
            && self.tags.is_subset(tags)
    }
}

/// What a rule gets: the text behind its output (with leading blanks), and extra fields.
pub fn appended<'a>(
    entries: &'a [AppendOutput],
    rule: &str,
    source: &str,
    tags: &BTreeSet<String>,
) -> (String, Vec<&'a ExtraField>) {
    let mut text = String::new();
    let mut fields = Vec::new();
    for entry in entries
        .iter()
        .filter(|entry| entry.concerns(rule, source, tags))
    {
        let suggested = if entry.suggested && source == crate::catalogue::SYSCALL {
            SUGGESTED
        } else {
            ""
        };
        for format in [entry.format.as_str(), suggested] {
            if !format.is_empty() {
                text.push(' ');
                text.push_str(format);
            }
        }
        fields.extend(&entry.fields);
    }
    (text, fields)
}
