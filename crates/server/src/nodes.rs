//! Nodes: who joined, when they were heard last, what they say of themselves.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use vedette_history::{Change, State};

use crate::app::App;
use crate::audit;
use crate::auth::secret;
use crate::auth::tokens::{self, JoinToken, Kind, NodeToken};
use crate::clock::{self, SECOND, rfc3339};
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{ADMIN, Gives, NODE, PUBLIC, Route, VIEWER};
use crate::problem::Problem;

/// Collection of what nodes say, by name.
const NODES: &str = "nodes";
/// Nodes that there can be.
pub(crate) const MAX_NODES: usize = 10_000;
/// Silence after which a node is called silent: four heartbeats.
const SILENT: u64 = 60 * SECOND;
/// Longest join token's life in days.
const MAX_DAYS: u64 = 365;

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/nodes",
        VIEWER,
        "Nodes with what they say of themselves",
        Gives::List("Node"),
        list,
    ),
    Route::delete(
        "/nodes/{name}",
        ADMIN,
        "Forget a node and withdraw its token",
        delete,
    ),
    Route::post(
        "/join",
        PUBLIC,
        "Get a node's own token for a join token",
        Gives::Json("Joined"),
        join,
    )
    .takes("Join"),
    Route::post(
        "/heartbeat",
        NODE,
        "What a node says of itself",
        Gives::Nothing,
        heartbeat,
    )
    .takes("Heartbeat"),
    Route::get(
        "/join-tokens",
        ADMIN,
        "Join tokens, without their secrets",
        Gives::List("JoinToken"),
        join_tokens,
    ),
    Route::post(
        "/join-tokens",
        ADMIN,
        "Make a join token; its text is shown once",
        Gives::Json("NewToken"),
        make_join_token,
    )
    .takes("NewJoinToken"),
    Route::delete(
        "/join-tokens/{id}",
        ADMIN,
        "Withdraw a join token",
        delete_join_token,
    ),
];

/// What a node says of itself; everything may be missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeat {
    /// Version of the agent.
    pub version: String,
    /// Kernel release.
    pub kernel: String,
    /// What the kernel lets it do: `lsm`, `fanotify`, `kill`, `observe`.
    pub tier: String,
    /// Whether the tier proved itself at start: `passed`, `failed: why`, `not run`.
    pub canary: String,
    /// State in a word: `running`, `replaying`, `degraded`.
    pub state: String,
    /// Events seen since the start.
    pub events: u64,
    /// Events lost since the start, by cause.
    pub drops: std::collections::BTreeMap<String, u64>,
    /// How far behind the kernel it is, in milliseconds.
    pub lag_ms: u64,
    /// Records that wait in its spool.
    pub spooled: u64,
    /// Version of the server's rules and policies that it works with; empty when it takes none.
    pub bundle: String,
    /// Why it does not work with a newer one, or leaves part of this one out.
    pub bundle_problem: String,
    /// Further figures.
    pub more: Map<String, Json>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    first_seen: u64,
    last_seen: u64,
    #[serde(default)]
    lost_before: u64,
    #[serde(default)]
    lost_changed: u64,
    said: Heartbeat,
}

/// Bytes of a heartbeat at most.
const MAX_HEARTBEAT: usize = 32 * 1024;

/// Keeps what a node says; what `up` calls for the agent in its own process.
///
/// # Errors
/// When the store fails.
pub fn record_heartbeat(
    state: &dyn State,
    node: &str,
    said: Heartbeat,
) -> Result<(), vedette_history::Error> {
    let now = clock::now();
    let before: Option<Kept> = state
        .get(NODES, node)?
        .and_then(|document| document.read().ok());
    let lost = |said: &Heartbeat| {
        said.drops
            .values()
            .fold(0u64, |sum, lost| sum.saturating_add(*lost))
    };
    let lost_now = lost(&said);
    let kept = Kept {
        first_seen: before.as_ref().map_or(now, |kept| kept.first_seen),
        last_seen: now,
        lost_before: before.as_ref().map_or(0, |kept| lost(&kept.said)),
        lost_changed: match &before {
            Some(kept) if lost_now <= lost(&kept.said) => kept.lost_changed,
            _ if lost_now > 0 => now,
            Some(kept) => kept.lost_changed,
            None => 0,
        },
        said,
    };
    state.apply(vec![Change::put(NODES, node, &kept, now)?])?;
    Ok(())
}

