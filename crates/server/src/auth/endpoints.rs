//! Signing in and out.

use std::time::Instant;

use axum::body::Body;
use axum::http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use vedette_history::Change;

use super::oidc;
use super::session::{self, SESSIONS};
use super::tokens::{self, ApiToken, Kind};
use super::users::{self, Role, User};
use super::{How, password};
use crate::audit;
use crate::clock::{self, SECOND};
use crate::http::call::{Call, Outcome, Reply};
use crate::http::route::{Gives, PUBLIC, Route, VIEWER};
use crate::problem::Problem;

pub(crate) const ROUTES: &[Route] = &[
    Route::get(
        "/session",
        VIEWER,
        "Who is signed in",
        Gives::Json("SignedIn"),
        get,
    ),
    Route::post(
        "/session",
        PUBLIC,
        "Sign in with name and password, or with an API token",
        Gives::Json("SignedIn"),
        sign_in,
    )
    .takes("SignIn"),
    Route::delete("/session", VIEWER, "Sign out", sign_out),
    Route::get(
        "/session/methods",
        PUBLIC,
        "How one can sign in",
        Gives::Json("SignInMethods"),
        methods,
    ),
    Route::get(
        "/session/openid",
        PUBLIC,
        "Begin to sign in with the OpenID provider (redirects there)",
        Gives::Nothing,
        begin_openid,
    ),
    Route::get(
        "/session/openid/callback",
        PUBLIC,
        "Where the OpenID provider sends people back to",
        Gives::Nothing,
        end_openid,
    )
    .query(&[
        ("code", "from the provider"),
        ("state", "from the provider"),
    ]),
];

fn describe(
    name: &str,
    role: Role,
    teams: &[String],
    csrf: Option<&str>,
    expires: Option<u64>,
) -> Json {
    json!({
        "user": name, "role": role, "teams": teams, "csrf": csrf, "expires": expires.map(clock::rfc3339),
    })
}

fn get(call: &Call) -> Outcome {
    let caller = &call.caller;
    let role = caller.role.ok_or_else(Problem::unauthenticated)?;
    let (csrf, expires) = match &caller.how {
        How::Session { key, csrf } => {
            let document = call.app.state.get(SESSIONS, key)?;
            (
                Some(csrf.as_str()),
                document.and_then(|document| document.expires),
            )
        }
        _ => (None, None),
    };
    Reply::json(&describe(&caller.name, role, &caller.teams, csrf, expires))
}

