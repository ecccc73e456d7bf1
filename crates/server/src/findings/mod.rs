//! Lists of findings: pages, histograms, facets.

pub(crate) mod detail;
pub(crate) mod export;
pub(crate) mod view;

use serde_json::json;
use vedette_history::{Cursor, Facets, Filter, FindingQuery, Histogram, Order, TimeRange};

use crate::auth::teams;
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{CURSOR, FILTER, FROM, Gives, LIMIT, Route, TO, VIEWER};
use crate::problem::Problem;
use view::Item;

/// Items of a page when nothing is said.
const PAGE: u64 = 100;
/// Items of a page at most.
const MAX_PAGE: u64 = vedette_history::MAX_LIMIT as u64;
/// Buckets of a histogram at most.
const MAX_BUCKETS: u64 = 1000;
/// Values of a facet when nothing is said, and at most.
const VALUES: u64 = 10;
const MAX_VALUES: u64 = 200;
/// Facets of one request at most.
const MAX_FACETS: usize = 32;

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/findings",
        VIEWER,
        "Findings, a page at a time",
        Gives::Page("FindingItem"),
        list,
    )
    .query(&[
        FILTER,
        FROM,
        TO,
        LIMIT,
        CURSOR,
        ("order", "newest, oldest or severity"),
        ("count", "`true` also counts all pages"),
    ]),
    Route::get(
        "/findings/histogram",
        VIEWER,
        "Findings by time and severity",
        Gives::Json("Histogram"),
        histogram,
    )
    .query(&[FILTER, FROM, TO, ("buckets", "most buckets, up to 1000")]),
    Route::get(
        "/findings/facets",
        VIEWER,
        "The most frequent values of fields",
        Gives::Json("Facets"),
        facets,
    )
    .query(&[
        FILTER,
        FROM,
        TO,
        (
            "fields",
            "names with commas between them; every field that can be counted when missing",
        ),
        ("limit", "most values of each field, up to 200"),
    ]),
];

impl Call {
    /// The filter that was asked for within what the caller may see; `None` when that is nothing.
    pub(crate) fn filter(&self) -> Result<Option<Filter>, Problem> {
        teams::within(&self.caller.zone, self.query("filter").unwrap_or_default())
    }

    /// What the caller may see, without what was asked for.
    pub(crate) fn zone(&self) -> Result<Option<Filter>, Problem> {
        teams::within(&self.caller.zone, "")
    }

    /// `from` and `to` as a range.
    pub(crate) fn time_range(&self) -> Result<TimeRange, Problem> {
        let (from, to) = self.range()?;
        Ok(TimeRange { from, to })
    }

    /// The order and cursor of a page.
    pub(crate) fn place_in_order(&self) -> Result<(Order, Option<Cursor>), Problem> {
        let order = match self.query("order") {
            None | Some("newest") => Order::Newest,
            Some("oldest") => Order::Oldest,
            Some("severity") => Order::Severity,
            Some(_) => {
                return Err(Problem::bad(
                    "parameter `order`: expected newest, oldest or severity",
                ));
            }
        };
        let cursor = self.query("cursor").map(str::parse::<Cursor>).transpose();
        let cursor = cursor.map_err(|error| Problem::bad(error.to_string()))?;
        if cursor.is_some_and(|cursor| cursor.order != order) {
            return Err(Problem::bad("the cursor was given out for another order"));
        }
        Ok((order, cursor))
    }
}

fn list(call: &Call) -> Outcome {
    let (order, cursor) = call.place_in_order()?;
    let (range, limit) = (call.time_range()?, call.number("limit", PAGE, MAX_PAGE)?);
    let Some(filter) = call.filter()? else {
        return Reply::json(&json!({"items": [], "next": null, "total": 0, "partial": null}));
    };
    let page = call.app.history.findings(&FindingQuery {
        range,
        filter,
        order,
        cursor,
        limit: limit as usize,
        count: call.query("count") == Some("true"),
    })?;
    Reply::json(&json!({
        "items": page.items.iter().map(Item::of).collect::<Vec<_>>(),
        "next": page.next.map(|next| next.to_string()),
        "total": page.total,
        "partial": page.partial.map(|partial| partial.to_string()),
    }))
}

fn histogram(call: &Call) -> Outcome {
    let range = call.time_range()?;
    let buckets = call.number("buckets", 60, MAX_BUCKETS)?;
    let found = match call.filter()? {
        Some(filter) => call
            .app
            .history
            .histogram(range, &filter, buckets as usize)?,
        None => Histogram {
            step: vedette_history::buckets(range, buckets as usize).0,
            buckets: Vec::new(),
            partial: None,
        },
    };
    Reply::json(&view::histogram(&found))
}

fn facets(call: &Call) -> Outcome {
    let range = call.time_range()?;
    let limit = call.number("limit", VALUES, MAX_VALUES)?;
    let known = call.app.history.facet_fields();
    let fields: Vec<&str> = match call.query("fields") {
        None => known.to_vec(),
        Some(text) => text
            .split(',')
            .map(str::trim)
            .filter(|field| !field.is_empty())
            .collect(),
    };
    if fields.len() > MAX_FACETS {
        return Err(Problem::bad(format!(
            "at most {MAX_FACETS} facets come at once"
        )));
    }
    if let Some(unknown) = fields.iter().find(|field| !known.contains(field)) {
        return Err(
            Problem::bad(format!("`{}` is no facet", unknown.escape_debug()))
                .hint(format!("facets are {}", known.join(", "))),
        );
    }
    let found = match call.filter()? {
        Some(filter) => call
            .app
            .history
            .facets(range, &filter, &fields, limit as usize)?,
        None => Facets::default(),
    };
    Reply::json(&json!({
        "fields": found.fields,
        "exact": found.partial.is_none(),
        "partial": found.partial.map(|partial| partial.to_string()),
    }))
}
