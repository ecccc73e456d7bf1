//! The first start: somebody must be able to sign in, and nobody else.

use vedette_history::{Change, Error, State};

use crate::auth::secret;
use crate::auth::tokens::{ApiToken, Kind};
use crate::auth::users::{self, Role, USERS, User};
use crate::clock::{self, SECOND};

/// Life of the first token: long enough to set users up, short enough not to be forgotten.
const LIFE: u64 = 30 * 24 * 3600 * SECOND;

/// What the first start made; shown once.
#[derive(Debug)]
pub struct FirstStart {
    /// Signs in as the user `admin`.
    pub admin_token: String,
    /// Lets agents join.
    pub join_token: String,
}

/// Makes the user `admin` with a token when there is no user at all; `None` when there is.
///
/// # Errors
/// When the store fails, or the machine gives no random bytes.
pub fn first_start(state: &dyn State) -> Result<Option<FirstStart>, Error> {
    if !state.list(USERS, "", None, 1)?.is_empty() {
        return Ok(None);
    }
    let failed = |_| Error::Question("the operating system gave no random bytes".to_owned());
    let now = clock::now();
    let id = secret::identifier().map_err(failed)?;
    let admin_token = secret::generate(&format!("vdt_{id}_")).map_err(failed)?;
    let token = ApiToken {
        name: "made at the first start".to_owned(),
        user: "admin".to_owned(),
        role: Role::Admin,
        digest: secret::digest(&admin_token),
        created: now,
    };
    state.apply(vec![
        users::put("admin", &User::new(Role::Admin, now), now)?.expecting(vedette_history::Expect::Absent),
        Change::put(Kind::Api.collection(), &id, &token, now)?.until(now.saturating_add(LIFE)),
        Change::append(
            crate::audit::LOG,
            &serde_json::json!({"by": "", "peer": "", "action": "first_start", "target": "admin", "detail": null}),
            now,
        )?,
    ])?;
    let join_token = crate::nodes::first_join_token(state)?;
    Ok(Some(FirstStart {
        admin_token,
        join_token,
    }))
}
