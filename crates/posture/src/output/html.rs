//! One HTML page that needs nothing else: no script, no outside resource, readable on paper and by screen readers.

use super::junit::escape;
use crate::checks::by_id;
use crate::result::{Report, State};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1a1a1a;background:#fff}\
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{border:1px solid #767676;padding:.3rem .6rem;text-align:left;vertical-align:top}\
code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}.fail{font-weight:700;color:#a00000}.pass{color:#005a00}\
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}.fail{color:#ff9c9c}.pass{color:#8fdc8f}}";

/// Renders a report.
pub fn render(report: &Report, title: &str) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{0}</title><style>{STYLE}</style></head><body>\n<h1>{0}</h1>\n",
        escape(title)
    );
    let count = |state: State| report.checks.iter().filter(|c| c.state == state).count();
    out.push_str(&format!(
        "<p>Checks: {} pass, {} fail, {} excepted, {} not evaluated. \
         What was not evaluated counts neither way.</p>\n",
        count(State::Pass),
        count(State::Fail),
        count(State::Excepted),
        count(State::NotEvaluated)
    ));
    if !report.controls.is_empty() {
        out.push_str("<h2>Controls</h2>\n<table><thead><tr><th scope=\"col\">State</th><th scope=\"col\">Control</th><th scope=\"col\">Title</th><th scope=\"col\">Failures</th><th scope=\"col\">Lab steps it stops</th><th scope=\"col\">Note</th></tr></thead><tbody>\n");
        for control in &report.controls {
            let stops: Vec<String> = control.stops.iter().map(u8::to_string).collect();
            out.push_str(&format!(
                "<tr><td class=\"{}\">{}</td><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                class(control.state),
                control.state.as_str(),
                escape(control.id),
                escape(control.title),
                control.failures,
                stops.join(", "),
                escape(&control.note)
            ));
        }
        out.push_str("</tbody></table>\n");
    }
    out.push_str("<h2>Failures</h2>\n");
    for check in report.checks.iter().filter(|c| c.failures > 0) {
        let docs = by_id(check.check)
            .map(crate::check::Check::docs)
            .unwrap_or_default();
        out.push_str(&format!(
            "<h3>{} <small>({}, {})</small></h3>\n<p>{}</p>\n<p>{}</p>\n\
             <table><thead><tr><th scope=\"col\">Object</th><th scope=\"col\">Field</th><th scope=\"col\">Value</th><th scope=\"col\">Where</th></tr></thead><tbody>\n",
            escape(&check.title),
            check.check,
            check.severity,
            escape(&docs.why),
            escape(&docs.fix)
        ));
        let failures = report
            .failures
            .iter()
            .filter(|f| f.check == check.check && f.exception.is_none());
        for failure in failures {
            out.push_str(&format!(
                "<tr><td>{}/{}/{}</td><td><code>{}</code></td><td><code>{}</code></td><td><code>{}:{}</code></td></tr>\n",
                escape(&failure.kind),
                escape(failure.namespace.as_deref().unwrap_or("default")),
                escape(&failure.name),
                escape(&failure.path),
                escape(failure.value.as_deref().unwrap_or("not set")),
                escape(&failure.file),
                failure.line
            ));
        }
        out.push_str("</tbody></table>\n");
    }
    if !report.exceptions.is_empty() {
        out.push_str("<h2>Exceptions</h2>\n<table><thead><tr><th scope=\"col\">Id</th><th scope=\"col\">State</th><th scope=\"col\">Findings</th><th scope=\"col\">Reason</th><th scope=\"col\">Owner</th><th scope=\"col\">Until</th></tr></thead><tbody>\n");
        for exception in &report.exceptions {
            out.push_str(&format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                escape(&exception.id),
                exception.state,
                exception.findings,
                escape(&exception.reason),
                escape(&exception.owner),
                escape(&exception.expires)
            ));
        }
        out.push_str("</tbody></table>\n");
    }
    out.push_str("</body></html>\n");
    out
}

fn class(state: State) -> &'static str {
    match state {
        State::Fail => "fail",
        State::Pass => "pass",
        _ => "other",
    }
}
