//! Users, teams, API tokens and the audit log, as admins manage them.

use serde::Deserialize;
use serde_json::{Value as Json, json};
use vedette_history::{Change, Document};

use crate::audit;
use crate::auth::session;
use crate::auth::teams::{self, MAX_TEAMS, TEAMS, Team};
use crate::auth::tokens::{self, ApiToken, Kind, MAX_TOKENS};
use crate::auth::users::{self, MAX_USERS, USERS, User, check_name};
use crate::auth::{Role, password};
use crate::clock::{self, SECOND, rfc3339};
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{ADMIN, CURSOR, Gives, LIMIT, Route, VIEWER};
use crate::problem::Problem;

/// Longest life of an API token in days.
const MAX_DAYS: u64 = 3650;
/// Entries of the audit log on a page when nothing is said, and at most.
const PAGE: u64 = 100;
const MAX_PAGE: u64 = 1000;

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/users", ADMIN, "Users", Gives::List("User"), list_users),
    Route::post(
        "/users",
        ADMIN,
        "Make or change a user",
        Gives::Json("User"),
        put_user,
    )
    .takes("UserChange"),
    Route::delete(
        "/users/{name}",
        ADMIN,
        "Remove a user with sessions and tokens",
        delete_user,
    ),
    Route::post(
        "/password",
        VIEWER,
        "Change one's own password",
        Gives::Nothing,
        change_password,
    )
    .takes("PasswordChange"),
    Route::get(
        "/teams",
        ADMIN,
        "Teams with their zones",
        Gives::List("Team"),
        list_teams,
    ),
    Route::post(
        "/teams",
        ADMIN,
        "Make or change a team",
        Gives::Json("Team"),
        put_team,
    )
    .takes("Team"),
    Route::delete(
        "/teams/{name}",
        ADMIN,
        "Remove a team that nobody is in",
        delete_team,
    ),
    Route::get(
        "/tokens",
        VIEWER,
        "One's own API tokens; admins see all",
        Gives::List("Token"),
        list_tokens,
    ),
    Route::post(
        "/tokens",
        VIEWER,
        "Make an API token; its text is shown once",
        Gives::Json("NewToken"),
        make_token,
    )
    .takes("TokenRequest"),
    Route::delete(
        "/tokens/{id}",
        VIEWER,
        "Withdraw an API token",
        delete_token,
    ),
    Route::get(
        "/audit-log",
        ADMIN,
        "Who changed what, newest first",
        Gives::Page("AuditEntry"),
        audit_log,
    )
    .query(&[LIMIT, CURSOR]),
];

fn show_user(document: &Document) -> Result<Json, Problem> {
    let user: User = document.read()?;
    Ok(json!({
        "name": document.key,
        "role": user.role,
        "teams": user.teams,
        "disabled": user.disabled,
        "has_password": user.password.is_some(),
        "openid": user.subject.is_some(),
        "created": rfc3339(user.created),
    }))
}

