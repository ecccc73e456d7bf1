//! The table for people: controls, then failures file by file, then exceptions that need attention.

use crate::output::visible;
use crate::result::{Report, State};

/// Renders a report.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    for control in &report.controls {
        out.push_str(&format!(
            "{:<14} {:<8} {}",
            control.state.as_str(),
            control.id,
            control.title
        ));
        if control.failures > 0 {
            out.push_str(&format!("  ({} failures", control.failures));
            if !control.stops.is_empty() {
                out.push_str(&format!("; passing stops lab {}", steps(&control.stops)));
            }
            out.push(')');
        }
        if !control.note.is_empty() {
            out.push_str(&format!("  ({})", control.note));
        }
        out.push('\n');
    }
    if !report.controls.is_empty() {
        out.push('\n');
    }
    let mut file = "";
    for failure in &report.failures {
        if failure.exception.is_some() {
            continue;
        }
        if *failure.file != *file {
            file = &failure.file;
            out.push_str(&format!("{}\n", visible(file)));
        }
        let found = failure
            .value
            .as_deref()
            .map_or_else(|| "not set".to_owned(), visible);
        let object = match &failure.namespace {
            Some(namespace) => format!("{}/{namespace}/{}", failure.kind, failure.name),
            None => format!("{}/{}", failure.kind, failure.name),
        };
        out.push_str(&format!(
            "  {}:{} {} [{}] {}\n      {} = {}  ({})\n",
            failure.line,
            failure.column,
            failure.severity,
            failure.check,
            visible(&failure.message),
            visible(&failure.path),
            found,
            visible(&object)
        ));
    }
    let count = |state: State| report.checks.iter().filter(|c| c.state == state).count();
    out.push_str(&format!(
        "\nchecks: {} pass, {} fail, {} excepted, {} not evaluated\n",
        count(State::Pass),
        count(State::Fail),
        count(State::Excepted),
        count(State::NotEvaluated)
    ));
    if !report.controls.is_empty() {
        let count = |state: State| report.controls.iter().filter(|c| c.state == state).count();
        out.push_str(&format!(
            "controls: {} pass, {} fail, {} excepted, {} not evaluated, {} manual\n",
            count(State::Pass),
            count(State::Fail),
            count(State::Excepted),
            count(State::NotEvaluated),
            count(State::Manual)
        ));
    }
    for exception in report.exceptions.iter().filter(|e| e.state != "active") {
        out.push_str(&format!(
            "exception {} is {} ({} findings; owner {}, until {})\n",
            visible(&exception.id),
            exception.state,
            exception.findings,
            visible(&exception.owner),
            exception.expires
        ));
    }
    out
}

/// `steps 4, 5 and 6`.
fn steps(steps: &[u8]) -> String {
    let names: Vec<String> = steps.iter().map(u8::to_string).collect();
    match names.split_last() {
        Some((last, [])) => format!("step {last}"),
        Some((last, rest)) => format!("steps {} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
