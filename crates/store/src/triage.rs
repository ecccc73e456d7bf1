//! What people did about findings, in the database.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use vedette_history::{Status, Triage, TriageNote};

/// A change to where a finding stands.
pub(crate) struct TriageChange {
    pub(crate) id: u128,
    pub(crate) time: u64,
    pub(crate) status: Option<Status>,
    pub(crate) note: Option<String>,
    pub(crate) by: String,
    pub(crate) at: u64,
}

/// Makes a change within a transaction; gives where the finding stands then.
pub(crate) fn apply(
    transaction: &Transaction<'_>,
    change: &TriageChange,
) -> rusqlite::Result<Status> {
    let id = change.id.to_be_bytes();
    let mut triage = read(transaction, change.id)?.unwrap_or_default();
    triage.status = change.status.unwrap_or(triage.status);
    triage.by = Some(change.by.clone());
    triage.at = Some(change.at);
    if let Some(text) = &change.note {
        triage.notes.push(TriageNote {
            at: change.at,
            by: change.by.clone(),
            text: text.clone(),
        });
    }
    transaction.execute(
        "INSERT OR REPLACE INTO triage VALUES (?, ?, ?, ?)",
        params![
            id,
            change.time as i64,
            triage.status as i64,
            serde_json::to_string(&triage).unwrap_or_default()
        ],
    )?;
    Ok(triage.status)
}

/// What people did about a finding.
pub(crate) fn read(connection: &Connection, id: u128) -> rusqlite::Result<Option<Triage>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM triage WHERE id = ?")?
        .query_row([id.to_be_bytes()], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
