//! The agents' end: orders are waited for with a request that is answered when there is something to tell, so that an order
//! is with its agent in milliseconds and agents need no open port.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::StatusCode;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout_at;
use vedette_history::Change;

use super::wire::{Account, Order, Orders};
use super::{KEPT, ORDERS, RESPONSES, Response, publish};
use crate::app::App;
use crate::audit;
use crate::auth::tokens::Kind;
use crate::clock::{self, rfc3339};
use crate::http::call::{Call, Outcome as Answer, Reply, content_type};
use crate::http::limits::WAITING_NODES;
use crate::http::pipe::Pipe;
use crate::problem::Problem;

/// Longest wait in seconds, below the 30 after which many proxies give up.
const MAX_WAIT: u64 = 20;
/// Silence after which an agent counts as away: a wait and a half.
const AWAY: Duration = Duration::from_secs(30);
/// Orders that are handed out at a time.
const AT_A_TIME: usize = 50;
/// Longest texts that an agent may send, and processes it may name.
const MAX_DETAIL: usize = 4096;
const MAX_PROCESSES: usize = 64;

/// When an agent last asked for orders.
struct Contact {
    at: Instant,
    /// How many of its requests wait now.
    waiting: usize,
    /// Why it carries none out.
    refuses: Option<String>,
}

/// Agents by node, since this process began; only nodes with a token of their own get here, so their number is bounded.
#[derive(Default)]
pub(crate) struct Contacts(HashMap<String, Contact>);

impl Contacts {
    fn waiting(&self) -> usize {
        self.0.values().map(|contact| contact.waiting).sum()
    }
}

/// Why no agent would fetch an order for this node; `None` when one is there.
pub(super) fn unreachable(app: &App, node: &str) -> Result<Option<String>, Problem> {
    {
        let contacts = app.contacts.lock().map_err(|_| Problem::internal())?;
        if let Some(contact) = contacts.0.get(node)
            && (contact.waiting > 0 || contact.at.elapsed() < AWAY)
        {
            return Ok(contact
                .refuses
                .as_ref()
                .map(|why| format!("the agent of {node} carries out no orders: {why}")));
        }
    }
    if let Some(seen) = crate::nodes::last_seen(app, node)? {
        return Ok(Some(format!(
            "the agent of {node} is away; it was last heard at {}",
            rfc3339(seen)
        )));
    }
    let joined = app
        .state
        .list(Kind::Node.collection(), "", None, crate::nodes::MAX_NODES)?
        .iter()
        .any(|document| document.value["node"] == node);
    Ok(Some(if joined {
        format!("the agent of {node} has joined and was never heard")
    } else {
        format!(
            "no agent of {node} reports to this server; the finding came with a recording, or its node was removed"
        )
    }))
}

/// What waits for a node now. Orders are marked as fetched and stay until they are answered, so that one whose answer was
/// lost on its way comes again; agents know orders that they have carried out.
fn waiting(app: &App, node: &str) -> Result<Vec<Order>, Problem> {
    let now = clock::now();
    let places = app
        .state
        .list(ORDERS, &format!("{node}/"), None, AT_A_TIME)?;
    let (mut orders, mut changes, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for place in places {
        let id = super::id_of(&place).to_owned();
        let finding = place.value["finding"].as_str().unwrap_or_default();
        let Some(document) = app.state.get(RESPONSES, &format!("{finding}/{id}"))? else {
            continue;
        };
        let mut response: Response = document.read()?;
        if now >= response.expires || response.account.is_some() {
            continue;
        }
        orders.push(Order {
            id: id.clone(),
            deed: response.deed,
            dry_run: response.dry_run,
            aim: response.aim.clone(),
            rule: response.rule.clone(),
            by: response.by.clone(),
        });
        if response.fetched.is_none() {
            response.fetched = Some(now);
            let change = Change::put(RESPONSES, &document.key, &response, now)?;
            changes.push(change.until(response.at + KEPT));
            told.push((response, id));
        }
    }
    if !changes.is_empty() {
        app.state.apply(changes)?;
    }
    for (response, id) in told {
        publish(app, &response, &id, now);
    }
    Ok(orders)
}

/// What an agent is told; `None` when there is nothing new.
fn news(app: &App, node: &str, bundle: Option<&str>) -> Result<Option<Orders>, Problem> {
    let orders = waiting(app, node)?;
    let current = crate::library::bundle::version(app)?;
    let is_new = bundle.is_some_and(|bundle| bundle != current);
    Ok((!orders.is_empty() || is_new).then_some(Orders {
        orders,
        bundle: current,
    }))
}

/// Nothing to do.
fn nothing(app: &App) -> Result<Orders, Problem> {
    Ok(Orders {
        orders: Vec::new(),
        bundle: crate::library::bundle::version(app)?,
    })
}

/// A request that waits; while it lives its node is reachable.
struct Waiting {
    app: App,
    node: String,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Ok(mut contacts) = self.app.contacts.lock()
            && let Some(contact) = contacts.0.get_mut(&self.node)
        {
            contact.waiting = contact.waiting.saturating_sub(1);
            contact.at = Instant::now();
        }
    }
}

