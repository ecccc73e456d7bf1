//! Results: findings with their place, controls with their state, exceptions with their use.
//!
//! A control is `pass`, `fail`, `excepted`, `not evaluated` or `manual`, and these are never added up into one
//! score: what was not looked at is neither good nor bad.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::SerializeStruct;
use vedette_manifest::Object;

use crate::benchmark::{self, Assessment, Benchmark};
use crate::check::{Check, Findings, Scope, Severity};
use crate::exception::{Exception, Subject, Use};
use crate::input::{DEFAULT_NAMESPACE, Input, namespace};
use crate::value;

/// State of a check or a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing failed, and something was looked at.
    Pass,
    /// Something failed.
    Fail,
    /// All that failed is excepted.
    Excepted,
    /// The input has nothing that it could be judged by.
    NotEvaluated,
    /// Only a person can judge it.
    Manual,
}

impl State {
    /// As outputs write it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pass => "pass",
            State::Fail => "fail",
            State::Excepted => "excepted",
            State::NotEvaluated => "not evaluated",
            State::Manual => "manual",
        }
    }
}

/// A failure with its place.
///
/// Names are shared, because one object has many failures and a cluster many objects.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Check.
    pub check: &'static str,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: &'static str,
    /// File as given.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// Kind of the object.
    pub kind: Arc<str>,
    /// Namespace, when it says one.
    pub namespace: Option<Arc<str>>,
    /// Name.
    pub name: Arc<str>,
    /// Container.
    pub container: Option<Box<str>>,
    /// Failing field.
    pub path: Box<str>,
    /// Further fields that take part.
    pub also: Vec<String>,
    /// Value found; absent when the field is not set.
    pub value: Option<Box<str>>,
    /// What is wrong.
    pub message: Box<str>,
    /// Whether `posture fix` can mend it.
    pub fixable: bool,
    /// Id of the exception that covers it.
    pub exception: Option<Arc<str>>,
    /// Chart template that the object was rendered from.
    pub template: Option<Arc<str>>,
}

impl Failure {
    /// The same for the same failure in another run: check, object, container and field, not the line.
    pub fn fingerprint(&self) -> String {
        format!(
            "{}|{}|{}|{}|{}|{}",
            self.check,
            self.kind,
            self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE),
            self.name,
            self.container.as_deref().unwrap_or_default(),
            self.path
        )
    }
}

/// The state of one check.
#[derive(Clone, Debug, Serialize)]
pub struct CheckResult {
    /// Check.
    pub check: &'static str,
    /// Its title.
    pub title: String,
    /// State.
    pub state: State,
    /// Severity.
    pub severity: &'static str,
    /// How many objects were looked at.
    pub objects: usize,
    /// How many findings are not excepted.
    pub failures: usize,
    /// How many are.
    pub excepted: usize,
    /// Steps of the lab's attack that passing would have stopped.
    pub stops: &'static [u8],
    /// What to add to the input when it was not evaluated.
    pub needs: Option<&'static str>,
}

/// The state of one requirement of a benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct ControlResult {
    /// Benchmark.
    pub benchmark: &'static str,
    /// Number.
    pub id: &'static str,
    /// Short title.
    pub title: &'static str,
    /// State.
    pub state: State,
    /// Checks that judge it.
    pub checks: Vec<&'static str>,
    /// Findings that are not excepted.
    pub failures: usize,
    /// Findings that are.
    pub excepted: usize,
    /// Why it is manual or was not evaluated.
    pub note: String,
    /// Steps of the lab's attack that passing would have stopped.
    pub stops: Vec<u8>,
}

/// The audit of one exception.
#[derive(Clone, Debug, Serialize)]
pub struct ExceptionResult {
    /// Id.
    pub id: String,
    /// Why.
    pub reason: String,
    /// Whose decision.
    pub owner: String,
    /// Last day, or `never`.
    pub expires: String,
    /// `active`, `expired` or `unused`.
    pub state: &'static str,
    /// Findings concerned.
    pub findings: usize,
}

/// Everything that an evaluation says.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this shape.
    pub schema: u32,
    /// Requirements of the benchmark, when one was asked for.
    pub controls: Vec<ControlResult>,
    /// Checks that were run.
    pub checks: Vec<CheckResult>,
    /// Failures, in the order of files and lines.
    pub failures: Vec<Failure>,
    /// Audit of the exceptions.
    pub exceptions: Vec<ExceptionResult>,
}

/// What to evaluate.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// Checks to run.
    pub checks: Vec<&'static Check>,
    /// Benchmark to report on.
    pub benchmark: Option<Benchmark>,
    /// Exceptions.
    pub exceptions: &'a [Exception],
    /// Today, `YYYY-MM-DD`, for expiry.
    pub today: &'a str,
    /// Severity below which nothing is reported.
    pub least: Severity,
}

