//! The tables.

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite_migration::{M, Migrations};

use crate::store::StoreError;

/// How long a statement waits for another process (a `publisher add` beside the server) before it gives up.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Forward only; what has been released is never edited.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE publishers (
        id TEXT PRIMARY KEY,
        resource TEXT NOT NULL,
        issuer TEXT NOT NULL,
        rules TEXT NOT NULL,
        permission TEXT NOT NULL,
        state TEXT NOT NULL,
        revision INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        -- Tokens issued up to this second are dead: it was disabled then.
        tokens_ended_at INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX publishers_by_resource ON publishers (resource, issuer);

    -- Apart from the publishers: it changes with every exchange, they hardly ever do.
    CREATE TABLE publisher_uses (
        publisher TEXT PRIMARY KEY,
        last_used_at INTEGER NOT NULL,
        exchanges INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE publisher_changes (
        at INTEGER NOT NULL,
        change TEXT NOT NULL,
        publisher TEXT NOT NULL,
        content TEXT NOT NULL
    ) STRICT;

    -- The replay memory. The key is the whole protection: two uses of one id token meet in one row.
    CREATE TABLE used_id_tokens (
        issuer TEXT NOT NULL,
        id_token TEXT NOT NULL,
        exchanges INTEGER NOT NULL,
        forget_at INTEGER NOT NULL,
        PRIMARY KEY (issuer, id_token)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX used_id_tokens_by_time ON used_id_tokens (forget_at);
    -- Up to here, rows may have been forgotten: an id token that ends before is refused, whatever a clock says.
    CREATE TABLE replay_horizon (forgotten_until INTEGER NOT NULL) STRICT;
    INSERT INTO replay_horizon VALUES (0);

    -- Ids sort by time, so rows are appended.
    CREATE TABLE exchanges (
        id TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        resource TEXT,
        issuer TEXT,
        subject TEXT,
        publisher TEXT,
        expires_at INTEGER,
        revoked_at INTEGER,
        detail TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE admin_tokens (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        hash BLOB NOT NULL UNIQUE,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        last_used_at INTEGER
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE signing_keys (
        kid TEXT PRIMARY KEY,
        sealed BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        active_from INTEGER NOT NULL,
        revoked_at INTEGER
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE health (checks INTEGER NOT NULL) STRICT;
    INSERT INTO health VALUES (0);
"];

/// Sets the connection up and brings the tables up to date.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit is on disk before it is answered (invariant 1), also when the power fails.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Larger than the default 1,000 pages: under load, pages that are written again and again go to the file once.
    connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    // Plans do not depend on bound values, so binding never prepares a statement anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -64_000)?;
    connection.set_prepared_statement_cache_capacity(32);
    let migrations = Migrations::new(MIGRATIONS.iter().copied().map(M::up).collect());
    migrations.to_latest(connection).map_err(|error| StoreError::Schema(error.to_string()))
}
