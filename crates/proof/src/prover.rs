//! Reads a recording and proves.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;
use vedette_detect::policy::script;
use vedette_detect::{Describer, RuleSet, Settings, TimeStyle};
use vedette_event::{Extract, Finding, Priority, Process};
use vedette_rules::catalogue::SYSCALL;
use vedette_rules::program::{Evaluator, Mode, RuleIndex};
use vedette_rules::{Options, load};

use crate::act::{Act, Fields, Past};
use crate::control::Control;
use crate::judge::{ControlProof, Found, StepProof, Verdict, judge};
use crate::tracker::Tracker;

/// Acts that are kept for each piece of evidence; a scan makes thousands that say the same.
const MAX_ACTS: usize = 64;

/// Words of a command line that are compared with written files.
const MAX_WORDS: usize = 64;

/// Steps that findings are made into; a table longer than this helps nobody.
const MAX_STEPS: usize = 256;

/// A step of an attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub id: u32,
    /// What it does.
    pub title: String,
    /// Numbers of the steps that it builds on; each stands before it.
    pub needs: Vec<u32>,
    /// What must happen for it to succeed: all of these.
    pub evidence: Vec<Evidence>,
}

/// Something that must happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What they show, as a clause.
    pub name: String,
    /// The events that show it, as a condition of the rules language over system calls.
    pub condition: String,
}

/// The steps cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(pub String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// Watches a recording for the evidence of steps.
#[derive(Debug)]
pub struct Prover {
    steps: Vec<Step>,
    /// Step and evidence of each compiled condition.
    places: Vec<(usize, usize)>,
    evaluator: Evaluator,
    matched: Vec<RuleIndex>,
    acts: Vec<Vec<Vec<Act>>>,
    tracker: Tracker,
    describer: Describer,
    /// Whether the recording has marks, and the step that runs.
    marked: bool,
    current: Option<u32>,
}

impl Prover {
    /// A prover that has seen nothing yet. Where the recording has the lab's marks, what happens between those of a step
    /// is evidence of that step alone; where it has none, anything is.
    ///
    /// # Errors
    /// When the evidence of a step is no condition.
    pub fn new(steps: Vec<Step>) -> Result<Self, Error> {
        let mut text = String::new();
        let mut places = Vec::new();
        rule(&mut text, "mark", &vedette_range::mark_condition());
        for (at, step) in steps.iter().enumerate() {
            for (index, evidence) in step.evidence.iter().enumerate() {
                rule(&mut text, &format!("s{at}e{index}"), &evidence.condition);
                places.push((at, index));
            }
        }
        let options = Options {
            append_output: Vec::new(),
            strict: true,
            ..Options::default()
        };
        let loaded = load(&[("steps".to_owned(), text)], &options);
        if let Some(bad) = loaded.diagnostics.iter().find(|found| found.is_error()) {
            return Err(Error(format!(
                "the evidence of a step is no condition: {}",
                bad.message
            )));
        }
        let rules = RuleSet::compile(
            &loaded.rules,
            SYSCALL,
            Settings {
                mode: Mode::All,
                least: Priority::Debug,
                hostname: "".into(),
                time: TimeStyle::Clock,
            },
        );
        Ok(Self {
            acts: steps
                .iter()
                .map(|step| vec![Vec::new(); step.evidence.len()])
                .collect(),
            evaluator: Evaluator::new(Arc::clone(rules.program())),
            matched: Vec::new(),
            places,
            steps,
            tracker: Tracker::default(),
            describer: Describer::default(),
            marked: false,
            current: None,
        })
    }

    /// Takes in the next event of the recording.
    pub fn observe<E: Extract + ?Sized>(&mut self, event: &E) {
        self.evaluator.matches(event, Mode::All, &mut self.matched);
        if !self.matched.is_empty() {
            let fields = self.describer.context(SYSCALL, event);
            let lineage = self.describer.lineage(event);
            let act = self.act(&fields, &lineage);
            for index in std::mem::take(&mut self.matched) {
                let Some(place) = (index as usize).checked_sub(1) else {
                    self.mark(&fields);
                    continue;
                };
                let (step, evidence) = self.places[place];
                if self.marked && self.current != Some(self.steps[step].id) {
                    continue;
                }
                let acts = &mut self.acts[step][evidence];
                if acts.len() < MAX_ACTS {
                    acts.push(act.clone());
                }
            }
        }
        // after the event itself was judged: entering is done from where one was before
        if let Some(file) = self.tracker.observe(event) {
            let fields = self.describer.context(SYSCALL, event);
            let lineage = self.describer.lineage(event);
            let act = self.act(&fields, &lineage);
            self.tracker.wrote(file, act);
        }
    }

