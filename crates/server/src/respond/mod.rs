//! Acting on a finding: a person's order goes to the agent of its node, and how it went comes back to the finding.
//!
//! Nothing is done without a rehearsal: the first request has the agent say what it would do, the second names that
//! rehearsal and has it done. An order that no agent fetched in time is never carried out later.

mod orders;
pub(crate) mod wire;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use vedette_event::Outcome;
use vedette_history::{Change, Document, StoredFinding, Subject};

use crate::app::App;
use crate::audit;
use crate::auth::secret;
use crate::clock::{self, SECOND, rfc3339};
use crate::findings::detail::find;
use crate::http::call::{Call, Outcome as Answer, Reply};
use crate::http::route::{Gives, NODE, RESPONDER, Route, VIEWER};
use crate::problem::Problem;
pub(crate) use orders::Contacts;
use wire::{Account, Aim, Deed};

/// Collection of responses, by finding and id.
const RESPONSES: &str = "responses";
/// Collection of orders that wait for a node, by node and id.
const ORDERS: &str = "orders";
/// Responses that one finding can have.
const MAX_RESPONSES: usize = 200;
/// Time in which an agent must fetch an order.
const FETCHED_WITHIN: u64 = 60 * SECOND;
/// Time after which a fetched order counts as unanswered: stopping a container takes up to 10 seconds of grace.
const ANSWERED_WITHIN: u64 = 60 * SECOND;
/// Age at which a rehearsal is worth nothing any more: what it saw has changed by then.
const REHEARSED_WITHIN: u64 = 10 * 60 * SECOND;
/// How long a response is kept: as long as findings are, unless told otherwise.
const KEPT: u64 = 90 * 24 * 3600 * SECOND;
/// How long an order's place is kept after its end, for an answer that comes late.
const LATE: u64 = 3600 * SECOND;

pub(crate) const ROUTES: &[Route] = &[
    Route::post(
        "/findings/{id}/respond",
        RESPONDER,
        "Have the agent of its node act on a finding; without `rehearsal` it only says what it would do",
        Gives::Json("Response"),
        respond,
    )
    .takes("Respond"),
    Route::get(
        "/findings/{id}/responses",
        VIEWER,
        "What was done about a finding by people, oldest first",
        Gives::List("Response"),
        list,
    ),
    Route::get(
        "/orders",
        NODE,
        "What waits for this node; answers when something does, or when the time is up",
        Gives::Json("Orders"),
        orders::fetch,
    )
    .query(&[
        ("wait", "seconds to wait, up to 20; 0 when missing"),
        (
            "bundle",
            "version of the bundle that the node has; another one is told at once",
        ),
        (
            "responds",
            "`no: why` when the node's agent carries no orders out",
        ),
    ]),
    Route::post(
        "/orders/{id}/account",
        NODE,
        "How an order went",
        Gives::Nothing,
        orders::account,
    )
    .takes("Account"),
];

/// A response as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Response {
    finding: String,
    node: String,
    deed: Deed,
    dry_run: bool,
    by: String,
    at: u64,
    /// Until when it may be fetched.
    expires: u64,
    aim: Aim,
    rule: String,
    #[serde(default)]
    fetched: Option<u64>,
    #[serde(default)]
    answered: Option<u64>,
    #[serde(default)]
    account: Option<Account>,
}

impl Response {
    fn state(&self, now: u64) -> &'static str {
        match (&self.account, self.fetched) {
            (Some(_), _) => "answered",
            (None, None) if now < self.expires => "waiting",
            (None, None) => "not_fetched",
            (None, Some(at)) if now < at.saturating_add(ANSWERED_WITHIN) => "fetched",
            (None, Some(_)) => "unanswered",
        }
    }

    fn is_open(&self, now: u64) -> bool {
        matches!(self.state(now), "waiting" | "fetched")
    }

    fn key(&self, id: &str) -> String {
        format!("{}/{id}", self.finding)
    }

    fn show(&self, id: &str, now: u64) -> Json {
        let account = self.account.as_ref();
        json!({
            "id": id,
            "finding": self.finding,
            "action": self.deed,
            "dry_run": self.dry_run,
            "by": self.by,
            "at": rfc3339(self.at),
            "state": self.state(now),
            "outcome": account.map(|account| account.outcome),
            "detail": account.map(|account| &account.detail),
            "processes": account.map_or(json!([]), |account| json!(account.processes)),
            "total": account.map_or(0, |account| account.total),
            "answered": self.answered.map(rfc3339),
        })
    }
}

