//! The database's tables, and how older databases become newer ones.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction};
use vedette_history::{Error, Result};

use crate::failure::Doing;

/// Name of the database in the store's directory.
pub(crate) const FILE: &str = "vedette.db";

/// One text per version: what makes version `index + 1` of the one before. Texts that were released never change.
const MIGRATIONS: &[&str] = &[
    // 1
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
     CREATE TABLE segments (
         number INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, rows INTEGER NOT NULL,
         first_time INTEGER NOT NULL, last_time INTEGER NOT NULL,
         first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL, bytes INTEGER NOT NULL);
     CREATE TABLE inbox (
         position INTEGER PRIMARY KEY AUTOINCREMENT, tbl INTEGER NOT NULL, sequence INTEGER NOT NULL,
         kept BLOB NOT NULL, block BLOB NOT NULL);
     CREATE TABLE triage (
         id BLOB PRIMARY KEY, time INTEGER NOT NULL, status INTEGER NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
     CREATE TABLE documents (
         collection TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, updated INTEGER NOT NULL,
         expires INTEGER, value TEXT NOT NULL, PRIMARY KEY (collection, key)) WITHOUT ROWID;
     CREATE TABLE versions (
         collection TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, updated INTEGER NOT NULL,
         value TEXT NOT NULL, PRIMARY KEY (collection, key, version)) WITHOUT ROWID;
     CREATE TABLE entries (
         log TEXT NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL,
         PRIMARY KEY (log, number)) WITHOUT ROWID;",
    // 2: expiry and retention look these up
    "CREATE INDEX documents_expire ON documents (expires) WHERE expires IS NOT NULL;
     CREATE INDEX triage_time ON triage (time);",
];

/// How long a connection waits for another process, such as a back-up, to let go of the database.
const BUSY: Duration = Duration::from_secs(10);

/// Pages of the log after which the database takes them over: 4,096 pages are 16 MiB.
const CHECKPOINT_PAGES: u32 = 4096;

/// Opens the database for writing and brings it to the newest version.
pub(crate) fn open(dir: &Path) -> Result<Connection> {
    let mut connection =
        Connection::open(dir.join(FILE)).doing(dir, || "opening the database".to_owned())?;
    settle(&connection).doing(dir, || "opening the database".to_owned())?;
    migrate(&mut connection, MIGRATIONS, dir)?;
    Ok(connection)
}

fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // What is acknowledged must survive a power cut, so every commit waits for the disk.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
}

/// Opens the database for reading.
pub(crate) fn open_reader(dir: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(dir.join(FILE), flags)
        .doing(dir, || "opening the database for reading".to_owned())?;
    connection
        .busy_timeout(BUSY)
        .doing(dir, || "opening the database for reading".to_owned())?;
    Ok(connection)
}

/// Version of a database.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.query_row("PRAGMA user_version", [], |row| {
        row.get::<_, i64>(0).map(|v| v as usize)
    })
}

fn migrate(connection: &mut Connection, steps: &[&str], dir: &Path) -> Result<()> {
    let has = version(connection).doing(dir, || "reading the database's version".to_owned())?;
    if has > steps.len() {
        return Err(Error::Question(format!(
            "the database in {} has version {has}, and this program knows up to {}; use a newer vedette",
            dir.display(),
            steps.len()
        )));
    }
    for (index, step) in steps.iter().enumerate().skip(has) {
        let number = index + 1;
        let run = |transaction: Transaction<'_>| {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", number as i64)?;
            transaction.commit()
        };
        connection
            .transaction()
            .and_then(run)
            .doing(dir, || format!("bringing the database to version {number}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_older_version_is_brought_up_with_its_contents() {
        for first in 1..=MIGRATIONS.len() {
            let dir = tempfile::tempdir().unwrap();
            let mut old = Connection::open(dir.path().join(FILE)).unwrap();
            migrate(&mut old, &MIGRATIONS[..first], dir.path()).unwrap();
            old.execute_batch(
                "INSERT INTO documents VALUES ('users', 'a', 3, 1, NULL, '{\"x\":1}');
                 INSERT INTO entries VALUES ('audit', 1, 5, '\"done\"');",
            )
            .unwrap();
            drop(old);
            let store = crate::Store::open(dir.path()).unwrap();
            let state: &dyn vedette_history::State = &store;
            let document = state.get("users", "a").unwrap().unwrap();
            assert_eq!((document.version, &document.value["x"]), (3, &1.into()));
            assert_eq!(state.log("audit", None, 9).unwrap().len(), 1);
            drop(store);
            let connection = open_reader(dir.path()).unwrap();
            assert_eq!(version(&connection).unwrap(), MIGRATIONS.len());
        }
    }

    #[test]
    fn a_newer_version_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open(dir.path()).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let error = crate::Store::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains("version 99"), "{error}");
        let connection = open_reader(dir.path()).unwrap();
        assert_eq!(version(&connection).unwrap(), 99);
    }
}