fn heartbeat(call: &Call) -> Outcome {
    if call.body.len() > MAX_HEARTBEAT {
        return Err(Problem::bad(format!(
            "a heartbeat has at most {MAX_HEARTBEAT} bytes"
        )));
    }
    let said: Heartbeat = call.json()?;
    record_heartbeat(&*call.app.state, &call.caller.name, said)?;
    Reply::done()
}

fn all(app: &App) -> Result<Vec<(String, Kept)>, Problem> {
    let documents = app.state.list(NODES, "", None, MAX_NODES)?;
    let read = documents
        .into_iter()
        .map(|document| Ok((document.key.clone(), document.read()?)));
    Ok(read.collect::<Result<_, vedette_history::Error>>()?)
}

/// When a node was heard last; `None` when it never was.
pub(crate) fn last_seen(app: &App, node: &str) -> Result<Option<u64>, Problem> {
    let document = app.state.get(NODES, node)?;
    let kept: Option<Kept> = document.map(|document| document.read()).transpose()?;
    Ok(kept.map(|kept| kept.last_seen))
}

/// How long a node counts as losing events after it lost some.
const DROPPING: u64 = 10 * 60 * SECOND;

fn list(call: &Call) -> Outcome {
    let now = clock::now();
    let bundle = crate::library::bundle::version(&call.app)?;
    let nodes: Vec<Json> = all(&call.app)?
        .into_iter()
        .map(|(name, kept)| {
            let mut out = json!(kept.said);
            out["name"] = json!(name);
            out["first_seen"] = json!(rfc3339(kept.first_seen));
            out["last_seen"] = json!(rfc3339(kept.last_seen));
            out["bundle_current"] = json!(kept.said.bundle == bundle);
            out["silent"] = json!(now.saturating_sub(kept.last_seen) > SILENT);
            out["dropping"] =
                json!(kept.lost_changed > 0 && now.saturating_sub(kept.lost_changed) < DROPPING);
            out
        })
        .collect();
    Reply::json(&nodes)
}

/// Counts for the home screen.
pub(crate) fn summary(call: &Call) -> Result<Json, Problem> {
    let now = clock::now();
    let nodes = all(&call.app)?;
    let silent = nodes
        .iter()
        .filter(|(_, kept)| now.saturating_sub(kept.last_seen) > SILENT);
    let dropping = nodes.iter().filter(|(_, kept)| {
        kept.lost_changed > 0 && now.saturating_sub(kept.lost_changed) < DROPPING
    });
    Ok(json!({"total": nodes.len(), "silent": silent.count(), "dropping": dropping.count()}))
}

fn delete(call: &Call) -> Outcome {
    let name = call.part("name");
    let mut changes = vec![Change::delete(NODES, name)];
    let collection = Kind::Node.collection();
    let mut known = call.app.state.get(NODES, name)?.is_some();
    for document in call.app.state.list(collection, "", None, MAX_NODES)? {
        if document.value["node"] == name {
            known = true;
            changes.push(Change::delete(collection, &document.key));
        }
    }
    if !known {
        return Err(Problem::missing("such node"));
    }
    changes.push(audit::entry(call, "node.delete", name, &Json::Null)?);
    call.app.state.apply(changes)?;
    Reply::done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    token: String,
    node: String,
}

/// Whether a text can be the name of a node; Kubernetes allows DNS names of 253 bytes.
pub(crate) fn check_node(name: &str) -> Result<(), Problem> {
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 253 || !name.chars().all(sound) {
        return Err(Problem::bad(
            "a node's name is a host name: letters, digits, - _ . and at most 253 of them",
        ));
    }
    Ok(())
}

fn join(call: &Call) -> Outcome {
    let asked: Join = call.json()?;
    check_node(&asked.node)?;
    let now = std::time::Instant::now();
    let limits = &call.app.limits;
    let address = call.peer.to_string();
    let Some(document) = tokens::look_up(&*call.app.state, Kind::Join, &asked.token, clock::now())?
    else {
        limits
            .wrong
            .take(&address, now)
            .map_err(Problem::too_many)?;
        return Err(Problem::new(
            axum::http::StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "the join token is wrong, has expired or was withdrawn",
        ));
    };
    let collection = Kind::Node.collection();
    let others = call.app.state.list(collection, "", None, MAX_NODES)?;
    if others.len() >= MAX_NODES {
        return Err(Problem::conflict(format!(
            "{MAX_NODES} nodes have joined already"
        )));
    }
    let (id, digest, text) = tokens::generate(Kind::Node)?;
    let token = NodeToken {
        node: asked.node.clone(),
        digest,
        created: clock::now(),
        joined_with: document.key.clone(),
    };
    let mut changes = vec![Change::put(collection, &id, &token, token.created)?];
    // A node that joins again, because its disk is new, has one token only.
    let old = others
        .iter()
        .filter(|document| document.value["node"] == asked.node.as_str());
    changes.extend(old.map(|document| Change::delete(collection, &document.key)));
    let by = format!("join token {}", document.key);
    changes.push(audit::of(
        &by,
        &address,
        "node.join",
        &asked.node,
        &Json::Null,
    )?);
    call.app.state.apply(changes)?;
    Reply::json(&json!({"node": asked.node, "node_token": text}))
}

