//! Evaluates a rule set over a stream of events and makes alerts of what matches.

use std::sync::Arc;

use serde_json::Value as Json;
use vedette_event::{Alert, Extract, Extracted, FieldRef, Priority, Value, Values};
use vedette_rules::load::ExtraFormat;
use vedette_rules::output::Renderer;
use vedette_rules::program::{Evaluator, RuleIndex};

use crate::RuleSet;

/// How often a rule fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Name of the rule.
    pub rule: Arc<str>,
    /// Its priority.
    pub priority: Priority,
    /// Alerts so far.
    pub alerts: u64,
}

/// Rules at work on one stream of events.
#[derive(Debug)]
pub struct Detector {
    rules: Arc<RuleSet>,
    evaluator: Evaluator,
    renderer: Renderer,
    matched: Vec<RuleIndex>,
    room: Values,
    counts: Vec<u64>,
}

impl Detector {
    /// A detector that has seen nothing yet.
    pub fn new(rules: Arc<RuleSet>) -> Self {
        Self {
            evaluator: Evaluator::new(Arc::clone(&rules.program)),
            renderer: Renderer::default(),
            matched: Vec::new(),
            room: Values::default(),
            counts: vec![0; rules.rules.len()],
            rules,
        }
    }

    /// Goes on with another rule set from the next event on. Counts start again.
    pub fn swap(&mut self, rules: Arc<RuleSet>) {
        *self = Self::new(rules);
    }

    /// The rule set at work.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Evaluates one event and hands out an alert for each rule that matches, in definition order.
    #[inline]
    pub fn observe<E: Extract + ?Sized>(&mut self, event: &E, mut emit: impl FnMut(Alert)) {
        self.evaluator
            .matches(event, self.rules.settings.mode, &mut self.matched);
        if self.matched.is_empty() {
            return;
        }
        for index in std::mem::take(&mut self.matched) {
            self.counts[index as usize] += 1;
            emit(self.alert(index, event));
        }
    }

    fn alert<E: Extract + ?Sized>(&mut self, index: RuleIndex, event: &E) -> Alert {
        let rules = &*self.rules;
        let rule = &rules.rules[index as usize];
        let mut output = String::with_capacity(256);
        if let Some(field) = &rules.time {
            push_text(&mut output, field, event, &mut self.room);
        }
        output.push_str(": ");
        output.push_str(rule.priority.name());
        output.push(' ');
        let message_at = output.len();
        output.push_str(&self.renderer.text(&rule.format, event));
        let mut fields = self.renderer.fields(&rule.format, event);
        for (name, extra) in &rule.extra {
            let value = match extra {
                ExtraFormat::Field(field) => self.renderer.field(field, event),
                ExtraFormat::Text(format) => Json::String(self.renderer.text(format, event)),
            };
            fields.insert(name.clone(), value);
        }
        fields.insert(
            rules.settings.time.field().to_owned(),
            Json::from(event.ts()),
        );
        Alert {
            time: event.ts(),
            rule: Arc::clone(&rule.name),
            priority: rule.priority,
            source: Arc::clone(&rule.source),
            tags: Arc::clone(&rule.tags),
            hostname: Arc::clone(&rules.settings.hostname),
            output,
            message_at,
            fields: Json::Object(fields).to_string(),
        }
    }

    /// How often each rule fired, in definition order; rules that never did are left out.
    pub fn counts(&self) -> Vec<Count> {
        let counted = self
            .rules
            .rules
            .iter()
            .zip(&self.counts)
            .filter(|(_, alerts)| **alerts > 0);
        counted
            .map(|(rule, &alerts)| Count {
                rule: Arc::clone(&rule.name),
                priority: rule.priority,
                alerts,
            })
            .collect()
    }
}

fn push_text<E: Extract + ?Sized>(
    out: &mut String,
    field: &FieldRef,
    event: &E,
    room: &mut Values,
) {
    if let Extracted::One(Value::Text(text)) = event.extract(field, room) {
        out.push_str(&String::from_utf8_lossy(text));
    }
}