fn arrive(call: &Call, wait: bool) -> Result<Option<Waiting>, Problem> {
    let node = &call.caller.name;
    let refuses = call
        .query("responds")
        .and_then(|text| text.strip_prefix("no"))
        .map(|why| {
            why.trim_start_matches([':', ' '])
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect()
        });
    let mut contacts = call.app.contacts.lock().map_err(|_| Problem::internal())?;
    let room = contacts.waiting() < WAITING_NODES;
    let contact = contacts.0.entry(node.clone()).or_insert(Contact {
        at: Instant::now(),
        waiting: 0,
        refuses: None,
    });
    contact.at = Instant::now();
    contact.refuses = refuses;
    // one request waits for each node, and a second while the first is found to be dead
    if !wait || !room || contact.waiting >= 2 {
        return Ok(None);
    }
    contact.waiting += 1;
    Ok(Some(Waiting {
        app: Arc::clone(&call.app),
        node: node.clone(),
    }))
}

pub(super) fn fetch(call: &Call) -> Answer {
    let wait = match call.query("wait") {
        None | Some("0") => 0,
        Some(_) => call.number("wait", MAX_WAIT, MAX_WAIT)?,
    };
    // one that was asked for without a version, by an agent that has none yet, is another one than any
    let bundle = call
        .query
        .iter()
        .find(|(name, _)| name == "bundle")
        .map(|(_, version)| version.clone());
    // listened to before it is looked, so that nothing falls between
    let mut changed = call.app.orders.subscribe();
    let seat = arrive(call, wait > 0)?;
    let app = Arc::clone(&call.app);
    let node = call.caller.name.clone();
    let found = news(&app, &node, bundle.as_deref())?;
    let (None, Some(seat)) = (&found, seat) else {
        let orders = match found {
            Some(orders) => orders,
            None => nothing(&app)?,
        };
        return Reply::json(&orders);
    };
    let none = nothing(&app)?;
    let (sender, receiver) = mpsc::channel(1);
    let until = tokio::time::Instant::now() + Duration::from_secs(wait);
    tokio::runtime::Handle::current().spawn(async move {
        let _seat = seat;
        let mut orders = none;
        loop {
            tokio::select! {
                () = sender.closed() => return,
                news = timeout_at(until, changed.changed()) => if !matches!(news, Ok(Ok(()))) { break },
            }
            if app.is_stopping() {
                break;
            }
            let (app, node, bundle) = (Arc::clone(&app), node.clone(), bundle.clone());
            let found = tokio::task::spawn_blocking(move || news(&app, &node, bundle.as_deref())).await;
            match found {
                Ok(Ok(Some(found))) => {
                    orders = found;
                    break;
                }
                Ok(Ok(None)) => {}
                // the agent asks again
                Ok(Err(_)) | Err(_) => break,
            }
        }
        if let Ok(text) = serde_json::to_vec(&orders) {
            let _ = sender.send(Bytes::from(text)).await;
        }
    });
    Ok(Reply {
        status: StatusCode::OK,
        headers: vec![content_type("application/json")],
        body: Body::new(Pipe::of(receiver)),
    })
}

#[derive(Deserialize)]
struct Place {
    finding: String,
}

pub(super) fn account(call: &Call) -> Answer {
    let mut account: Account = call.json()?;
    if account.detail.len() > MAX_DETAIL {
        let most = account.detail.floor_char_boundary(MAX_DETAIL);
        account.detail.truncate(most);
    }
    account.processes.truncate(MAX_PROCESSES);
    let (node, id) = (&call.caller.name, call.part("id"));
    let place = format!("{node}/{id}");
    let missing = || Problem::missing("such order for this node");
    let known = call.app.state.get(ORDERS, &place)?.ok_or_else(missing)?;
    let finding = known.read::<Place>()?.finding;
    let key = format!("{finding}/{id}");
    let document = call.app.state.get(RESPONSES, &key)?.ok_or_else(missing)?;
    let mut response: Response = document.read()?;
    let now = clock::now();
    response.answered = Some(now);
    let detail = json!({
        "action": response.deed, "dry_run": response.dry_run, "response": id, "by": response.by,
        "outcome": account.outcome, "detail": account.detail,
    });
    response.account = Some(account);
    let by = format!("agent {node}");
    call.app.state.apply(vec![
        Change::put(RESPONSES, &key, &response, now)?.until(response.at + KEPT),
        Change::delete(ORDERS, &place),
        audit::of(
            &by,
            &call.peer.to_string(),
            "finding.respond.account",
            &finding,
            &detail,
        )?,
    ])?;
    publish(&call.app, &response, id, now);
    Reply::done()
}