fn join_tokens(call: &Call) -> Outcome {
    let documents = call
        .app
        .state
        .list(Kind::Join.collection(), "", None, tokens::MAX_TOKENS)?;
    let mut out = Vec::new();
    for document in documents {
        let token: JoinToken = document.read()?;
        out.push(json!({
            "id": document.key, "name": token.name, "by": token.by, "created": rfc3339(token.created),
            "expires": document.expires.map(rfc3339),
        }));
    }
    Reply::json(&out)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewJoinToken {
    name: String,
    #[serde(default)]
    days: Option<u64>,
}

fn make_join_token(call: &Call) -> Outcome {
    let asked: NewJoinToken = call.json()?;
    let days = asked.days.unwrap_or(7);
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(Problem::bad(format!("`days`: expected 1 to {MAX_DAYS}")));
    }
    if asked.name.len() > 120 {
        return Err(Problem::bad("`name` has at most 120 bytes"));
    }
    let collection = Kind::Join.collection();
    let (id, digest, text) = tokens::generate(Kind::Join)?;
    let now = clock::now();
    let token = JoinToken {
        name: asked.name,
        digest,
        created: now,
        by: call.caller.name.clone(),
    };
    let expires = now.saturating_add(days * 24 * 3600 * SECOND);
    let change = Change::put(collection, &id, &token, now)?.until(expires);
    let entry = audit::entry(
        call,
        "join_token.create",
        &id,
        &json!({"name": token.name, "days": days}),
    )?;
    call.app.state.apply(vec![change, entry])?;
    Reply::json_with(
        axum::http::StatusCode::CREATED,
        &json!({"id": id, "token": text, "expires": rfc3339(expires)}),
    )
}

fn delete_join_token(call: &Call) -> Outcome {
    let (id, collection) = (call.part("id"), Kind::Join.collection());
    if call.app.state.get(collection, id)?.is_none() {
        return Err(Problem::missing("such join token"));
    }
    let entry = audit::entry(call, "join_token.delete", id, &Json::Null)?;
    call.app
        .state
        .apply(vec![Change::delete(collection, id), entry])?;
    Reply::done()
}

/// A join token that does not depend on anybody signing in: what `up` and tests hand to their own agent.
///
/// # Errors
/// When the store fails or the machine gives no random bytes.
pub(crate) fn first_join_token(state: &dyn State) -> Result<String, vedette_history::Error> {
    let failed = |_| vedette_history::Error::Question("no random bytes".to_owned());
    let id = secret::identifier().map_err(failed)?;
    let text = secret::generate(&format!("vdj_{id}_")).map_err(failed)?;
    let token = JoinToken {
        name: "made at the first start".to_owned(),
        digest: secret::digest(&text),
        created: clock::now(),
        by: "first start".to_owned(),
    };
    state.apply(vec![Change::put(
        Kind::Join.collection(),
        &id,
        &token,
        token.created,
    )?])?;
    Ok(text)
}

/// A token for a node whose agent is started by the server's own operator, as `up` does; older ones are withdrawn.
///
/// # Errors
/// When the store fails, or the machine gives no random bytes.
pub fn enrol(state: &dyn State, node: &str) -> Result<String, vedette_history::Error> {
    let failed = |_| vedette_history::Error::Question("no random bytes".to_owned());
    let id = secret::identifier().map_err(failed)?;
    let text = secret::generate(&format!("vdn_{id}_")).map_err(failed)?;
    let collection = Kind::Node.collection();
    let token = NodeToken {
        node: node.to_owned(),
        digest: secret::digest(&text),
        created: clock::now(),
        joined_with: "the server's operator".to_owned(),
    };
    let mut changes = vec![Change::put(collection, &id, &token, token.created)?];
    for document in state.list(collection, "", None, MAX_NODES)? {
        if document.value["node"] == node {
            changes.push(Change::delete(collection, &document.key));
        }
    }
    state.apply(changes)?;
    Ok(text)
}