/// Version of [`Report`]'s shape.
const SCHEMA: u32 = 1;

/// Runs the plan.
pub fn evaluate(input: &Input<'_>, plan: &Plan<'_>) -> Report {
    let mut failures = Vec::new();
    let mut checks = Vec::new();
    let mut uses = vec![0_usize; plan.exceptions.len()];
    let mut names: Vec<Option<Names>> = vec![None; input.objects.len()];
    for check in plan.checks.iter().filter(|c| c.severity >= plan.least) {
        let objects = covered(check, input);
        let mut out = Findings::new(input.objects);
        (check.run)(input, &mut out);
        let (mut failed, mut excepted) = (0, 0);
        for finding in out.into_vec() {
            let object = &input.objects[finding.object];
            let exception = exception_for(check, object, &finding, plan, &mut uses);
            if exception.is_some() {
                excepted += 1;
            } else {
                failed += 1;
            }
            let names = names[finding.object].get_or_insert_with(|| Names::of(object));
            failures.push(failure(check, object, names, finding, exception));
        }
        let state = match (objects, failed, excepted) {
            (_, 1.., _) => State::Fail,
            (_, 0, 1..) => State::Excepted,
            (0, 0, 0) => State::NotEvaluated,
            (1.., 0, 0) => State::Pass,
        };
        checks.push(CheckResult {
            check: check.id,
            title: check.docs().title,
            state,
            severity: check.severity.as_str(),
            objects,
            failures: failed,
            excepted,
            stops: check.stops,
            needs: (state == State::NotEvaluated).then(|| check.scope.needs()),
        });
    }
    failures.sort_by(|a, b| {
        (&a.file, a.line, a.column, a.check, &a.path)
            .cmp(&(&b.file, b.line, b.column, b.check, &b.path))
    });
    let controls = plan
        .benchmark
        .as_ref()
        .map(|benchmark| controls(benchmark, &checks))
        .unwrap_or_default();
    Report {
        schema: SCHEMA,
        controls,
        checks,
        failures,
        exceptions: audit(plan, &uses),
    }
}

fn covered(check: &Check, input: &Input<'_>) -> usize {
    if check.scope == Scope::Registries && input.settings.registries.is_empty() {
        return 0;
    }
    input
        .objects
        .iter()
        .filter(|object| {
            let makes_pods = vedette_manifest::makes_pods(object);
            check.scope.covers(&object.kind, makes_pods)
        })
        .count()
}

fn exception_for(
    check: &Check,
    object: &Object,
    finding: &crate::check::Finding,
    plan: &Plan<'_>,
    uses: &mut [usize],
) -> Option<Arc<str>> {
    let subject = Subject {
        check: check.id,
        kind: &object.kind,
        namespace: namespace(object),
        name: &object.name,
        container: finding.container.as_deref().unwrap_or_default(),
        path: finding.path(),
    };
    let mut found = None;
    for (exception, used) in plan.exceptions.iter().zip(uses) {
        if exception.covers(&subject) {
            *used += 1;
            if found.is_none() && exception.holds(plan.today) {
                found = Some(exception.id.as_str().into());
            }
        }
    }
    found
}

/// Names of an object, made once for all its failures.
#[derive(Clone)]
struct Names {
    kind: Arc<str>,
    namespace: Option<Arc<str>>,
    name: Arc<str>,
    template: Option<Arc<str>>,
}

impl Names {
    fn of(object: &Object) -> Self {
        Self {
            kind: object.kind.as_str().into(),
            namespace: object.namespace.as_deref().map(Arc::from),
            name: object.name.as_str().into(),
            template: object.template.as_deref().map(Arc::from),
        }
    }
}

fn failure(
    check: &Check,
    object: &Object,
    names: &Names,
    finding: crate::check::Finding,
    exception: Option<Arc<str>>,
) -> Failure {
    let place = value::place(&object.node, finding.path());
    let mut paths = finding.paths.into_iter();
    let names = names.clone();
    Failure {
        check: check.id,
        severity: check.severity.as_str(),
        file: object.source.name.clone(),
        line: place.line,
        column: place.column,
        kind: names.kind,
        namespace: names.namespace,
        name: names.name,
        container: finding.container.map(String::into_boxed_str),
        path: paths.next().unwrap_or_default().into_boxed_str(),
        also: paths.collect(),
        value: finding.value.map(String::into_boxed_str),
        message: finding.message.into_boxed_str(),
        fixable: !finding.fix.is_empty(),
        exception,
        template: names.template,
    }
}

