//! Sessions of people at a browser: a random cookie whose digest names a document.

use serde::{Deserialize, Serialize};
use vedette_history::{Change, State};

use super::secret;
use super::users::Role;
use crate::clock::SECOND;
use crate::problem::Problem;

/// Collection of sessions, by the digest of the cookie.
pub(crate) const SESSIONS: &str = "sessions";
/// Name of the cookie.
pub(crate) const COOKIE: &str = "vedette_session";
/// Length of a session: a shift, so that nobody signs in twice in a night.
pub(crate) const LENGTH: u64 = 12 * 3600 * SECOND;
/// Sessions of one user that are kept; the oldest go.
const MAX_OF_USER: usize = 20;
/// Sessions that are looked through for that.
const MAX_SESSIONS: usize = 20_000;

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) user: String,
    /// Sent with every change, which another site's page cannot know.
    pub(crate) csrf: String,
    pub(crate) created: u64,
    /// The most that this session may do, for one that a token opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_most: Option<Role>,
    /// The token that opened it: when that is deleted, the session ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
}

/// A session that was just opened.
pub(crate) struct Opened {
    pub(crate) cookie: String,
    pub(crate) session: Session,
    pub(crate) expires: u64,
}

/// Opens a session, at most until `until`; older ones of the same user make room.
pub(crate) fn open(
    state: &dyn State,
    user: &str,
    by: Option<(String, Role)>,
    until: Option<u64>,
    now: u64,
) -> Result<Opened, Problem> {
    let failed = |_| Problem::internal();
    let cookie = secret::generate("").map_err(failed)?;
    let (token, at_most) = by.unzip();
    let session = Session {
        user: user.to_owned(),
        csrf: secret::generate("").map_err(failed)?,
        created: now,
        at_most,
        token,
    };
    let mut expires = now.saturating_add(LENGTH);
    if let Some(until) = until {
        expires = expires.min(until);
    }
    let mut changes = vec![
        Change::put(SESSIONS, &secret::digest(&cookie), &session, now)
            .map_err(Problem::from)?
            .until(expires),
    ];
    let mut own: Vec<_> = state
        .list(SESSIONS, "", None, MAX_SESSIONS)?
        .into_iter()
        .filter(|document| document.value["user"] == user)
        .collect();
    own.sort_by_key(|document| std::cmp::Reverse(document.updated));
    for document in own.iter().skip(MAX_OF_USER - 1) {
        changes.push(Change::delete(SESSIONS, &document.key));
    }
    state.apply(changes)?;
    Ok(Opened {
        cookie,
        session,
        expires,
    })
}

/// Ends every session of a user, or those that one token opened.
pub(crate) fn end_all(
    state: &dyn State,
    is: impl Fn(&Session) -> bool,
) -> Result<Vec<Change>, vedette_history::Error> {
    let mut changes = Vec::new();
    for document in state.list(SESSIONS, "", None, MAX_SESSIONS)? {
        if document.read::<Session>().is_ok_and(|session| is(&session)) {
            changes.push(Change::delete(SESSIONS, &document.key));
        }
    }
    Ok(changes)
}

/// The text of `Set-Cookie`.
pub(crate) fn set_cookie(value: &str, seconds: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// The session cookie of a `Cookie` header.
pub(crate) fn cookie_of<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_written_and_read() {
        let text = set_cookie("abc", 60, true);
        assert!(
            text.contains("HttpOnly")
                && text.contains("SameSite=Strict")
                && text.ends_with("; Secure")
        );
        assert!(!set_cookie("abc", 60, false).contains("Secure"));
        assert_eq!(cookie_of("a=b; vedette_session=x=y", COOKIE), Some("x=y"));
        assert_eq!(cookie_of("xvedette_session=x", COOKIE), None);
    }
}
