//! Findings as files: CSV, JSON or NDJSON, honouring the filter, and saying so when not everything is in it.
//!
//! Written while it is sent, page by page, so that an export of any size takes the same memory.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use serde_json::{Value as Json, json};
use vedette_history::{FindingQuery, StoredFinding};

use super::view;
use crate::app::App;
use crate::clock::rfc3339;
use crate::http::call::{Call, Outcome, Reply, content_type};
use crate::http::pipe::{Writer, pipe};
use crate::http::route::{FILTER, FROM, Gives, Route, TO, VIEWER};
use crate::problem::Problem;

/// Findings that one export holds when nothing is said, and at most.
const MAX_EXPORT: u64 = 1_000_000;
/// Findings that are read at a time.
const PIECE: usize = 500;
/// Exports at a time: each has a thread of its own.
const EXPORTS: usize = 4;

/// Columns of a CSV file that are fields of the catalogue.
const FIELDS: &[&str] = &[
    "k8s.ns.name",
    "k8s.pod.name",
    "container.id",
    "container.name",
    "container.image.repository",
    "user.name",
    "proc.name",
    "proc.cmdline",
    "fd.name",
];

pub(crate) const ROUTES: &[Route] = &[Route::get(
    "/findings/export",
    VIEWER,
    "Findings as a file; the header X-Vedette-Cut and the last line say when it is cut",
    Gives::Text("application/octet-stream"),
    export,
)
.query(&[
    FILTER,
    FROM,
    TO,
    ("format", "csv, json or ndjson"),
    ("limit", "most findings, up to 1000000"),
    ("order", "newest, oldest or severity"),
])];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
    Ndjson,
}

fn export(call: &Call) -> Outcome {
    let (format, kind, ending) = match call.query("format") {
        None | Some("ndjson") => (Format::Ndjson, "application/x-ndjson", "ndjson"),
        Some("csv") => (Format::Csv, "text/csv; charset=utf-8", "csv"),
        Some("json") => (Format::Json, "application/json", "json"),
        Some(_) => {
            return Err(Problem::bad(
                "parameter `format`: expected csv, json or ndjson",
            ));
        }
    };
    let limit = call.number("limit", MAX_EXPORT, MAX_EXPORT)? as usize;
    let (order, _) = call.place_in_order()?;
    let range = call.time_range()?;
    let filter = call.filter()?;
    let mut query = FindingQuery {
        range,
        filter: filter.clone().unwrap_or_default(),
        order,
        cursor: None,
        limit: 1,
        count: true,
    };
    // Counting first lets the header say whether the file will be cut.
    let total = match filter {
        Some(_) => call.app.history.findings(&query)?.total,
        None => Some(0),
    };
    let cut = total.is_none_or(|total| total > limit as u64);
    query.limit = PIECE.min(limit);
    query.count = false;
    let (writer, body) = pipe();
    let busy = call.app.metrics.export_begins(EXPORTS).ok_or_else(|| {
        Problem::new(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "too many exports are running; try again later",
        )
    })?;
    let app = Arc::clone(&call.app);
    let (nothing, total) = (filter.is_none(), total.unwrap_or(0));
    std::thread::Builder::new()
        .name("export".to_owned())
        .spawn(move || {
            let _busy = busy;
            write(&app, query, nothing, limit, total, format, &writer);
        })
        .map_err(|_| Problem::internal())?;
    let said = match (cut, total) {
        (false, _) => "no".to_owned(),
        (true, 0) => format!("at {limit}"),
        (true, total) => format!("{limit} of {total}"),
    };
    let now = rfc3339(crate::clock::now()).replace([':', '.'], "-");
    let disposition = format!(
        "attachment; filename=\"vedette-findings-{}.{ending}\"",
        &now[..19]
    );
    let mut reply = Reply {
        status: axum::http::StatusCode::OK,
        headers: vec![content_type(kind)],
        body: Body::new(body),
    }
    .with(header::CONTENT_DISPOSITION, &disposition);
    if let Ok(value) = HeaderValue::from_str(&said) {
        reply
            .headers
            .push((HeaderName::from_static("x-vedette-cut"), value));
    }
    Ok(reply)
}