    /// Takes a finding as a step of its own, or as more of the step of the same rule and program. For recordings whose
    /// steps nobody wrote down; call it before [`Self::observe`] is given the finding's event.
    pub fn add(&mut self, finding: &Finding) {
        let program = finding
            .lineage
            .first()
            .map_or("", |process| process.name.as_str());
        let title = if program.is_empty() {
            finding.rule.clone()
        } else {
            format!("{} ({program})", finding.rule)
        };
        let at = if let Some(at) = self.steps.iter().position(|step| step.title == title) {
            at
        } else if self.steps.len() < MAX_STEPS {
            self.steps.push(Step {
                id: self.steps.len() as u32 + 1,
                title,
                needs: Vec::new(),
                evidence: vec![Evidence {
                    name: "happened".to_owned(),
                    condition: String::new(),
                }],
            });
            self.acts.push(vec![Vec::new()]);
            self.steps.len() - 1
        } else {
            return;
        };
        let act = self.act(&finding.fields, &finding.lineage);
        if let Some(acts) = self.acts[at].first_mut()
            && acts.len() < MAX_ACTS
        {
            acts.push(act);
        }
    }

    /// The lab's mark `N.begin` or `N.end`, the name of the file that was opened.
    fn mark(&mut self, fields: &BTreeMap<String, Json>) {
        let path = Fields(fields).text("fd.name").unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        self.marked = true;
        self.current = match name.split_once('.') {
            Some((number, "begin")) => number.parse().ok(),
            _ => None,
        };
    }

    fn act(&self, fields: &BTreeMap<String, Json>, lineage: &[Process]) -> Act {
        let seen = Fields(fields);
        let container = seen.text("container.id").unwrap_or_default();
        let program = lineage
            .first()
            .map_or("", |process| process.exepath.as_str());
        // an interpreter's arguments name what it reads
        let kind = script::interpreter(program);
        let words: Vec<String> = lineage
            .first()
            .filter(|_| kind.is_some())
            .map_or("", |process| process.cmdline.as_str())
            .split_ascii_whitespace()
            .take(MAX_WORDS)
            .map(str::to_owned)
            .collect();
        let named = ["evt.arg.filename", "proc.exepath"]
            .iter()
            .filter_map(|name| seen.text(name))
            .chain([program]);
        let operands = words
            .iter()
            .map(String::as_str)
            .filter(|word| kind.is_some_and(|kind| script::is_operand(kind, &words, word)));
        let written = named
            .chain(operands)
            .find_map(|path| self.tracker.written(container, path))
            .cloned();
        let connection = seen.text("fd.name").unwrap_or_default();
        let past = Past {
            left: self.tracker.left(lineage),
            written,
            connected: self.tracker.connected(container, connection),
        };
        Act::of(fields, lineage, past)
    }

    /// What these controls do to each step: together, and each alone.
    pub fn prove(&self, controls: &[&'static Control]) -> Vec<StepProof> {
        let found: Vec<Found<'_>> = self
            .steps
            .iter()
            .zip(&self.acts)
            .map(|(step, acts)| Found {
                id: step.id,
                needs: &step.needs,
                evidence: step
                    .evidence
                    .iter()
                    .zip(acts)
                    .map(|(evidence, acts)| (evidence.name.as_str(), acts.as_slice()))
                    .collect(),
            })
            .collect();
        let together = judge(&found, controls);
        let alone: Vec<Vec<Verdict>> = controls
            .iter()
            .map(|control| judge(&found, &[control]))
            .collect();
        let steps = self.steps.iter().zip(&self.acts).enumerate();
        steps
            .zip(together)
            .map(|((at, (step, acts)), verdict)| StepProof {
                step: step.id,
                title: step.title.clone(),
                verdict,
                controls: controls
                    .iter()
                    .zip(&alone)
                    .map(|(control, verdicts)| ControlProof {
                        control: control.id,
                        verdict: verdicts[at].clone(),
                    })
                    .collect(),
                acts: acts.iter().flatten().cloned().collect(),
            })
            .collect()
    }
}

/// Writes a rule that only matches.
fn rule(out: &mut String, name: &str, condition: &str) {
    // a JSON string is a YAML string, whatever is in it
    let condition = Json::from(condition);
    out.push_str(&format!(
        "- rule: {name}\n  desc: evidence\n  condition: {condition}\n  output: evidence\n  priority: DEBUG\n  \
         warn_evttypes: false\n"
    ));
}

/// The steps of the lab as proofs take them.
pub fn of_range(steps: &vedette_range::Steps) -> Vec<Step> {
    steps
        .steps
        .iter()
        .map(|step| Step {
            id: u32::from(step.id),
            title: step.title.clone(),
            needs: step.needs.iter().map(|needed| u32::from(*needed)).collect(),
            evidence: step
                .evidence
                .iter()
                .map(|clue| Evidence {
                    name: clue.shows.clone(),
                    condition: clue.condition.clone(),
                })
                .collect(),
        })
        .collect()
}