fn list_users(call: &Call) -> Outcome {
    let documents = call.app.state.list(USERS, "", None, MAX_USERS)?;
    let users: Vec<Json> = documents.iter().map(show_user).collect::<Result<_, _>>()?;
    Reply::json(&users)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserChange {
    name: String,
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    teams: Option<Vec<String>>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    disabled: Option<bool>,
}

/// Whether somebody else than `name` could still manage users.
fn other_admins(call: &Call, name: &str) -> Result<bool, Problem> {
    let documents = call.app.state.list(USERS, "", None, MAX_USERS)?;
    Ok(documents.iter().any(|document| {
        document.key != name
            && document
                .read::<User>()
                .is_ok_and(|user| user.role == Role::Admin && !user.disabled)
    }))
}

fn put_user(call: &Call) -> Outcome {
    let change: UserChange = call.json()?;
    let name = change.name.as_str();
    check_name("user", name)?;
    let state = &*call.app.state;
    let before = users::find(state, name)?;
    let now = clock::now();
    let is_new = before.is_none();
    let mut user = match before {
        Some((user, _)) => user,
        None if state.list(USERS, "", None, MAX_USERS)?.len() >= MAX_USERS => {
            return Err(Problem::conflict(format!(
                "there are {MAX_USERS} users already"
            )));
        }
        None => User::new(change.role.unwrap_or(Role::Viewer), now),
    };
    let was_admin = user.role == Role::Admin && !user.disabled;
    let role_before = user.role;
    user.role = change.role.unwrap_or(user.role);
    user.disabled = change.disabled.unwrap_or(user.disabled);
    if let Some(teams) = change.teams {
        for team in &teams {
            if state.get(TEAMS, team)?.is_none() {
                return Err(Problem::bad(format!(
                    "there is no team `{}`",
                    team.escape_debug()
                )));
            }
        }
        if teams.len() > MAX_TEAMS {
            return Err(Problem::bad("too many teams"));
        }
        user.teams = teams;
    }
    let stays_admin = user.role == Role::Admin && !user.disabled;
    if !is_new && was_admin && !stays_admin && !other_admins(call, name)? {
        return Err(Problem::conflict(
            "this is the last admin; make another one first",
        ));
    }
    let mut changes = Vec::new();
    if let Some(text) = &change.password {
        user.password =
            Some(password::hash(text).map_err(|error| Problem::bad(error.to_string()))?);
        // Whoever knew the old password, or took a session with it, is out.
        changes.extend(session::end_all(state, |session| session.user == name)?);
    }
    changes.push(users::put(name, &user, now)?);
    let detail = json!({
        "new": is_new, "role": user.role, "role_before": role_before, "teams": user.teams, "disabled": user.disabled,
        "password": change.password.is_some(),
    });
    changes.push(audit::entry(call, "user.save", name, &detail)?);
    state.apply(changes)?;
    let document = state.get(USERS, name)?.ok_or_else(Problem::internal)?;
    Reply::json(&show_user(&document)?)
}

fn delete_user(call: &Call) -> Outcome {
    let name = call.part("name");
    let state = &*call.app.state;
    let Some((user, document)) = users::find(state, name)? else {
        return Err(Problem::missing("such user"));
    };
    if user.role == Role::Admin && !other_admins(call, name)? {
        return Err(Problem::conflict(
            "this is the last admin; make another one first",
        ));
    }
    let mut changes = session::end_all(state, |session| session.user == name)?;
    changes.extend(tokens::delete_of_user(state, name)?);
    changes.push(Change::delete(USERS, &document.key));
    changes.push(audit::entry(call, "user.delete", name, &Json::Null)?);
    state.apply(changes)?;
    Reply::done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    #[serde(default)]
    old: String,
    new: String,
}

fn change_password(call: &Call) -> Outcome {
    let change: PasswordChange = call.json()?;
    let state = &*call.app.state;
    let name = call.caller.name.as_str();
    let (mut user, _) = users::find(state, name)?.ok_or_else(Problem::internal)?;
    let now = std::time::Instant::now();
    let buckets = &call.app.limits.sign_in_user;
    buckets.take(name, now).map_err(Problem::too_many)?;
    // A user who came with the first token or from a provider has none yet.
    if let Some(stored) = &user.password
        && !password::verify(&change.old, stored)
    {
        return Err(Problem::forbidden("the old password is wrong"));
    }
    user.password =
        Some(password::hash(&change.new).map_err(|error| Problem::bad(error.to_string()))?);
    let own = match &call.caller.how {
        crate::auth::How::Session { key, .. } => key.clone(),
        _ => String::new(),
    };
    let mut changes = session::end_all(state, |session| session.user == name)?;
    // The session that makes the change goes on.
    changes.retain(|change| !matches!(change, Change::Delete { key, .. } if *key == own));
    changes.push(users::put(name, &user, clock::now())?);
    changes.push(audit::entry(call, "user.password", name, &Json::Null)?);
    state.apply(changes)?;
    Reply::done()
}

fn show_team(document: &Document) -> Result<Json, Problem> {
    let team: Team = document.read()?;
    Ok(json!({"name": document.key, "zone": team.zone, "description": team.description}))
}

fn list_teams(call: &Call) -> Outcome {
    let documents = call.app.state.list(TEAMS, "", None, MAX_TEAMS)?;
    let teams: Vec<Json> = documents.iter().map(show_team).collect::<Result<_, _>>()?;
    Reply::json(&teams)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TeamChange {
    name: String,
    #[serde(default)]
    zone: String,
    #[serde(default)]
    description: String,
}

fn put_team(call: &Call) -> Outcome {
    let change: TeamChange = call.json()?;
    check_name("team", &change.name)?;
    teams::sound(&change.zone).map_err(|error| teams::filter_problem(&error))?;
    let state = &*call.app.state;
    if state.get(TEAMS, &change.name)?.is_none()
        && state.list(TEAMS, "", None, MAX_TEAMS)?.len() >= MAX_TEAMS
    {
        return Err(Problem::conflict(format!(
            "there are {MAX_TEAMS} teams already"
        )));
    }
    let team = Team {
        zone: change.zone,
        description: change.description.chars().take(1000).collect(),
    };
    let put = Change::put(TEAMS, &change.name, &team, clock::now())?;
    let entry = audit::entry(call, "team.save", &change.name, &json!({"zone": team.zone}))?;
    state.apply(vec![put, entry])?;
    let document = state
        .get(TEAMS, &change.name)?
        .ok_or_else(Problem::internal)?;
    Reply::json(&show_team(&document)?)
}

fn delete_team(call: &Call) -> Outcome {
    let name = call.part("name");
    let state = &*call.app.state;
    if state.get(TEAMS, name)?.is_none() {
        return Err(Problem::missing("such team"));
    }
    let members = state.list(USERS, "", None, MAX_USERS)?;
    let members = members.iter().filter(|document| {
        document
            .read::<User>()
            .is_ok_and(|user| user.teams.iter().any(|team| team == name))
    });
    if let Some(member) = members.into_iter().next() {
        return Err(Problem::conflict(format!(
            "{} is in this team; take its members out first",
            member.key
        )));
    }
    let entry = audit::entry(call, "team.delete", name, &Json::Null)?;
    state.apply(vec![Change::delete(TEAMS, name), entry])?;
    Reply::done()
}

fn show_token(document: &Document) -> Result<Json, Problem> {
    let token: ApiToken = document.read()?;
    Ok(json!({
        "id": document.key,
        "name": token.name,
        "user": token.user,
        "role": token.role,
        "created": rfc3339(token.created),
        "expires": document.expires.map(rfc3339),
    }))
}

fn list_tokens(call: &Call) -> Outcome {
    let documents = call
        .app
        .state
        .list(Kind::Api.collection(), "", None, MAX_TOKENS)?;
    let is_admin = call.caller.may(ADMIN);
    let seen = documents
        .iter()
        .filter(|document| is_admin || document.value["user"] == call.caller.name.as_str());
    let tokens: Vec<Json> = seen.map(show_token).collect::<Result<_, _>>()?;
    Reply::json(&tokens)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenRequest {
    name: String,
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    days: Option<u64>,
}

fn make_token(call: &Call) -> Outcome {
    let asked: TokenRequest = call.json()?;
    let own = call.caller.role.unwrap_or(Role::Viewer);
    let role = asked.role.unwrap_or(Role::Viewer);
    if role > own {
        return Err(Problem::forbidden(format!(
            "a token cannot do more than you: you are {}",
            own.name()
        )));
    }
    let days = asked.days.unwrap_or(90);
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(Problem::bad(format!("`days`: expected 1 to {MAX_DAYS}")));
    }
    if asked.name.trim().is_empty() || asked.name.len() > 120 {
        return Err(Problem::bad(
            "`name` says what the token is for, in 1 to 120 bytes",
        ));
    }
    let state = &*call.app.state;
    let collection = Kind::Api.collection();
    if state.list(collection, "", None, MAX_TOKENS)?.len() >= MAX_TOKENS {
        return Err(Problem::conflict(format!(
            "there are {MAX_TOKENS} tokens already"
        )));
    }
    let (id, digest, text) = tokens::generate(Kind::Api)?;
    let now = clock::now();
    let token = ApiToken {
        name: asked.name,
        user: call.caller.name.clone(),
        role,
        digest,
        created: now,
    };
    let expires = now.saturating_add(days * 24 * 3600 * SECOND);
    let put = Change::put(collection, &id, &token, now)?.until(expires);
    let entry = audit::entry(
        call,
        "token.create",
        &id,
        &json!({"name": token.name, "role": role, "days": days}),
    )?;
    state.apply(vec![put, entry])?;
    Reply::json_with(
        axum::http::StatusCode::CREATED,
        &json!({"id": id, "token": text, "expires": rfc3339(expires)}),
    )
}

fn delete_token(call: &Call) -> Outcome {
    let (id, state, collection) = (call.part("id"), &*call.app.state, Kind::Api.collection());
    let document = state.get(collection, id)?;
    let own = |document: &Document| document.value["user"] == call.caller.name.as_str();
    if !document.is_some_and(|document| call.caller.may(ADMIN) || own(&document)) {
        return Err(Problem::missing("such token"));
    }
    let mut changes = session::end_all(state, |session| session.token.as_deref() == Some(id))?;
    changes.push(Change::delete(collection, id));
    changes.push(audit::entry(call, "token.delete", id, &Json::Null)?);
    state.apply(changes)?;
    Reply::done()
}

fn audit_log(call: &Call) -> Outcome {
    let limit = call.number("limit", PAGE, MAX_PAGE)? as usize;
    let before = call.query("cursor").map(str::parse::<u64>).transpose();
    let before =
        before.map_err(|_| Problem::bad("the cursor is not one that this server gave out"))?;
    let entries = call.app.state.log(audit::LOG, before, limit)?;
    let next = entries
        .last()
        .filter(|last| entries.len() == limit && last.number > 1)
        .map(|last| last.number.to_string());
    let items: Vec<Json> = entries
        .iter()
        .map(|entry| {
            let mut out = entry.value.clone();
            out["number"] = json!(entry.number);
            out["at"] = json!(rfc3339(entry.at));
            out
        })
        .collect();
    Reply::json(&json!({"items": items, "next": next, "total": null, "partial": null}))
}