/// The id of a response: the end of its key.
fn id_of(document: &Document) -> &str {
    document
        .key
        .rsplit_once('/')
        .map_or(document.key.as_str(), |(_, id)| id)
}

/// Responses of a finding, oldest first: ids begin with the time.
fn of_finding(app: &App, finding: &str) -> Result<Vec<(String, Response)>, Problem> {
    let documents = app
        .state
        .list(RESPONSES, &format!("{finding}/"), None, MAX_RESPONSES)?;
    let read = documents
        .iter()
        .map(|document| Ok((id_of(document).to_owned(), document.read()?)));
    Ok(read.collect::<Result<_, vedette_history::Error>>()?)
}

/// Responses of a finding, as its page shows them.
pub(crate) fn shown(app: &App, finding: &str) -> Result<Vec<Json>, Problem> {
    let now = clock::now();
    let all = of_finding(app, finding)?;
    Ok(all.iter().map(|(id, one)| one.show(id, now)).collect())
}

fn list(call: &Call) -> Answer {
    let stored = find(call)?;
    Reply::json(&shown(&call.app, &stored.finding.id)?)
}

/// What the finding's own record says of what could be acted on.
fn aim(stored: &StoredFinding) -> Aim {
    let finding = &stored.finding;
    let text = |name: &str| {
        let value = finding.fields.get(name).and_then(Json::as_str);
        value.unwrap_or_default()
    };
    let is_id = |id: &&str| {
        (12..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let container = [text("container.full_id"), text("container.id")]
        .into_iter()
        .find(is_id)
        .unwrap_or_default();
    let process = finding.lineage.first();
    Aim {
        pid: process.map_or(0, |process| u32::try_from(process.pid).unwrap_or_default()),
        started: process.map_or(0, |process| process.started),
        exe: process
            .map(|process| process.exepath.clone())
            .unwrap_or_default(),
        container: container.to_owned(),
    }
}

/// Why a deed cannot be ordered for this finding, as far as its record tells.
fn impossible(deed: Deed, aim: &Aim) -> Option<&'static str> {
    if deed.is_for_container() {
        return aim
            .container
            .is_empty()
            .then_some("the finding names no container");
    }
    if aim.pid <= 1 {
        return Some("the finding names no process");
    }
    (aim.started == 0).then_some(
        "the finding does not say when the process started, so another one with its number could be hit",
    )
}

/// What may be done from a finding's page, and who would do it.
pub(crate) fn offer(call: &Call, stored: &StoredFinding) -> Result<Json, Problem> {
    let aim = aim(stored);
    let deeds: Vec<Json> = Deed::ALL
        .into_iter()
        .map(|deed| json!({"action": deed, "impossible": impossible(deed, &aim)}))
        .collect();
    Ok(json!({
        "unreachable": orders::unreachable(&call.app, &stored.finding.node)?,
        "actions": deeds,
        "responses": shown(&call.app, &stored.finding.id)?,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Respond {
    action: Deed,
    /// Id of the dry run whose answer was looked at.
    #[serde(default)]
    rehearsal: Option<String>,
}

fn respond(call: &Call) -> Answer {
    let stored = find(call)?;
    let asked: Respond = call.json()?;
    let (aim, now) = (aim(&stored), clock::now());
    let refused = |why: String| {
        Problem::new(
            axum::http::StatusCode::CONFLICT,
            "cannot_be_done",
            format!("{}: {why}", asked.action.word()),
        )
    };
    if let Some(why) = impossible(asked.action, &aim) {
        return Err(refused(why.to_owned()));
    }
    let node = &stored.finding.node;
    if let Some(why) = orders::unreachable(&call.app, node)? {
        return Err(Problem::new(
            axum::http::StatusCode::CONFLICT,
            "unreachable",
            why,
        ));
    }
    let known = of_finding(&call.app, &stored.finding.id)?;
    let dry_run = asked.rehearsal.is_none();
    if let Some(rehearsal) = &asked.rehearsal {
        rehearsed(&known, rehearsal, asked.action, now)?;
    }
    // Asked twice, ordered once.
    let same =
        |one: &Response| one.deed == asked.action && one.dry_run == dry_run && one.is_open(now);
    if let Some((id, one)) = known.iter().find(|(_, one)| same(one)) {
        return Reply::json(&one.show(id, now));
    }
    if known.len() >= MAX_RESPONSES {
        return Err(refused(format!(
            "there are {MAX_RESPONSES} responses to this finding already"
        )));
    }
    call.app
        .limits
        .respond
        .take(&call.caller.key(), std::time::Instant::now())
        .map_err(Problem::too_many)?;
    let random = secret::identifier().map_err(|_| Problem::internal())?;
    let id = format!("{now:016x}{random}");
    let response = Response {
        finding: stored.finding.id.clone(),
        node: node.clone(),
        deed: asked.action,
        dry_run,
        by: call.caller.name.clone(),
        at: now,
        expires: now.saturating_add(FETCHED_WITHIN),
        aim,
        rule: stored.finding.rule.clone(),
        fetched: None,
        answered: None,
        account: None,
    };
    let detail = json!({
        "action": asked.action, "dry_run": dry_run, "node": node, "response": id, "aim": response.aim,
    });
    let place = json!({"finding": response.finding});
    call.app.state.apply(vec![
        Change::put(RESPONSES, &response.key(&id), &response, now)?.until(now + KEPT),
        Change::put(ORDERS, &format!("{node}/{id}"), &place, now)?
            .until(response.expires.saturating_add(LATE)),
        audit::entry(call, "finding.respond", &response.finding, &detail)?,
    ])?;
    call.app.news();
    Reply::json(&response.show(&id, now))
}

/// Holds an order to its rehearsal: the same deed, a short while ago, and the agent would have done it.
fn rehearsed(
    known: &[(String, Response)],
    rehearsal: &str,
    deed: Deed,
    now: u64,
) -> Result<(), Problem> {
    let wrong = |message: &str| {
        Problem::new(axum::http::StatusCode::CONFLICT, "rehearsal", message)
            .hint("ask without `rehearsal` first, and look at what the agent would do")
    };
    let found = known
        .iter()
        .find(|(id, one)| id == rehearsal && one.dry_run && one.deed == deed);
    let Some((_, found)) = found else {
        return Err(wrong(
            "there is no dry run of this action with this id for this finding",
        ));
    };
    match (&found.account, found.answered) {
        (Some(account), Some(at)) if account.outcome == Outcome::DryRun => {
            if now > at.saturating_add(REHEARSED_WITHIN) {
                return Err(wrong("the dry run is older than ten minutes"));
            }
            Ok(())
        }
        (Some(account), _) => Err(wrong(&format!(
            "the agent would not do it: {}",
            account.detail
        ))),
        (None, _) => Err(wrong("the agent has not answered the dry run")),
    }
}

/// Tells live streams that a response has changed.
fn publish(app: &App, response: &Response, id: &str, now: u64) {
    // nobody listening is no failure
    let _ = app
        .responses
        .send((response.finding.clone(), response.show(id, now)));
}

/// Whether a stream with this filter shows responses to a finding.
pub(crate) fn concerns(app: &App, filter: &vedette_history::Filter, finding: &str) -> bool {
    let stored = app.history.finding(finding).ok().flatten();
    stored.is_some_and(|stored| {
        filter.matches(&Subject::Finding(&stored.finding, stored.triage.status))
    })
}
