//! Documents and logs in the database.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value as Json;
use vedette_history::{Change, Document, Entry, Error, Expect, Result};

use crate::failure::Doing;

fn reading() -> String {
    "reading state".to_owned()
}

fn document(row: &Row<'_>) -> rusqlite::Result<(Document, String)> {
    let text: String = row.get(4)?;
    let document = Document {
        key: row.get(0)?,
        version: row.get::<_, i64>(1)? as u64,
        updated: row.get::<_, i64>(2)? as u64,
        expires: row.get::<_, Option<i64>>(3)?.map(|at| at as u64),
        value: Json::Null,
    };
    Ok((document, text))
}

fn parsed((mut document, text): (Document, String)) -> Result<Document> {
    document.value = serde_json::from_str(&text)
        .map_err(|why| Error::Corrupt(format!("document {}: {why}", document.key)))?;
    Ok(document)
}

pub(crate) fn get(
    connection: &Connection,
    dir: &Path,
    collection: &str,
    key: &str,
) -> Result<Option<Document>> {
    connection
        .prepare_cached(
            "SELECT key, version, updated, expires, value FROM documents WHERE collection = ? AND key = ?",
        )
        .and_then(|mut statement| statement.query_row([collection, key], document).optional())
        .doing(dir, reading)?
        .map(parsed)
        .transpose()
}

pub(crate) fn list(
    connection: &Connection,
    dir: &Path,
    collection: &str,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Document>> {
    // Keys that begin with the prefix lie together in the order of bytes, so the walk ends at the first that does not.
    let found = connection
        .prepare_cached(
            "SELECT key, version, updated, expires, value FROM documents
             WHERE collection = ?1 AND key >= ?2 AND (?3 IS NULL OR key > ?3) ORDER BY key LIMIT ?4",
        )
        .and_then(|mut statement| {
            let rows = statement.query_map(
                params![collection, prefix, after, limit.min(i64::MAX as usize) as i64],
                document,
            )?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })
        .doing(dir, reading)?;
    found
        .into_iter()
        .take_while(|(document, _)| document.key.starts_with(prefix))
        .map(parsed)
        .collect()
}

pub(crate) fn versions(
    connection: &Connection,
    dir: &Path,
    collection: &str,
    key: &str,
    limit: usize,
) -> Result<Vec<Document>> {
    let found = connection
        .prepare_cached(
            "SELECT key, version, updated, NULL, value FROM versions
             WHERE collection = ? AND key = ? ORDER BY version DESC LIMIT ?",
        )
        .and_then(|mut statement| {
            let limit = limit.min(i64::MAX as usize) as i64;
            let rows = statement.query_map(params![collection, key, limit], document)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })
        .doing(dir, reading)?;
    found.into_iter().map(parsed).collect()
}

pub(crate) fn log(
    connection: &Connection,
    dir: &Path,
    log: &str,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Entry>> {
    let before = before.map_or(i64::MAX, |number| number.min(i64::MAX as u64) as i64);
    let found = connection
        .prepare_cached(
            "SELECT number, at, value FROM entries WHERE log = ? AND number < ? ORDER BY number DESC LIMIT ?",
        )
        .and_then(|mut statement| {
            let limit = limit.min(i64::MAX as usize) as i64;
            let rows = statement.query_map(params![log, before, limit], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })
        .doing(dir, reading)?;
    found
        .into_iter()
        .map(|(number, at, text)| {
            Ok(Entry {
                number: number as u64,
                at: at as u64,
                value: serde_json::from_str(&text)
                    .map_err(|why| Error::Corrupt(format!("entry {number} of {log}: {why}")))?,
            })
        })
        .collect()
}

/// Makes the changes in order; the caller commits or rolls back.
pub(crate) fn apply(connection: &Connection, dir: &Path, changes: &[Change]) -> Result<Vec<u64>> {
    changes
        .iter()
        .map(|change| one(connection, dir, change))
        .collect()
}

fn one(connection: &Connection, dir: &Path, change: &Change) -> Result<u64> {
    let writing = || "writing state".to_owned();
    match change {
        Change::Put {
            collection,
            key,
            value,
            at,
            expires,
            expect,
            keep,
        } => {
            let now = current(connection, collection, key).doing(dir, writing)?;
            expected(*expect, now, collection, key)?;
            let version = now.max(newest_kept(connection, collection, key).doing(dir, writing)?) + 1;
            let text = value.to_string();
            connection
                .prepare_cached("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?)")
                .and_then(|mut statement| {
                    let expires = expires.map(|at| at as i64);
                    statement.execute(params![
                        collection,
                        key,
                        version as i64,
                        *at as i64,
                        expires,
                        text
                    ])
                })
                .doing(dir, writing)?;
            if *keep {
                connection
                    .prepare_cached("INSERT INTO versions VALUES (?, ?, ?, ?, ?)")
                    .and_then(|mut statement| {
                        statement.execute(params![
                            collection,
                            key,
                            version as i64,
                            *at as i64,
                            text
                        ])
                    })
                    .doing(dir, writing)?;
            }
            Ok(version)
        }
        Change::Delete {
            collection,
            key,
            expect,
        } => {
            let now = current(connection, collection, key).doing(dir, writing)?;
            expected(*expect, now, collection, key)?;
            connection
                .prepare_cached("DELETE FROM documents WHERE collection = ? AND key = ?")
                .and_then(|mut statement| statement.execute([collection, key]))
                .doing(dir, writing)?;
            Ok(0)
        }
        Change::Append { log, at, value } => connection
            .prepare_cached(
                "INSERT INTO entries SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3 FROM entries WHERE log = ?1
                 RETURNING number",
            )
            .and_then(|mut statement| {
                statement.query_row(params![log, *at as i64, value.to_string()], |row| {
                    row.get::<_, i64>(0)
                })
            })
            .map(|number| number as u64)
            .doing(dir, writing),
    }
}

/// Version of a document, 0 when there is none.
fn current(connection: &Connection, collection: &str, key: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT version FROM documents WHERE collection = ? AND key = ?")?
        .query_row([collection, key], |row| row.get::<_, i64>(0))
        .optional()
        .map(|version| version.unwrap_or(0) as u64)
}

fn newest_kept(connection: &Connection, collection: &str, key: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(
            "SELECT coalesce(max(version), 0) FROM versions WHERE collection = ? AND key = ?",
        )?
        .query_row([collection, key], |row| row.get::<_, i64>(0))
        .map(|version| version as u64)
}

fn expected(expect: Option<Expect>, now: u64, collection: &str, key: &str) -> Result<()> {
    let holds = match expect {
        None => true,
        Some(Expect::Absent) => now == 0,
        Some(Expect::Version(version)) => now == version,
    };
    if holds {
        return Ok(());
    }
    Err(Error::Conflict {
        collection: collection.to_owned(),
        key: key.to_owned(),
        version: now,
    })
}
