//! Who may do what: users, roles, teams, sessions, tokens.
//!
//! Every request is looked up anew, so that a role taken away, a user switched off or a token deleted counts at once.
//! What is kept of a secret is its digest. See `docs/server.md` for the rules in words.

pub(crate) mod caller;
pub(crate) mod endpoints;
pub(crate) mod jwt;
pub(crate) mod oidc;
pub(crate) mod password;
pub(crate) mod rate;
pub(crate) mod secret;
pub(crate) mod session;
pub(crate) mod teams;
pub(crate) mod tokens;
pub(crate) mod users;

pub(crate) use caller::{Access, Caller, How};
pub use users::Role;
