//! Rules of one source, compiled, with everything an alert says that does not depend on the event.

use std::sync::Arc;

use vedette_event::{FieldRef, Priority};

use vedette_rules::load::{ExtraFormat, LoadedRule};
use vedette_rules::output::Format;
use vedette_rules::program::{Mode, Program};
use vedette_rules::typed::Expr;

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
    pub(crate) condition: Expr,
    pub(crate) capture: Option<u64>,
}

/// A compiled rule set.
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) program: Arc<Program>,
    pub(crate) rules: Vec<Prepared>,
    pub(crate) settings: Settings,
    pub(crate) time: Option<FieldRef>,
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
            condition: rule.rule.condition.clone(),
            capture: rule.rule.capture.then_some(rule.rule.capture_duration),
        });
        Self {
            program: Arc::new(Program::compile(&typed)),
            rules: prepared.collect(),
            time: FieldRef::parse(settings.time.field()).ok(),
            settings,
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
        let found = self.rules.iter().find(|known| &*known.name == rule)?;
        Some(&found.condition)
    }

    /// Whether the rule of this name asks for a capture, and how many milliseconds of it after the event; 0 for the
    /// default.
    pub fn capture(&self, rule: &str) -> Option<u64> {
        self.rules
            .iter()
            .find(|known| &*known.name == rule)?
            .capture
    }

    /// The conditions of every rule, in definition order.
    pub fn conditions(&self) -> impl Iterator<Item = &Expr> {
        self.rules.iter().map(|rule| &rule.condition)
    }

    /// The compiled program, which knows the event types and fields that matter.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }
}
