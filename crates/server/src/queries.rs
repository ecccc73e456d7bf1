//! Saved queries: private to a user or shared with a team.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use vedette_history::{Change, Document};

use crate::audit;
use crate::auth::secret;
use crate::clock::{self, rfc3339};
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{ADMIN, Gives, Route, VIEWER};
use crate::problem::Problem;

/// Collection of saved queries, by id.
const QUERIES: &str = "queries";
/// Saved queries that there can be.
const MAX_QUERIES: usize = 5_000;
/// Longest text of a query: the state of a screen.
const MAX_TEXT: usize = 8 * 1024;

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/queries",
        VIEWER,
        "Saved queries that one may see",
        Gives::List("Query"),
        list,
    ),
    Route::post(
        "/queries",
        VIEWER,
        "Save a query",
        Gives::Json("Query"),
        save,
    )
    .takes("QueryRequest"),
    Route::delete(
        "/queries/{id}",
        VIEWER,
        "Remove a saved query of one's own",
        delete,
    ),
];

#[derive(Serialize, Deserialize)]
struct Query {
    name: String,
    page: String,
    query: String,
    owner: String,
    /// The team that sees it too; `*` for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    team: Option<String>,
}

fn show(document: &Document, call: &Call) -> Result<Option<Json>, Problem> {
    let query: Query = document.read()?;
    let shared = query
        .team
        .as_ref()
        .is_some_and(|team| team == "*" || call.caller.teams.contains(team));
    let own = query.owner == call.caller.name;
    Ok((own || shared).then(|| {
        json!({
            "id": document.key, "name": query.name, "page": query.page, "query": query.query, "owner": query.owner,
            "team": query.team, "own": own, "updated": rfc3339(document.updated),
        })
    }))
}

fn list(call: &Call) -> Outcome {
    let mut out = Vec::new();
    for document in call.app.state.list(QUERIES, "", None, MAX_QUERIES)? {
        out.extend(show(&document, call)?);
    }
    Reply::json(&out)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    name: String,
    page: String,
    query: String,
    #[serde(default)]
    team: Option<String>,
}

fn save(call: &Call) -> Outcome {
    let asked: Request = call.json()?;
    if asked.name.trim().is_empty()
        || asked.name.len() > 120
        || asked.page.len() > 60
        || asked.query.len() > MAX_TEXT
    {
        return Err(Problem::bad(format!(
            "a query has a name of 1 to 120 bytes, a page of at most 60 and a text of at most {MAX_TEXT}"
        )));
    }
    if let Some(team) = &asked.team
        && team != "*"
        && !call.caller.teams.contains(team)
    {
        return Err(Problem::forbidden(
            "a query can be shared with one's own teams only",
        ));
    }
    if call.app.state.list(QUERIES, "", None, MAX_QUERIES)?.len() >= MAX_QUERIES {
        return Err(Problem::conflict(format!(
            "there are {MAX_QUERIES} saved queries already"
        )));
    }
    let id = secret::identifier().map_err(|_| Problem::internal())?;
    let query = Query {
        name: asked.name,
        page: asked.page,
        query: asked.query,
        owner: call.caller.name.clone(),
        team: asked.team,
    };
    let put = Change::put(QUERIES, &id, &query, clock::now())?;
    let detail = json!({"name": query.name, "team": query.team});
    let entry = audit::entry(call, "query.save", &id, &detail)?;
    call.app.state.apply(vec![put, entry])?;
    let document = call
        .app
        .state
        .get(QUERIES, &id)?
        .ok_or_else(Problem::internal)?;
    Reply::json(&show(&document, call)?)
}

fn delete(call: &Call) -> Outcome {
    let id = call.part("id");
    let document = call.app.state.get(QUERIES, id)?;
    let may = |document: &Document| {
        document.value["owner"] == call.caller.name.as_str() || call.caller.may(ADMIN)
    };
    if !document.is_some_and(|document| may(&document)) {
        return Err(Problem::missing("such query of yours"));
    }
    let entry = audit::entry(call, "query.delete", id, &Json::Null)?;
    call.app
        .state
        .apply(vec![Change::delete(QUERIES, id), entry])?;
    Reply::done()
}