/// Writes pages until the end, the limit, or until nobody reads any more.
fn write(
    app: &App,
    mut query: FindingQuery,
    nothing: bool,
    limit: usize,
    total: u64,
    format: Format,
    writer: &Writer,
) {
    let mut out = match format {
        Format::Csv => heading(),
        Format::Json => "{\"items\":[".to_owned(),
        Format::Ndjson => String::new(),
    };
    let (mut written, mut why) = (0, None);
    loop {
        if nothing {
            break;
        }
        let page = match app.history.findings(&query) {
            Ok(page) => page,
            Err(error) => {
                app.log
                    .say("error", "export", json!({"cause": crate::chain(&error)}));
                why = Some("the server failed while writing; this file is not whole".to_owned());
                break;
            }
        };
        let (had, next) = (page.items.len(), page.next);
        for stored in page.items.iter().take(limit - written) {
            match format {
                Format::Csv => row(stored, &mut out),
                Format::Json | Format::Ndjson => {
                    if format == Format::Json && written > 0 {
                        out.push(',');
                    }
                    out.push_str(&view::full(stored).to_string());
                    out.push('\n');
                }
            }
            written += 1;
        }
        if !writer.write(std::mem::take(&mut out).into_bytes()) {
            return;
        }
        if next.is_none() {
            break;
        }
        if written >= limit || had == 0 && page.partial.is_none() {
            why = Some(format!(
                "cut after {written} of {total} findings; narrow the filter or the time"
            ));
            break;
        }
        query.cursor = next;
    }
    match (format, why) {
        (Format::Json, why) => {
            out.push_str(&format!("],\"cut\":{}}}\n", json!(why)));
        }
        (Format::Csv, Some(why)) => out.push_str(&format!("# {why}\r\n")),
        (Format::Ndjson, Some(why)) => out.push_str(&format!("{}\n", json!({"cut": why}))),
        _ => {}
    }
    writer.write(out.into_bytes());
}

fn heading() -> String {
    let own = "time,severity,priority,rule,source,status,node,workload,policy,message,tags,id";
    format!("{own},{}\r\n", FIELDS.join(","))
}

fn row(stored: &StoredFinding, out: &mut String) {
    let finding = &stored.finding;
    let own = [
        rfc3339(finding.time),
        stored.severity.name().to_owned(),
        finding.priority.name().to_owned(),
        finding.rule.clone(),
        finding.source.clone(),
        stored.triage.status.name().to_owned(),
        finding.node.clone(),
        stored.place.workload.clone(),
        finding.policy.clone().unwrap_or_default(),
        finding.message.clone(),
        finding.tags.join(" "),
        finding.id.clone(),
    ];
    let fields = FIELDS.iter().map(|name| match finding.fields.get(*name) {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    });
    let cells: Vec<_> = own
        .into_iter()
        .chain(fields)
        .map(|text| cell(&text))
        .collect();
    out.push_str(&cells.join(","));
    out.push_str("\r\n");
}

/// RFC 4180, and a quote before what a spreadsheet would run as a formula: cells hold what attackers wrote.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let lead = if formula { "'" } else { "" };
    if formula || text.contains([',', '"', '\n', '\r']) {
        format!("\"{lead}{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"x\"\n"), "\"say \"\"x\"\"\n\"");
        assert_eq!(
            cell("=HYPERLINK(\"http://evil\")"),
            "\"'=HYPERLINK(\"\"http://evil\"\")\""
        );
        assert_eq!(cell("-2+3"), "\"'-2+3\"");
        assert_eq!(heading().trim_end().split(',').count(), 12 + FIELDS.len());
    }
}
