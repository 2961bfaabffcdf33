//! Moving up: all that a file of SQLite holds, into an empty PostgreSQL database.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use thiserror::Error;
use tokio::sync::mpsc;

mod tables;

use super::audit::{ChainBreak, Verified};
use super::postgres::PostgresStore;
use super::postgres::copying::{self, Copying};
use super::{SqliteStore, Store as _, StoreError};
use crate::config::PostgresSettings;
use tables::TABLES;
pub(super) use tables::{Kind, Table};

/// Rows that are on their way at once.
const CHUNK: usize = 1_000;

/// What was copied.
#[derive(Debug)]
pub struct Copied {
    /// How many rows of each table.
    pub rows: Vec<(&'static str, u64)>,
    /// The audit log as it was found in the new database.
    pub log: Verified,
}

/// Why nothing was copied.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CopyError {
    /// One of the databases did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table did not arrive.
    #[error("{table} cannot be copied")]
    Table {
        /// The table.
        table: &'static str,
        /// Why.
        source: StoreError,
    },
    /// There is something in the new database already, which might be lost or mixed up.
    #[error("expected an empty database, found rows in {0}; copy into a new one")]
    NotEmpty(&'static str),
    /// Rows got lost on the way.
    #[error("{table} had {expected} rows, of which {found} arrived")]
    Count {
        /// The table.
        table: &'static str,
        /// How many there were.
        expected: u64,
        /// How many arrived.
        found: u64,
    },
    /// The audit log is not what was written, before or after.
    #[error("the audit log is not what was written")]
    Broken(#[from] ChainBreak),
}

/// Copies everything or nothing: publishers, ledger and audit log with its chain, replay memory and horizon, keys, admin tokens,
/// issuers. The file is locked against writers meanwhile; whoever serves it must not go on afterwards, or the same id token
/// could be used on both sides.
pub async fn copy(from: &Path, to: &PostgresSettings) -> Result<Copied, CopyError> {
    // Opened as ever first, so that its tables are the newest version's.
    let heads = SqliteStore::open_existing(from)?.verify_audit_log(Vec::new()).await??.heads;
    PostgresStore::migrate(to).await?;
    let mut client = copying::connect(to).await?;
    let target = Copying::begin(&mut client).await?;
    for table in TABLES {
        if !target.is_empty(table).await? {
            return Err(CopyError::NotEmpty(table.name));
        }
    }
    let (sender, mut parts) = mpsc::channel(4);
    let path = from.to_owned();
    let reading = tokio::task::spawn_blocking(move || read(&path, &sender));
    let mut rows = Vec::new();
    for table in TABLES {
        let failed = |source| CopyError::Table { table: table.name, source };
        let mut writer = target.fill(table).await.map_err(failed)?;
        let mut expected = 0;
        // Each table ends with an empty part.
        while let Some(part) = parts.recv().await.filter(|part: &Vec<Vec<Value>>| !part.is_empty()) {
            expected += part.len() as u64;
            for row in part {
                writer.add(row).await.map_err(failed)?;
            }
        }
        let found = writer.finish().await.map_err(failed)?;
        if found != expected {
            return Err(CopyError::Count { table: table.name, expected, found });
        }
        rows.push((table.name, found));
    }
    // Holds the lock on the file until everything is committed.
    let lock = reading.await.map_err(|_| StoreError::Closed)??;
    let log = target.verify(heads).await??;
    target.commit().await?;
    drop(lock);
    Ok(Copied { rows, log })
}

/// Sends all rows of all tables, as nobody can change them.
fn read(path: &Path, parts: &mpsc::Sender<Vec<Vec<Value>>>) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(super::sqlite::BUSY_TIMEOUT)?;
    // Goes on until the connection is closed, which takes nothing back, since nothing is written.
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for table in TABLES {
        let mut statement = connection.prepare(&table.query())?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let mut part = Vec::with_capacity(CHUNK);
        while let Some(row) = rows.next()? {
            let values: rusqlite::Result<Vec<Value>> = (0..columns).map(|column| row.get(column)).collect();
            part.push(values?);
            if part.len() == CHUNK {
                parts.blocking_send(std::mem::take(&mut part)).map_err(|_| StoreError::Closed)?;
            }
        }
        if !part.is_empty() {
            parts.blocking_send(part).map_err(|_| StoreError::Closed)?;
        }
        parts.blocking_send(Vec::new()).map_err(|_| StoreError::Closed)?;
    }
    Ok(connection)
}
