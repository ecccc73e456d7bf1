//! From the credentials of a request to who makes it.

use axum::http::{HeaderMap, header};
use vedette_history::State;

use super::session::{self, SESSIONS, Session};
use super::teams::{self, Zone};
use super::tokens::{self, ApiToken, Kind, NodeToken};
use super::users::{self, Role};
use super::{rate, secret};

/// Who makes a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Name of the user or node; empty for nobody.
    pub(crate) name: String,
    /// How it is known.
    pub(crate) how: How,
    /// What it may do; nothing for nobody and nodes.
    pub(crate) role: Option<Role>,
    /// Teams of the user.
    pub(crate) teams: Vec<String>,
    /// What it may see.
    pub(crate) zone: Zone,
}

/// How a caller is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Not at all.
    Nobody,
    /// By the cookie of a session.
    Session {
        /// Key of its document.
        key: String,
        /// What changes must send.
        csrf: String,
    },
    /// By an API token.
    Token,
    /// As a node.
    Node,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Public,
    /// Users with at least this role.
    Role(Role),
    /// Nodes.
    Node,
}

/// Credentials were sent, and they are wrong.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Wrong, expired, or of a user who is switched off.
    Wrong,
    /// The store failed.
    Store(vedette_history::Error),
}

impl From<vedette_history::Error> for Refusal {
    fn from(error: vedette_history::Error) -> Self {
        Self::Store(error)
    }
}

impl Caller {
    /// Nobody in particular.
    pub(crate) fn nobody() -> Self {
        Self {
            name: String::new(),
            how: How::Nobody,
            role: None,
            teams: Vec::new(),
            zone: Zone::Nothing,
        }
    }

    /// Whether it may use a route.
    pub(crate) fn may(&self, access: Access) -> bool {
        match access {
            Access::Public => true,
            Access::Role(role) => self.role.is_some_and(|own| own >= role),
            Access::Node => self.how == How::Node,
        }
    }

    /// Key of its rate limit.
    pub(crate) fn key(&self) -> String {
        match self.how {
            How::Node => format!("node {}", self.name),
            _ => self.name.clone(),
        }
    }
}

/// Finds out who makes a request. A bearer token goes before a cookie.
pub(crate) fn identify(
    state: &dyn State,
    headers: &HeaderMap,
    now: u64,
) -> Result<Caller, Refusal> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let text = value.to_str().map_err(|_| Refusal::Wrong)?;
        let (scheme, token) = text.split_once(' ').ok_or(Refusal::Wrong)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::Wrong);
        }
        return by_token(state, token.trim(), now);
    }
    let cookies = headers.get_all(header::COOKIE).iter();
    let cookie = cookies
        .filter_map(|value| value.to_str().ok())
        .find_map(|text| session::cookie_of(text, session::COOKIE));
    match cookie {
        // A cookie that is no longer worth anything is no attack: the browser still has it.
        Some(cookie) => by_session(state, cookie, now),
        None => Ok(Caller::nobody()),
    }
}

fn by_token(state: &dyn State, text: &str, now: u64) -> Result<Caller, Refusal> {
    if let Some(document) = tokens::look_up(state, Kind::Node, text, now)? {
        let token: NodeToken = document.read()?;
        return Ok(Caller {
            name: token.node,
            how: How::Node,
            ..Caller::nobody()
        });
    }
    let document = tokens::look_up(state, Kind::Api, text, now)?.ok_or(Refusal::Wrong)?;
    let token: ApiToken = document.read()?;
    of_user(state, &token.user, Some(token.role), How::Token)?.ok_or(Refusal::Wrong)
}

fn by_session(state: &dyn State, cookie: &str, now: u64) -> Result<Caller, Refusal> {
    let key = secret::digest(cookie);
    let Some(document) = state
        .get(SESSIONS, &key)?
        .filter(|document| !document.expired(now))
    else {
        return Ok(Caller::nobody());
    };
    let session: Session = document.read()?;
    if let Some(token) = &session.token
        && state
            .get(Kind::Api.collection(), token)?
            .is_none_or(|token| token.expired(now))
    {
        return Ok(Caller::nobody());
    }
    let how = How::Session {
        key,
        csrf: session.csrf,
    };
    Ok(of_user(state, &session.user, session.at_most, how)?.unwrap_or_else(Caller::nobody))
}

fn of_user(
    state: &dyn State,
    name: &str,
    at_most: Option<Role>,
    how: How,
) -> Result<Option<Caller>, vedette_history::Error> {
    let Some((user, _)) = users::find(state, name)?.filter(|(user, _)| !user.disabled) else {
        return Ok(None);
    };
    Ok(Some(Caller {
        name: name.to_owned(),
        how,
        role: Some(at_most.map_or(user.role, |most| most.min(user.role))),
        zone: teams::zone(state, &user.teams)?,
        teams: user.teams,
    }))
}

/// Limits of what callers may ask for in a time.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Sign-ins of one address.
    pub(crate) sign_in_peer: rate::Buckets,
    /// Sign-ins as one user, from wherever.
    pub(crate) sign_in_user: rate::Buckets,
    /// Wrong credentials of one address.
    pub(crate) wrong: rate::Buckets,
    /// Orders to agents of one user, dry runs included.
    pub(crate) respond: rate::Buckets,
    /// Requests of one user.
    pub(crate) user: rate::Buckets,
    /// Requests of one node.
    pub(crate) node: rate::Buckets,
    /// Requests of nobody in particular, by address.
    pub(crate) nobody: rate::Buckets,
}

impl Default for Limits {
    fn default() -> Self {
        let of = |burst, per_second| rate::Buckets::new(rate::Rate { burst, per_second });
        Self {
            // A person mistypes a few times; a program that guesses gets twelve tries a minute.
            sign_in_peer: of(10.0, 0.2),
            // Slower, and greater at first, so that a stranger cannot easily keep a user out.
            sign_in_user: of(20.0, 0.1),
            wrong: of(30.0, 0.5),
            // Ten findings, each tried and done, in a hurry; then one step in three seconds.
            respond: of(20.0, 0.33),
            // A screen asks for a dozen things at once; a script in a loop is held back.
            user: of(300.0, 60.0),
            // Agents gather records for 25 ms and more, and send what waited while the server was away in one go.
            node: of(600.0, 120.0),
            nobody: of(60.0, 10.0),
        }
    }
}
