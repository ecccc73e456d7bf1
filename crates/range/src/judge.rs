//! Verdicts from what was seen.

use serde::Serialize;
use vedette_event::Finding;

use crate::rules::Meaning;
use crate::{Step, Steps, Verdict};

/// Most pieces of evidence and findings that one step keeps; the first ones say it all.
const MAX_KEPT: usize = 64;

/// An event that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What it shows.
    pub shows: String,
    /// Nanoseconds since 1970.
    pub time: u64,
    /// The event in words.
    pub event: String,
}

/// What became of one step in one profile.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The profile.
    pub profile: String,
    /// The step's number.
    pub step: u8,
    /// The step's name.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What stopped it, or why nothing can be said.
    pub by: Option<String>,
    /// The events behind the verdict.
    pub evidence: Vec<Evidence>,
    /// What the shipped rules said.
    pub findings: Vec<Finding>,
    /// Rules that should have fired and did not; only for steps that were done.
    pub missed: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    begun: bool,
    ended: bool,
    evidence: Vec<Option<Evidence>>,
    blocked: Vec<Option<Evidence>>,
    findings: Vec<Finding>,
}

/// Collects matches in the order of the events. A match counts only between the marks of its own step.
#[derive(Clone, Debug)]
pub struct Judge<'a> {
    steps: &'a Steps,
    seen: Vec<Seen>,
    current: Option<u8>,
}

impl<'a> Judge<'a> {
    /// A judge who has seen nothing.
    pub fn new(steps: &'a Steps) -> Self {
        let seen = |step: &Step| Seen {
            evidence: vec![None; step.evidence.len()],
            blocked: vec![None; step.blocked.len()],
            ..Seen::default()
        };
        Self {
            steps,
            seen: steps.steps.iter().map(seen).collect(),
            current: None,
        }
    }

    /// A match of one of the rules of [`Steps::rules`]: the rule's name, the event's time, the output.
    pub fn observe(&mut self, rule: &str, time: u64, output: &str) {
        match Meaning::of(rule) {
            Some(Meaning::Mark) => self.mark(output),
            Some(Meaning::Evidence(step, index)) if self.current == Some(step) => {
                let clue = self
                    .steps
                    .step(step)
                    .and_then(|step| step.evidence.get(index));
                let slot = self
                    .slot(step)
                    .and_then(|seen| seen.evidence.get_mut(index));
                if let (Some(clue), Some(slot @ None)) = (clue, slot) {
                    *slot = Some(evidence(&clue.shows, time, output));
                }
            }
            Some(Meaning::Blocked(step, index)) if self.current == Some(step) => {
                let stop = self
                    .steps
                    .step(step)
                    .and_then(|step| step.blocked.get(index));
                let slot = self.slot(step).and_then(|seen| seen.blocked.get_mut(index));
                if let (Some(stop), Some(slot @ None)) = (stop, slot) {
                    *slot = Some(evidence(&stop.by, time, output));
                }
            }
            _ => {}
        }
    }

    /// An alert of a shipped rule about the lab; it belongs to the step that runs.
    pub fn finding(&mut self, finding: Finding) {
        if let Some(seen) = self.current.and_then(|step| self.slot(step))
            && seen.findings.len() < MAX_KEPT
        {
            seen.findings.push(finding);
        }
    }

    /// The step that runs.
    pub fn current(&self) -> Option<u8> {
        self.current
    }

    /// Whether the end of this step was seen.
    pub fn ended(&self, step: u8) -> bool {
        let index = usize::from(step).wrapping_sub(1);
        self.seen.get(index).is_some_and(|seen| seen.ended)
    }

    fn slot(&mut self, step: u8) -> Option<&mut Seen> {
        self.seen.get_mut(usize::from(step).checked_sub(1)?)
    }

    fn mark(&mut self, name: &str) {
        let Some((number, edge)) = name.trim().split_once('.') else {
            return;
        };
        let Ok(number) = number.parse::<u8>() else {
            return;
        };
        let Some(seen) = self.slot(number) else {
            return;
        };
        match edge {
            "begin" => {
                seen.begun = true;
                self.current = Some(number);
            }
            "end" => {
                seen.ended = true;
                self.current = None;
            }
            _ => {}
        }
    }

    /// The verdicts. `lost` is the number of events that never arrived: where some did not, missing evidence proves
    /// nothing.
    pub fn finish(self, profile: &str, lost: u64) -> Vec<Outcome> {
        let mut out: Vec<Outcome> = Vec::new();
        for (step, seen) in self.steps.steps.iter().zip(self.seen) {
            let (verdict, by) = verdict(step, &seen, &out, lost);
            let missed = step
                .detections
                .iter()
                .filter(|rule| {
                    verdict == Verdict::Allowed && !seen.findings.iter().any(|f| f.rule == **rule)
                })
                .cloned()
                .collect();
            let kept = seen.evidence.into_iter().chain(seen.blocked).flatten();
            out.push(Outcome {
                profile: profile.to_owned(),
                step: step.id,
                name: step.name.clone(),
                verdict,
                by,
                evidence: kept.take(MAX_KEPT).collect(),
                findings: seen.findings,
                missed,
            });
        }
        out
    }
}

