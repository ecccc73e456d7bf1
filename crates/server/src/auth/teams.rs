//! Teams and their zones: a filter expression that limits what the members see, in every list, count, stream and export.
//!
//! A user without a team sees everything. A user of several teams sees what any of them sees. A team whose zone is empty
//! sees everything. A team that is named but not there shows nothing, so that deleting one can only take away.

use serde::{Deserialize, Serialize};
use vedette_history::{Filter, FilterError, State};

use crate::problem::Problem;

/// Collection of teams, by name.
pub(crate) const TEAMS: &str = "teams";
/// Teams that there can be, and teams of one user.
pub(crate) const MAX_TEAMS: usize = 500;

/// A team as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Team {
    #[serde(default)]
    pub(crate) zone: String,
    #[serde(default)]
    pub(crate) description: String,
}

/// What somebody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Everything.
    All,
    /// What matches this expression, which is sound on its own.
    Only(String),
    /// Nothing.
    Nothing,
}

/// The zone of a user of these teams.
pub(crate) fn zone(state: &dyn State, teams: &[String]) -> Result<Zone, vedette_history::Error> {
    if teams.is_empty() {
        return Ok(Zone::All);
    }
    let mut zones = Vec::new();
    for name in teams {
        let Some(document) = state.get(TEAMS, name)? else {
            continue;
        };
        let team: Team = document.read()?;
        if team.zone.trim().is_empty() {
            return Ok(Zone::All);
        }
        // Checked when it was written; looked at again, since what is joined below must be sound piece by piece.
        if sound(&team.zone).is_ok() {
            zones.push(format!("({})", team.zone));
        }
    }
    Ok(if zones.is_empty() {
        Zone::Nothing
    } else {
        Zone::Only(zones.join(" or "))
    })
}

/// Checks the zone of a team: it must be an expression on its own and in parentheses.
pub(crate) fn sound(zone: &str) -> Result<(), FilterError> {
    Filter::parse(zone)?;
    Filter::parse(&format!("({zone})")).map(|_| ())
}

/// The filter of a request: what was asked for, within the zone. `None` when nothing can match.
pub(crate) fn within(zone: &Zone, asked: &str) -> Result<Option<Filter>, Problem> {
    let own = Filter::parse(asked).map_err(|error| filter_problem(&error))?;
    Ok(match zone {
        Zone::All => Some(own),
        Zone::Nothing => None,
        // A zone that cannot be read any more shows nothing rather than everything.
        Zone::Only(zone) => Filter::parse(zone).ok().map(|zone| zone.and(&own)),
    })
}

/// What is wrong with a filter, and where.
pub(crate) fn filter_problem(error: &FilterError) -> Problem {
    let mut problem = Problem::new(
        axum::http::StatusCode::BAD_REQUEST,
        "bad_filter",
        error.message.clone(),
    )
    .at(u32::try_from(error.column).unwrap_or(u32::MAX));
    problem.hint.clone_from(&error.hint);
    problem
}
