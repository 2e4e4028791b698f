//! Tables, settings and whole-file operations.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::Fault;

/// Bumped when the tables change in a way that older programs cannot read.
const SCHEMA_VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE state (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        epoch TEXT NOT NULL,
        sequence INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE documents (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        text_id TEXT NOT NULL,
        content_hash TEXT NOT NULL,
        search_header TEXT NOT NULL,
        metadata TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
    CREATE INDEX documents_by_text_id ON documents (text_id);
    CREATE TABLE metadata_entries (
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        document INTEGER NOT NULL REFERENCES documents (number) ON DELETE CASCADE,
        PRIMARY KEY (key, value, document)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX metadata_entries_by_document ON metadata_entries (document);
    CREATE TABLE nodes (
        key INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        document INTEGER NOT NULL REFERENCES documents (number) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        char_start INTEGER NOT NULL,
        char_end INTEGER NOT NULL,
        is_code INTEGER NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (document, position)
    ) STRICT;
    CREATE TABLE embeddings (
        key INTEGER PRIMARY KEY REFERENCES nodes (key) ON DELETE CASCADE,
        vector BLOB NOT NULL
    ) STRICT;
";

/// Opens the database for its single writer, creating it when it is not there.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, Fault> {
    let mut connection = Connection::open(path)?;
    configure(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    match schema_version(&connection)? {
        0 => create(&mut connection)?,
        SCHEMA_VERSION => {}
        newer => return Err(unknown_version(newer)),
    }
    Ok(connection)
}

/// Opens an existing database for reading.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection)?;
    Ok(connection)
}

/// Copies a consistent state of the database into a new file, while it is being written to.
pub(crate) fn backup_to(source: &Connection, target: &Path) -> Result<(), Fault> {
    let mut target = Connection::open(target)?;
    let backup = rusqlite::backup::Backup::new(source, &mut target)?;
    // All pages in one step: a snapshot taken in several would start over whenever a writer commits between two.
    loop {
        match backup.step(-1)? {
            rusqlite::backup::StepResult::Done => break,
            rusqlite::backup::StepResult::More => {}
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    drop(backup);
    // A snapshot is one file: no write-ahead log beside it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}

/// Checks that a restored file is one of ours and undamaged.
pub(crate) fn verify_snapshot(path: &Path) -> Result<(), Fault> {
    let connection = Connection::open(path)?;
    match schema_version(&connection)? {
        SCHEMA_VERSION => {}
        0 => return Err(Fault::TrustData("documents.sqlite holds no index".to_owned())),
        newer => return Err(unknown_version(newer)),
    }
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(Fault::TrustData(verdict))
    }
}

/// Gives a restored database a new identity, so that nothing derived from another state can be taken for its own.
pub(crate) fn renew_epoch(path: &Path) -> Result<(), Fault> {
    let connection = open_writer(path)?;
    connection.execute("UPDATE state SET epoch = ?1", [new_epoch()])?;
    connection.pragma_update(None, "wal_checkpoint", "TRUNCATE")?;
    Ok(())
}

fn configure(connection: &Connection) -> Result<(), Fault> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}

fn create(connection: &mut Connection) -> Result<(), Fault> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.execute(
        "INSERT INTO state (only, epoch, sequence) VALUES (1, ?1, 0)",
        [new_epoch()],
    )?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    Ok(())
}

fn new_epoch() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn schema_version(connection: &Connection) -> Result<i64, Fault> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn unknown_version(version: i64) -> Fault {
    Fault::TrustData(format!(
        "its format is version {version} where this program knows version {SCHEMA_VERSION}; use the program that wrote it"
    ))
}
