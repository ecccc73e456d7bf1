//! Settings that admins change while the server runs.

use serde_json::json;
use vedette_history::{Change, Retention};

use crate::app::App;
use crate::audit;
use crate::clock;
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{ADMIN, Gives, Route, VIEWER};
use crate::problem::Problem;

/// Collection of settings, by name.
pub(crate) const SETTINGS: &str = "settings";
/// Longest retention in days.
const MAX_DAYS: u32 = 3650;

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/settings/retention",
        VIEWER,
        "How long records are kept",
        Gives::Json("Retention"),
        get,
    ),
    Route::put(
        "/settings/retention",
        ADMIN,
        "Change how long records are kept",
        Gives::Json("Retention"),
        put,
    )
    .takes("Retention"),
];

/// The retention that is set.
pub(crate) fn retention(app: &App) -> Result<Retention, vedette_history::Error> {
    match app.state.get(SETTINGS, "retention")? {
        Some(document) => document.read(),
        None => Ok(Retention::default()),
    }
}

fn get(call: &Call) -> Outcome {
    Reply::json(&retention(&call.app)?)
}

fn put(call: &Call) -> Outcome {
    let wanted: Retention = call.json()?;
    for (name, days) in [
        ("findings_days", wanted.findings_days),
        ("activity_days", wanted.activity_days),
    ] {
        if !(1..=MAX_DAYS).contains(&days) {
            return Err(Problem::bad(format!("`{name}`: expected 1 to {MAX_DAYS}")));
        }
    }
    let put = Change::put(SETTINGS, "retention", &wanted, clock::now())?;
    let entry = audit::entry(call, "settings.retention", "retention", &json!(wanted))?;
    call.app.state.apply(vec![put, entry])?;
    Reply::json(&wanted)
}