fn methods(call: &Call) -> Outcome {
    let openid = call
        .app
        .oidc
        .as_ref()
        .map(|oidc| oidc.config().label.clone());
    Reply::json(&json!({"password": true, "token": true, "openid": openid}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    token: String,
}

fn wrong() -> Problem {
    // The same words for every reason: they must not tell which names exist.
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "wrong_credentials",
        "name and password, or the token, are wrong",
    )
}

fn sign_in(call: &Call) -> Outcome {
    let asked: SignIn = call.json()?;
    let (app, state, now) = (&call.app, &*call.app.state, Instant::now());
    let address = call.peer.to_string();
    app.limits
        .sign_in_peer
        .take(&address, now)
        .map_err(Problem::too_many)?;
    let time = clock::now();
    let (name, user, by, until) = if asked.token.is_empty() {
        let known: String = asked.user.chars().take(120).collect();
        app.limits
            .sign_in_user
            .take(&known, now)
            .map_err(Problem::too_many)?;
        let found = users::find(state, &known)?;
        let stored = found.as_ref().and_then(|(user, _)| user.password.clone());
        let right = if let Some(stored) = &stored {
            password::verify(&asked.password, stored)
        } else {
            password::verify_nobody(&asked.password);
            false
        };
        let user = found
            .map(|(user, _)| user)
            .filter(|user| right && !user.disabled);
        let Some(user) = user else {
            failed(call, &known)?;
            return Err(wrong());
        };
        (known, user, None, None)
    } else {
        let document = tokens::look_up(state, Kind::Api, &asked.token, time)?;
        let Some(document) = document else {
            failed(call, "")?;
            return Err(wrong());
        };
        let token: ApiToken = document.read()?;
        let Some((user, _)) = users::find(state, &token.user)?.filter(|(user, _)| !user.disabled)
        else {
            failed(call, &token.user)?;
            return Err(wrong());
        };
        (
            token.user,
            user,
            Some((document.key, token.role)),
            document.expires,
        )
    };
    app.limits.sign_in_peer.forgive(&address);
    app.limits.sign_in_user.forgive(&name);
    open(call, &name, &user, by, until)
}

/// Writes a failed try down where admins look; the log has it anyway.
fn failed(call: &Call, name: &str) -> Result<(), Problem> {
    let entry = audit::of(
        name,
        &call.peer.to_string(),
        "session.failed",
        name,
        &Json::Null,
    )?;
    call.app.state.apply(vec![entry])?;
    Ok(())
}

/// Opens a session and answers with its cookie.
fn open(
    call: &Call,
    name: &str,
    user: &User,
    by: Option<(String, Role)>,
    until: Option<u64>,
) -> Outcome {
    let role = by
        .as_ref()
        .map_or(user.role, |(_, most)| user.role.min(*most));
    let opened = start(call, name, by, until)?;
    let body = describe(
        name,
        role,
        &user.teams,
        Some(&opened.session.csrf),
        Some(opened.expires),
    );
    Ok(Reply::json(&body)?.with(header::SET_COOKIE, &cookie(call, &opened)))
}

fn start(
    call: &Call,
    name: &str,
    by: Option<(String, Role)>,
    until: Option<u64>,
) -> Result<session::Opened, Problem> {
    let state = &*call.app.state;
    let how = if by.is_some() {
        "token"
    } else {
        "password or provider"
    };
    let opened = session::open(state, name, by, until, clock::now())?;
    let mut changes = vec![audit::of(
        name,
        &call.peer.to_string(),
        "session.open",
        name,
        &json!({"how": how}),
    )?];
    // The session that the browser had before ends: nothing of it shall live on.
    if let How::Session { key, .. } = &call.caller.how {
        changes.push(Change::delete(SESSIONS, key));
    }
    state.apply(changes)?;
    Ok(opened)
}

fn cookie(call: &Call, opened: &session::Opened) -> String {
    let seconds = opened.expires.saturating_sub(clock::now()) / SECOND;
    session::set_cookie(&opened.cookie, seconds, call.app.config.secure())
}

fn sign_out(call: &Call) -> Outcome {
    if let How::Session { key, .. } = &call.caller.how {
        let entry = audit::entry(call, "session.close", &call.caller.name, &Json::Null)?;
        call.app
            .state
            .apply(vec![Change::delete(SESSIONS, key), entry])?;
    }
    let gone = session::set_cookie("", 0, call.app.config.secure());
    Ok(Reply::done()?.with(header::SET_COOKIE, &gone))
}

fn provider(call: &Call) -> Result<&oidc::Oidc, Problem> {
    call.app
        .oidc
        .as_ref()
        .ok_or_else(|| Problem::missing("OpenID provider; the server was started without one"))
}

fn redirect(to: &str, cookies: &[String]) -> Reply {
    let mut reply = Reply {
        status: StatusCode::SEE_OTHER,
        headers: Vec::new(),
        body: Body::empty(),
    }
    .with(header::LOCATION, to);
    for cookie in cookies {
        reply = reply.with(header::SET_COOKIE, cookie);
    }
    reply
}

fn begin_openid(call: &Call) -> Outcome {
    let provider = provider(call)?;
    let now = Instant::now();
    let peers = &call.app.limits.sign_in_peer;
    peers
        .take(&call.peer.to_string(), now)
        .map_err(Problem::too_many)?;
    let begun = provider
        .begin(&callback(call))
        .map_err(|error| refused_by(call, &error))?;
    // Lax: the browser comes back from another site with it.
    let secure = if call.app.config.secure() {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!(
        "{}={}; Path=/api/v1/session/openid; Max-Age=600; HttpOnly; SameSite=Lax{secure}",
        oidc::COOKIE,
        begun.browser
    );
    Ok(redirect(&begun.url, &[cookie]))
}

fn callback(call: &Call) -> String {
    let base = call.app.config.public_url.as_deref().unwrap_or_default();
    format!(
        "{}/api/v1/session/openid/callback",
        base.trim_end_matches('/')
    )
}

fn refused_by(call: &Call, error: &oidc::OidcError) -> Problem {
    call.app
        .log
        .say("warn", "openid", json!({"cause": crate::chain(error)}));
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "openid",
        "signing in with the OpenID provider failed; the server's log says why",
    )
}

/// Ends a sign-in. A browser that is refused goes back to the screen that signs in, which says so; a program gets the error.
fn end_openid(call: &Call) -> Outcome {
    let is_browser = call
        .header("accept")
        .is_some_and(|kinds| kinds.contains("text/html"));
    let problem = match finish_openid(call) {
        Err(problem) if is_browser => problem,
        outcome => return outcome,
    };
    call.app.metrics.refused(problem.code);
    call.app.log.refused(json!({
        "code": problem.code, "path": "/session/openid/callback", "peer": call.peer.to_string(),
        "why": problem.message,
    }));
    Ok(redirect(&format!("/?refused={}", problem.code), &[]))
}

fn finish_openid(call: &Call) -> Outcome {
    let provider = provider(call)?;
    let browser = call
        .headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(|text| session::cookie_of(text, oidc::COOKIE))
        .unwrap_or_default();
    let (code, state) = (call.query("code"), call.query("state"));
    let (Some(code), Some(state)) = (code, state) else {
        return Err(Problem::unauthenticated());
    };
    let person = provider
        .end(&callback(call), code, state, browser)
        .map_err(|error| refused_by(call, &error))?;
    let store = &*call.app.state;
    let now = clock::now();
    let mut user = match users::find(store, &person.name)? {
        // A local user of this name is somebody else until an admin says otherwise.
        Some((user, _)) if user.subject.as_deref() != Some(person.subject.as_str()) => {
            failed(call, &person.name)?;
            return Err(Problem::forbidden(
                "a local user has this name already; ask an admin",
            ));
        }
        Some((user, _)) => user,
        None => User::new(Role::Viewer, now),
    };
    // Whoever was in a group and is in none any more has no role any more either.
    let Some(role) = person.role else {
        failed(call, &person.name)?;
        return Err(Problem::forbidden(
            "you are known to the provider, but have no role here; ask an admin",
        ));
    };
    if user.disabled {
        failed(call, &person.name)?;
        return Err(Problem::forbidden("this user is switched off"));
    }
    user.subject = Some(person.subject);
    user.role = role;
    store.apply(vec![users::put(&person.name, &user, now)?])?;
    let opened = start(call, &person.name, None, None)?;
    let gone = format!("{}=; Path=/api/v1/session/openid; Max-Age=0", oidc::COOKIE);
    Ok(redirect("/", &[cookie(call, &opened), gone]))
}
