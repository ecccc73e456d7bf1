//! Tokens of programs and nodes: `vdt_…` for the API, `vdj_…` to join, `vdn_…` for a node that has joined.
//!
//! A token is a kind, the name of its document and a secret; the document holds the secret's digest.

use serde::{Deserialize, Serialize};
use vedette_history::{Change, Document, State};

use super::secret;
use super::users::Role;
use crate::problem::Problem;

/// Tokens of each kind that there can be: lists are read whole.
pub(crate) const MAX_TOKENS: usize = 10_000;

/// Kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Api,
    Join,
    Node,
}

impl Kind {
    pub(crate) fn collection(self) -> &'static str {
        match self {
            Self::Api => "tokens",
            Self::Join => "join_tokens",
            Self::Node => "node_tokens",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Api => "vdt_",
            Self::Join => "vdj_",
            Self::Node => "vdn_",
        }
    }
}

/// An API token as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ApiToken {
    pub(crate) name: String,
    pub(crate) user: String,
    /// The most that it may be used for; never more than its user may do.
    pub(crate) role: Role,
    pub(crate) digest: String,
    pub(crate) created: u64,
}

/// A join token as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JoinToken {
    pub(crate) name: String,
    pub(crate) digest: String,
    pub(crate) created: u64,
    pub(crate) by: String,
}

/// The token of a node as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeToken {
    pub(crate) node: String,
    pub(crate) digest: String,
    pub(crate) created: u64,
    /// The join token that it was got with.
    pub(crate) joined_with: String,
}

/// A new token: the name of its document, its digest, and the text that is shown once.
pub(crate) fn generate(kind: Kind) -> Result<(String, String, String), Problem> {
    let failed = |_| Problem::internal();
    let id = secret::identifier().map_err(failed)?;
    let text = secret::generate(&format!("{}{id}_", kind.prefix())).map_err(failed)?;
    Ok((id, secret::digest(&text), text))
}

/// The document of a token, when the token is right and has not expired.
pub(crate) fn look_up(
    state: &dyn State,
    kind: Kind,
    text: &str,
    now: u64,
) -> Result<Option<Document>, vedette_history::Error> {
    let Some((id, _)) = text
        .strip_prefix(kind.prefix())
        .and_then(|rest| rest.split_once('_'))
    else {
        return Ok(None);
    };
    let Some(document) = state.get(kind.collection(), id)? else {
        return Ok(None);
    };
    let wanted = document.value["digest"].as_str().unwrap_or_default();
    let right =
        !wanted.is_empty() && secret::same(&secret::digest(text), wanted) && !document.expired(now);
    Ok(right.then_some(document))
}

/// Removes tokens of a user.
pub(crate) fn delete_of_user(
    state: &dyn State,
    user: &str,
) -> Result<Vec<Change>, vedette_history::Error> {
    let collection = Kind::Api.collection();
    let all = state.list(collection, "", None, MAX_TOKENS)?;
    Ok(all
        .iter()
        .filter(|document| document.value["user"] == user)
        .map(|document| Change::delete(collection, &document.key))
        .collect())
}
