//! What a rule would have matched, had it been there: its condition over the recorded fields of findings and activity.
//!
//! Records keep some fields of an event, not all. A comparison with a field that was not recorded is false, as for any
//! missing value; the answer names such fields, so that a small count is not taken for proof.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value as Json, json};
use vedette_event::Extracted;
use vedette_event::{Extract as _, Values};
use vedette_history::filter::fields_of;
use vedette_history::{ActivityQuery, FindingQuery, Order, Subject, TimeRange};
use vedette_rules::naive::Naive;
use vedette_rules::typed::Expr;

use super::{Library, bounded, file_name};
use crate::activity;
use crate::clock;
use crate::findings::view::Item;
use crate::http::call::{Call, Outcome, Reply};
use crate::problem::Problem;

/// Records that one back-test looks at.
const MAX_SCANNED: u64 = 200_000;
/// Time that one back-test takes.
const MAX_TIME: Duration = Duration::from_secs(8);
/// Records that are read at a time.
const PIECE: usize = 1000;
/// Matches that are shown.
const SAMPLE: usize = 20;
/// Rules of one text that are tested.
const MAX_RULES: usize = 20;
/// Records after which a field that never had a value is taken as not recorded.
const PROBED: u64 = 2_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    text: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
}

struct Test<'r> {
    rules: Vec<(&'r str, &'r Expr)>,
    naive: Naive,
    scanned: u64,
    matched: u64,
    sample: Vec<Json>,
    never: BTreeSet<String>,
    room: Values,
    begun: Instant,
}

impl Test<'_> {
    fn over(&self) -> bool {
        self.scanned >= MAX_SCANNED || self.begun.elapsed() > MAX_TIME
    }

    fn look(&mut self, subject: &Subject<'_>, show: impl FnOnce() -> Json) {
        self.scanned += 1;
        if self.scanned <= PROBED && !self.never.is_empty() {
            let mut asked = Vec::new();
            for (_, condition) in &self.rules {
                fields_of(condition, &mut asked);
            }
            for field in asked {
                if self.never.contains(&*field.text)
                    && !matches!(subject.extract(field, &mut self.room), Extracted::Missing)
                {
                    self.never.remove(&*field.text);
                }
            }
        }
        let hit = self
            .rules
            .iter()
            .find(|(_, condition)| self.naive.matches(condition, subject));
        if let Some((rule, _)) = hit {
            self.matched += 1;
            if self.sample.len() < SAMPLE {
                self.sample.push(json!({"rule": rule, "record": show()}));
            }
        }
    }
}

pub(super) fn run(call: &Call) -> Outcome {
    let request: Request = call.json()?;
    bounded(&request.text)?;
    let now = clock::now();
    let time = |text: &Option<String>, default: &str| {
        clock::parse(text.as_deref().unwrap_or(default), now)
            .ok_or_else(|| Problem::bad("`from` and `to`: expected RFC 3339, now, or now-1d"))
    };
    let range = TimeRange {
        from: time(&request.from, "now-24h")?,
        to: time(&request.to, "now")?,
    };
    let name = request.name.as_deref().unwrap_or("\u{0}text");
    let library = Library::with(call, name, &request.text)?;
    let file = file_name(name);
    if let Some(first) = library
        .remarks(&file)
        .iter()
        .find(|remark| remark.severity == "error")
    {
        return Err(Problem::new(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            "rule_error",
            format!("line {}: {}", first.line, first.message),
        )
        .at(first.column));
    }
    let index = library.files.iter().position(|(name, _)| *name == file);
    // Rules that the text defines, and those that it changes: appending moves no rule to the file, so names are looked for.
    let rules: Vec<(&str, &Expr)> = library
        .loaded
        .rules
        .iter()
        .filter(|rule| {
            let steps = rule.context.steps();
            steps
                .iter()
                .any(|step| Some(step.place.file.0 as usize) == index)
                || request.name.as_deref() == Some(rule.rule.name.as_str())
        })
        .take(MAX_RULES)
        .map(|rule| (rule.rule.name.as_str(), &rule.rule.condition))
        .collect();
    if rules.is_empty() {
        return Err(Problem::bad(
            "the text defines no rule; name the rule that it changes in `name`",
        ));
    }
    let mut asked = Vec::new();
    for (_, condition) in &rules {
        fields_of(condition, &mut asked);
    }
    let mut test = Test {
        never: asked.iter().map(|field| field.text.to_string()).collect(),
        rules,
        naive: Naive::default(),
        scanned: 0,
        matched: 0,
        sample: Vec::new(),
        room: Values::default(),
        begun: Instant::now(),
    };
    let mut whole = true;
    if let Some(zone) = call.zone()? {
        let mut query = FindingQuery {
            range,
            filter: zone.clone(),
            order: Order::Newest,
            cursor: None,
            limit: PIECE,
            count: false,
        };
        loop {
            let page = call.app.history.findings(&query)?;
            for stored in &page.items {
                let subject = Subject::Finding(&stored.finding, stored.triage.status);
                test.look(&subject, || json!(Item::of(stored)));
            }
            query.cursor = page.next;
            if query.cursor.is_none() || test.over() {
                break;
            }
        }
        whole &= query.cursor.is_none();
        let mut query = ActivityQuery {
            range,
            filter: zone,
            order: Order::Newest,
            cursor: None,
            limit: PIECE,
            count: false,
        };
        while !test.over() {
            let page = call.app.history.activity(&query)?;
            for stored in &page.items {
                let subject = Subject::Activity(&stored.activity);
                test.look(&subject, || activity::item(stored));
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        whole &= !test.over() || query.cursor.is_none();
    }
    let partial = (!whole).then(|| {
        format!(
            "looked at the newest {} records only; choose a shorter time for the rest",
            test.scanned
        )
    });
    Reply::json(&json!({
        "matched": test.matched,
        "scanned": test.scanned,
        "sample": test.sample,
        "unrecorded": if test.scanned == 0 { BTreeSet::new() } else { test.never },
        "partial": partial,
    }))
}
