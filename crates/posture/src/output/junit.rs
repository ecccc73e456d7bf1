//! JUnit XML, the shape that CI servers read: a suite for each check, a case for each failing object.

use crate::result::{Report, State};

/// Renders a report.
pub fn render(report: &Report) -> String {
    let failures: usize = report.checks.iter().map(|check| check.failures).sum();
    let tests: usize = report.checks.iter().map(cases).sum();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"vedette posture\" tests=\"{tests}\" failures=\"{failures}\">\n"
    );
    for check in &report.checks {
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n",
            escape(check.check),
            cases(check),
            check.failures,
            check.excepted + usize::from(check.state == State::NotEvaluated)
        ));
        for failure in report.failures.iter().filter(|f| f.check == check.check) {
            let name = format!(
                "{}/{}/{} {}",
                failure.kind,
                failure.namespace.as_deref().unwrap_or("default"),
                failure.name,
                failure.path
            );
            out.push_str(&format!(
                "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\">\n",
                escape(check.check),
                escape(&name),
                escape(&failure.file),
                failure.line
            ));
            match &failure.exception {
                Some(exception) => out.push_str(&format!(
                    "      <skipped message=\"excepted: {}\"/>\n",
                    escape(exception)
                )),
                None => out.push_str(&format!(
                    "      <failure type=\"{}\" message=\"{}\">{} = {}</failure>\n",
                    failure.severity,
                    escape(&failure.message),
                    escape(&failure.path),
                    escape(failure.value.as_deref().unwrap_or("(not set)"))
                )),
            }
            out.push_str("    </testcase>\n");
        }
        match check.state {
            State::Pass => out.push_str(&format!(
                "    <testcase classname=\"{0}\" name=\"{1} objects\"/>\n",
                escape(check.check),
                check.objects
            )),
            State::NotEvaluated => out.push_str(&format!(
                "    <testcase classname=\"{}\" name=\"not evaluated\"><skipped message=\"needs {}\"/></testcase>\n",
                escape(check.check),
                escape(check.needs.unwrap_or_default())
            )),
            _ => {}
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn cases(check: &crate::result::CheckResult) -> usize {
    (check.failures + check.excepted).max(1)
}

/// Text for XML and HTML. Characters that XML does not allow become visible marks.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in super::visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            _ => out.push(c),
        }
    }
    out
}