fn evidence(shows: &str, time: u64, output: &str) -> Evidence {
    let words = output
        .split(' ')
        .filter(|word| !word.ends_with("=<NA>") && *word != "file=");
    Evidence {
        shows: shows.to_owned(),
        time,
        event: words.collect::<Vec<_>>().join(" "),
    }
}

fn verdict(step: &Step, seen: &Seen, before: &[Outcome], lost: u64) -> (Verdict, Option<String>) {
    if seen.evidence.iter().all(Option::is_some) {
        return (Verdict::Allowed, None);
    }
    let missing = step.needs.iter().find(|need| {
        before
            .iter()
            .any(|outcome| outcome.step == **need && outcome.verdict != Verdict::Allowed)
    });
    if let Some(missing) = missing {
        return (
            Verdict::NotReached,
            Some(format!("step {missing} was not done")),
        );
    }
    if let Some(stop) = seen.blocked.iter().flatten().next() {
        return (Verdict::Blocked, Some(stop.shows.clone()));
    }
    let why = if !seen.begun {
        "the step was not run".to_owned()
    } else if lost > 0 {
        format!("{lost} events were lost")
    } else {
        let absent: Vec<&str> = step
            .evidence
            .iter()
            .zip(&seen.evidence)
            .filter(|(_, seen)| seen.is_none())
            .map(|(clue, _)| clue.shows.as_str())
            .collect();
        format!("no event shows: {}", absent.join(", "))
    };
    (Verdict::Unknown, Some(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
profiles:
- {name: p, title: t, namespace: n}
steps:
- id: 1
  name: one
  title: t
  requests: [{get: /x}]
  evidence: [{shows: a, condition: evt.num > 0}, {shows: b, condition: evt.num > 0}]
  blocked: [{by: permission, condition: evt.num > 0}]
  detections: [R]
  expected: {p: allowed}
- id: 2
  name: two
  title: t
  needs: [1]
  requests: [{exec: id}]
  evidence: [{shows: c, condition: evt.num > 0}]
  expected: {p: allowed}
";

    fn judged(matches: &[&str], lost: u64) -> Vec<(Verdict, String)> {
        let (steps, problems) = Steps::parse(TEXT);
        assert_eq!(problems, []);
        let mut judge = Judge::new(&steps);
        for line in matches {
            match line.split_once(' ') {
                Some(("mark", name)) => judge.observe("range mark", 1, name),
                _ => judge.observe(
                    &format!("range step {line}"),
                    2,
                    "open x[1] file=<NA> command=y",
                ),
            }
        }
        judge
            .finish("p", lost)
            .into_iter()
            .map(|outcome| (outcome.verdict, outcome.by.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn verdicts_follow_the_evidence() {
        use Verdict::{Allowed, Blocked, NotReached, Unknown};
        let verdicts = |matches: &[&str]| {
            let judged = judged(matches, 0);
            (judged[0].0, judged[1].0)
        };
        let one = ["mark 1.begin", "1 evidence 0", "1 evidence 1", "mark 1.end"];
        assert_eq!(verdicts(&one), (Allowed, Unknown));
        assert_eq!(
            verdicts(&[&one[..], &["mark 2.begin", "2 evidence 0"]].concat()),
            (Allowed, Allowed)
        );
        assert_eq!(
            verdicts(&["mark 1.begin", "1 evidence 0", "1 blocked 0"]),
            (Blocked, NotReached)
        );
        // evidence outside the step's own marks is none
        assert_eq!(
            verdicts(&["1 evidence 0", "1 evidence 1"]),
            (Unknown, NotReached)
        );
        assert_eq!(
            verdicts(&["mark 2.begin", "1 evidence 0", "1 evidence 1"]),
            (Unknown, NotReached)
        );
    }

    #[test]
    fn loss_is_said() {
        assert_eq!(judged(&["mark 1.begin"], 7)[0].1, "7 events were lost");
        assert_eq!(
            judged(&["mark 1.begin", "1 evidence 0"], 0)[0].1,
            "no event shows: b"
        );
        assert_eq!(judged(&[], 0)[0].1, "the step was not run");
    }

    #[test]
    fn what_should_have_fired_is_named() {
        let (steps, _) = Steps::parse(TEXT);
        let mut judge = Judge::new(&steps);
        for (rule, text) in [
            ("range mark", "1.begin"),
            ("range step 1 evidence 0", ""),
            ("range step 1 evidence 1", ""),
        ] {
            judge.observe(rule, 1, text);
        }
        assert_eq!(judge.clone().finish("p", 0)[0].missed, ["R"]);
        let finding = r#"{"id":"0","time":3,"source":"syscall","rule":"R","priority":"Notice","message":"o","node":"n"}"#;
        judge.finding(serde_json::from_str(finding).unwrap());
        assert!(judge.finish("p", 0)[0].missed.is_empty());
    }
}
