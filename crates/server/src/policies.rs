//! Policies: texts that agents carry out, kept with their history.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use vedette_history::{Change, Document, Expect};

use crate::audit;
use crate::auth::users::check_name;
use crate::clock::{self, rfc3339};
use crate::diagnostics::{self, Remark};
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{Gives, RESPONDER, Route, VIEWER};
use crate::problem::Problem;

/// Collection of policies, by name.
pub(crate) const POLICIES: &str = "policies";
/// Policies that there can be.
pub(crate) const MAX_POLICIES: usize = 1_000;
/// Longest policy in bytes.
const MAX_TEXT: usize = 256 * 1024;
/// Versions that a history shows.
const MAX_VERSIONS: usize = 100;

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/policies", VIEWER, "Policies", Gives::List("Policy"), list),
    Route::get(
        "/policies/{name}",
        VIEWER,
        "A policy",
        Gives::Json("Policy"),
        get,
    ),
    Route::put(
        "/policies/{name}",
        RESPONDER,
        "Keep a policy",
        Gives::Json("Policy"),
        put,
    )
    .takes("PolicyText"),
    Route::delete("/policies/{name}", RESPONDER, "Remove a policy", delete),
    Route::get(
        "/policies/{name}/history",
        VIEWER,
        "Versions of a policy, newest first",
        Gives::List("Policy"),
        history,
    ),
    Route::post(
        "/policies/check",
        VIEWER,
        "What is wrong with a policy",
        Gives::Json("Remarks"),
        check,
    )
    .takes("PolicyText"),
];

#[derive(Serialize, Deserialize)]
struct Policy {
    text: String,
    owner: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    text: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    version: Option<u64>,
}

/// Every policy.
pub(crate) fn all(call: &Call) -> Result<Vec<Document>, Problem> {
    Ok(call.app.state.list(POLICIES, "", None, MAX_POLICIES)?)
}

fn show(document: &Document) -> Result<Json, Problem> {
    let policy: Policy = document.read()?;
    Ok(json!({
        "name": document.key,
        "text": policy.text,
        "owner": policy.owner,
        "by": policy.by,
        "note": policy.note,
        "version": document.version,
        "updated": rfc3339(document.updated),
    }))
}

fn list(call: &Call) -> Outcome {
    let policies: Vec<Json> = all(call)?.iter().map(show).collect::<Result<_, _>>()?;
    Reply::json(&policies)
}

fn find(call: &Call) -> Result<Document, Problem> {
    let name = call.part("name");
    let missing = || Problem::missing(format!("policy `{}`", name.escape_debug()));
    call.app.state.get(POLICIES, name)?.ok_or_else(missing)
}

fn get(call: &Call) -> Outcome {
    Reply::json(&show(&find(call)?)?)
}

fn history(call: &Call) -> Outcome {
    let versions = call
        .app
        .state
        .versions(POLICIES, call.part("name"), MAX_VERSIONS)?;
    let versions: Vec<Json> = versions.iter().map(show).collect::<Result<_, _>>()?;
    Reply::json(&versions)
}

fn remarks(call: &Call, text: &str) -> Result<Vec<Remark>, Problem> {
    if text.len() > MAX_TEXT {
        return Err(Problem::bad(format!(
            "a policy has at most {MAX_TEXT} bytes"
        )));
    }
    let yaml = diagnostics::of_yaml(text);
    Ok(match &call.app.policies {
        Some(policies) if yaml.is_empty() => policies.check(text),
        _ => yaml,
    })
}

fn check(call: &Call) -> Outcome {
    let text: Text = call.json()?;
    let remarks = remarks(call, &text.text)?;
    let sound = !remarks.iter().any(|remark| remark.severity == "error");
    Reply::json(&json!({"ok": sound, "diagnostics": remarks}))
}

fn put(call: &Call) -> Outcome {
    let name = call.part("name");
    check_name("policy", name)?;
    let text: Text = call.json()?;
    if let Some(first) = remarks(call, &text.text)?
        .iter()
        .find(|remark| remark.severity == "error")
    {
        return Err(Problem::new(
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            "policy_error",
            format!("line {}: {}", first.line, first.message),
        )
        .at(first.column));
    }
    let before = call.app.state.get(POLICIES, name)?;
    if before.is_none() && all(call)?.len() >= MAX_POLICIES {
        return Err(Problem::conflict(format!(
            "there are {MAX_POLICIES} policies already"
        )));
    }
    let owner = before
        .and_then(|document| document.read::<Policy>().ok())
        .map(|policy| policy.owner);
    let policy = Policy {
        text: text.text,
        owner: owner.unwrap_or_else(|| call.caller.name.clone()),
        by: call.caller.name.clone(),
        note: text.note,
    };
    let mut change = Change::put(POLICIES, name, &policy, clock::now())?.kept();
    change = match text.version {
        Some(0) => change.expecting(Expect::Absent),
        Some(version) => change.expecting(Expect::Version(version)),
        None => change,
    };
    let entry = audit::entry(call, "policy.save", name, &json!({"note": policy.note}))?;
    call.app.state.apply(vec![change, entry])?;
    crate::library::bundle::changed(&call.app);
    get(call)
}

fn delete(call: &Call) -> Outcome {
    let document = find(call)?;
    let entry = audit::entry(call, "policy.delete", &document.key, &Json::Null)?;
    call.app
        .state
        .apply(vec![Change::delete(POLICIES, &document.key), entry])?;
    crate::library::bundle::changed(&call.app);
    Reply::done()
}