impl Serialize for Failure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Failure", 17)?;
        out.serialize_field("check", self.check)?;
        out.serialize_field("severity", self.severity)?;
        out.serialize_field("file", &*self.file)?;
        out.serialize_field("line", &self.line)?;
        out.serialize_field("column", &self.column)?;
        out.serialize_field("kind", &*self.kind)?;
        out.serialize_field("namespace", &self.namespace.as_deref())?;
        out.serialize_field("name", &*self.name)?;
        out.serialize_field("container", &self.container)?;
        out.serialize_field("path", &self.path)?;
        out.serialize_field("also", &self.also)?;
        out.serialize_field("value", &self.value)?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("fixable", &self.fixable)?;
        out.serialize_field("exception", &self.exception.as_deref())?;
        out.serialize_field("template", &self.template.as_deref())?;
        out.serialize_field("fingerprint", &self.fingerprint())?;
        out.end()
    }
}

fn controls(benchmark: &Benchmark, checks: &[CheckResult]) -> Vec<ControlResult> {
    let results: BTreeMap<&str, &CheckResult> = checks.iter().map(|r| (r.check, r)).collect();
    benchmark
        .requirements
        .iter()
        .map(|requirement| {
            let ids: Vec<&'static str> = benchmark::checks_for(benchmark.id, requirement.id)
                .iter()
                .map(|check| check.id)
                .collect();
            let run: Vec<&&CheckResult> = ids.iter().filter_map(|id| results.get(id)).collect();
            let sum =
                |count: fn(&CheckResult) -> usize| run.iter().map(|r| count(r)).sum::<usize>();
            let (failures, excepted) = (sum(|r| r.failures), sum(|r| r.excepted));
            let seen = run.iter().any(|r| r.state != State::NotEvaluated);
            let state = if failures > 0 {
                State::Fail
            } else if excepted > 0 {
                State::Excepted
            } else if seen {
                State::Pass
            } else if ids.is_empty() && requirement.assessment == Assessment::Manual {
                State::Manual
            } else {
                State::NotEvaluated
            };
            let note = match state {
                State::Manual | State::NotEvaluated if ids.is_empty() => {
                    if requirement.lacks.is_empty() {
                        "a person has to judge it".to_owned()
                    } else {
                        format!("no input tells {}", requirement.lacks)
                    }
                }
                State::NotEvaluated => {
                    let mut needs: Vec<&str> = run.iter().filter_map(|r| r.needs).collect();
                    needs.sort_unstable();
                    needs.dedup();
                    format!("add to the input: {}", needs.join("; "))
                }
                _ => String::new(),
            };
            let mut stops: Vec<u8> = run.iter().flat_map(|r| r.stops).copied().collect();
            stops.sort_unstable();
            stops.dedup();
            ControlResult {
                benchmark: benchmark.id,
                id: requirement.id,
                title: requirement.title,
                state,
                checks: ids,
                failures,
                excepted,
                note,
                stops,
            }
        })
        .collect()
}

fn audit(plan: &Plan<'_>, uses: &[usize]) -> Vec<ExceptionResult> {
    plan.exceptions
        .iter()
        .zip(uses)
        .map(|(exception, &count)| {
            let used = match (count, exception.holds(plan.today)) {
                (count, false) => Use::Expired(count),
                (0, true) => Use::Unused,
                (count, true) => Use::Active(count),
            };
            let (state, findings) = match used {
                Use::Active(count) => ("active", count),
                Use::Expired(count) => ("expired", count),
                Use::Unused => ("unused", 0),
            };
            ExceptionResult {
                id: exception.id.clone(),
                reason: exception.reason.clone(),
                owner: exception.owner.clone(),
                expires: exception.expires.clone().unwrap_or_else(|| "never".into()),
                state,
                findings,
            }
        })
        .collect()
}

/// What changed between two results.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Difference {
    /// Failures that were not there before, by fingerprint.
    pub new: Vec<String>,
    /// Failures that are gone.
    pub gone: Vec<String>,
    /// Failures that stayed.
    pub same: usize,
}

/// Compares with an earlier result, given as the JSON that [`Report`] serialises to. Excepted failures do not
/// count on either side.
pub fn difference(report: &Report, earlier: &str) -> Result<Difference, serde_json::Error> {
    let earlier: serde_json::Value = serde_json::from_str(earlier)?;
    let before: std::collections::BTreeSet<&str> = earlier["failures"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|failure| failure["exception"].is_null())
        .filter_map(|failure| failure["fingerprint"].as_str())
        .collect();
    let now: std::collections::BTreeSet<String> = report
        .failures
        .iter()
        .filter(|failure| failure.exception.is_none())
        .map(Failure::fingerprint)
        .collect();
    let (same, new): (Vec<String>, Vec<String>) = now
        .iter()
        .cloned()
        .partition(|f| before.contains(f.as_str()));
    Ok(Difference {
        new,
        gone: before
            .iter()
            .filter(|fingerprint| !now.contains(**fingerprint))
            .map(|fingerprint| (*fingerprint).to_owned())
            .collect(),
        same: same.len(),
    })
}
