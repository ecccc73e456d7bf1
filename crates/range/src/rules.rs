//! The steps' conditions as rules of the ordinary language, under names that say where a match belongs.

use std::fmt::Write as _;

use crate::Steps;

/// Directory whose files the lab's gate opens to mark where a step begins and ends: `3.begin`, `3.end`.
pub const MARKS: &str = "/run/range/steps";
/// Rule that sees the marks.
const MARK_RULE: &str = "range mark";
/// What evidence says about an event. Fields that an event lacks are shown as `<NA>`, which is dropped later.
const OUTPUT: &str = "%evt.type %proc.name[%proc.pid] result=%evt.rawres file=%fd.name command=%proc.cmdline parent=%proc.pname container=%container.name";

/// Names of the marks of every step, for the gate.
pub fn marks(steps: &Steps) -> Vec<String> {
    let both = |step: &crate::Step| [format!("{}.begin", step.id), format!("{}.end", step.id)];
    steps.steps.iter().flat_map(both).collect()
}

/// A rules file with one rule that matches whatever happens in the lab of this name: each lab has a control group of its
/// own.
pub fn of_lab(name: &str) -> String {
    let mut out = String::new();
    rule(
        &mut out,
        "range lab",
        &format!("thread.cgroups contains \"/{name}/\""),
        "%evt.type",
    );
    out
}

/// The condition of events that mark where a step begins and ends: the name of the file is the mark, see [`marks`].
pub fn mark_condition() -> String {
    format!(
        "evt.type in (open, openat, openat2) and evt.rawres >= 0 and proc.name = range-gate and fd.name startswith {MARKS}/"
    )
}

/// What a match of one of the rules means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Mark,
    Evidence(u8, usize),
    Blocked(u8, usize),
}

impl Meaning {
    pub(crate) fn of(rule: &str) -> Option<Self> {
        if rule == MARK_RULE {
            return Some(Self::Mark);
        }
        let mut words = rule.strip_prefix("range step ")?.split(' ');
        let step = words.next()?.parse().ok()?;
        let kind = words.next()?;
        let index = words.next()?.parse().ok()?;
        match kind {
            "evidence" => Some(Self::Evidence(step, index)),
            "blocked" => Some(Self::Blocked(step, index)),
            _ => None,
        }
    }
}

impl Steps {
    /// A rules file with one rule for each condition. Load it, report every match (not only the first of an event), and
    /// give name, time and output of each to [`crate::Judge::observe`].
    pub fn rules(&self) -> String {
        let mut out = String::new();
        rule(&mut out, MARK_RULE, &mark_condition(), "%fd.filename");
        for step in &self.steps {
            for (index, clue) in step.evidence.iter().enumerate() {
                let name = format!("range step {} evidence {index}", step.id);
                rule(&mut out, &name, &clue.condition, OUTPUT);
            }
            for (index, stop) in step.blocked.iter().enumerate() {
                let name = format!("range step {} blocked {index}", step.id);
                rule(&mut out, &name, &stop.condition, OUTPUT);
            }
        }
        out
    }
}

fn rule(out: &mut String, name: &str, condition: &str, output: &str) {
    // A JSON string is a YAML string, whatever is in it.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let _ = writeln!(
        out,
        "- rule: {}\n  desc: evidence of the lab\n  condition: {}\n  output: {}\n  priority: DEBUG\n  warn_evttypes: false",
        quoted(name),
        quoted(condition),
        quoted(output)
    );
}
