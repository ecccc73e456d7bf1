//! Rules of one source, compiled, with everything an alert says that does not depend on the event.

use std::sync::Arc;

use vedette_event::{FieldRef, Priority};

use vedette_rules::load::{ExtraFormat, LoadedRule};
use vedette_rules::output::Format;
use vedette_rules::prefilter::Prefilter;
use vedette_rules::program::{Mode, Program};
use vedette_rules::typed::{Expr, Rule};

/// How alerts are to be made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The first matching rule of an event, or every one.
    pub mode: Mode,
    /// The least urgent priority of rules that are used.
    pub least: Priority,
    /// Host that alerts name.
    pub hostname: Arc<str>,
    /// How the time before an alert's text is written.
    pub time: TimeStyle,
}

/// How the time before an alert's text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeStyle {
    /// Local time of day with nanoseconds.
    Clock,
    /// Date and time as in ISO 8601.
    Iso8601,
}

impl TimeStyle {
    /// The field that has this time.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Clock => "evt.time",
            Self::Iso8601 => "evt.time.iso8601",
        }
    }
}

/// A rule as alerts name it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) name: Arc<str>,
    pub(crate) priority: Priority,
    pub(crate) source: Arc<str>,
    pub(crate) tags: Arc<[String]>,
    pub(crate) format: Format,
    pub(crate) extra: Vec<(String, ExtraFormat)>,
}

/// A compiled rule set.
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) program: Arc<Program>,
    pub(crate) rules: Vec<Prepared>,
    pub(crate) settings: Settings,
    pub(crate) time: Option<FieldRef>,
    typed: Vec<Rule>,
}

impl RuleSet {
    /// Compiles the rules of `source` that are switched on and urgent enough, in their order.
    pub fn compile(rules: &[LoadedRule], source: &str, settings: Settings) -> Self {
        let used: Vec<&LoadedRule> = rules
            .iter()
            .filter(|rule| {
                rule.enabled && rule.rule.source == source && rule.rule.priority <= settings.least
            })
            .collect();
        let typed: Vec<_> = used.iter().map(|rule| rule.rule.clone()).collect();
        let prepared = used.iter().map(|rule| Prepared {
            name: rule.rule.name.as_str().into(),
            priority: rule.rule.priority,
            source: rule.rule.source.as_str().into(),
            tags: rule.rule.tags.iter().cloned().collect(),
            format: rule.format.clone(),
            extra: rule.extra_fields.clone(),
        });
        Self {
            program: Arc::new(Program::compile(&typed)),
            rules: prepared.collect(),
            time: FieldRef::parse(settings.time.field()).ok(),
            settings,
            typed,
        }
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// True when no rule is left.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The condition of the rule of this name, checked and with macros and lists in place.
    pub fn condition(&self, rule: &str) -> Option<&Expr> {
        let found = self.typed.iter().find(|known| known.name == rule)?;
        Some(&found.condition)
    }

    /// Whether the rule of this name asks for a capture, and how many milliseconds of it after the event; 0 for the
    /// default.
    pub fn capture(&self, rule: &str) -> Option<u64> {
        let found = self.typed.iter().find(|known| known.name == rule)?;
        found.capture.then_some(found.capture_duration)
    }

    /// What of all that happens can matter to the rules of these sets.
    pub fn prefilter<'a>(sets: impl IntoIterator<Item = &'a Self>) -> Prefilter {
        let sets: Vec<&Self> = sets.into_iter().collect();
        let rules: Vec<Rule> = sets.iter().flat_map(|set| set.typed.clone()).collect();
        let outputs = sets.iter().flat_map(|set| &set.rules).flat_map(|rule| {
            let extra = rule.extra.iter().flat_map(|(_, extra)| match extra {
                ExtraFormat::Field(field) => std::slice::from_ref(&**field),
                ExtraFormat::Text(format) => format.fields(),
            });
            rule.format.fields().iter().chain(extra)
        });
        Prefilter::new(&rules, outputs)
    }

    /// The compiled program, which knows the event types and fields that matter.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }
}
