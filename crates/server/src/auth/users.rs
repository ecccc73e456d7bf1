//! Users: people with a role, and the teams that limit what they see.

use serde::{Deserialize, Serialize};
use vedette_history::{Change, Document, State};

use crate::problem::Problem;

/// Collection of users, by name.
pub(crate) const USERS: &str = "users";
/// Users that there can be: lists are read whole.
pub(crate) const MAX_USERS: usize = 5_000;

/// What somebody may do; each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Acknowledges and closes findings, writes exceptions, rules and policies.
    Responder,
    /// Manages users, tokens, teams and settings.
    Admin,
}

impl Role {
    /// The word of the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Viewer, Self::Responder, Self::Admin]
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| "expected one of viewer, responder, admin".to_owned())
    }
}

/// A user as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) role: Role,
    #[serde(default)]
    pub(crate) teams: Vec<String>,
    /// argon2id hash; nobody signs in with a password without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    /// Issuer and subject of a user of an OpenID provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    #[serde(default)]
    pub(crate) disabled: bool,
    pub(crate) created: u64,
}

impl User {
    /// Fills an unused user with a role.
    pub(crate) fn new(role: Role, created: u64) -> Self {
        Self {
            role,
            teams: Vec::new(),
            password: None,
            subject: None,
            disabled: false,
            created,
        }
    }
}

/// The user of this name, with the document that it was read from.
pub(crate) fn find(
    state: &dyn State,
    name: &str,
) -> Result<Option<(User, Document)>, vedette_history::Error> {
    let Some(document) = state.get(USERS, name)? else {
        return Ok(None);
    };
    Ok(Some((document.read()?, document)))
}

/// Keeps a user.
pub(crate) fn put(name: &str, user: &User, now: u64) -> Result<Change, vedette_history::Error> {
    Change::put(USERS, name, user, now)
}

/// A name that can stand in a path, a log line and a cookie-free place of a page.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Problem> {
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
    if name.is_empty()
        || name.len() > 120
        || !name.chars().all(sound)
        || name.starts_with(['.', '-'])
    {
        return Err(Problem::bad(format!("this cannot be the name of a {what}"))
            .hint("letters, digits and - _ . @ +, at most 120, beginning with a letter or digit"));
    }
    Ok(())
}
