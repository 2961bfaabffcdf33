//! The tables.

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite_migration::{M, Migrations};

use crate::store::StoreError;

/// How long a statement waits for another process (a `publisher add` beside the server) before it gives up.
pub(in crate::store) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Forward only; what has been released is never edited.
///
/// Tables of small rows that have a key of their own are `WITHOUT ROWID`. Those of large ones (publishers, exchanges, changes) are not: it
/// would put whole rows between the branches of the tree, four or five to a page, and make it several levels deeper.
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
        created_by TEXT NOT NULL,
        changed_at INTEGER NOT NULL,
        -- Until when it waits for its first run; NULL once its resource exists.
        pending_until INTEGER
    ) STRICT;
    CREATE INDEX publishers_by_resource ON publishers (resource, issuer);
    CREATE INDEX publishers_pending ON publishers (pending_until) WHERE pending_until IS NOT NULL;

    -- Apart from the publishers: it changes with every exchange, they hardly ever do.
    CREATE TABLE publisher_uses (
        publisher TEXT PRIMARY KEY,
        last_used_at INTEGER NOT NULL,
        exchanges INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- The replay memory: each use of an id token, in order. The number is the protection: each is one more than that of the
    -- last use, so nobody can add one without having seen all before it. See replay.rs.
    CREATE TABLE used_id_tokens (
        number INTEGER PRIMARY KEY,
        id_token BLOB NOT NULL CHECK (length(id_token) = 16),
        -- Of the id token so far, with this one.
        exchanges INTEGER NOT NULL CHECK (exchanges > 0),
        -- The latest of them.
        forget_at INTEGER NOT NULL
    ) STRICT;
    -- Up to here, rows may have been forgotten: an id token that ends before is refused, whatever a clock says.
    CREATE TABLE replay_horizon (forgotten_until INTEGER NOT NULL) STRICT;
    INSERT INTO replay_horizon VALUES (0);

    -- Ids sort by time, so the index on them is appended to as well.
    CREATE TABLE exchanges (
        id TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        resource TEXT,
        issuer TEXT,
        subject TEXT,
        publisher TEXT,
        expires_at INTEGER,
        status_list TEXT,
        status_index INTEGER,
        detail TEXT NOT NULL,
        chain INTEGER NOT NULL,
        batch INTEGER NOT NULL,
        -- The one column that changes.
        revoked_at INTEGER
    ) STRICT;
    -- Finds what happened to a resource, and the live tokens of its publishers.
    CREATE INDEX exchanges_by_resource ON exchanges (resource, id);
    CREATE INDEX exchanges_revoked ON exchanges (status_list, status_index) WHERE revoked_at IS NOT NULL;

    -- The audit log of everything but exchanges. Nothing is ever updated in it.
    CREATE TABLE changes (
        request TEXT NOT NULL,
        ordinal INTEGER NOT NULL,
        at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        resource TEXT,
        before TEXT,
        after TEXT,
        chain INTEGER NOT NULL,
        batch INTEGER NOT NULL,
        PRIMARY KEY (request, ordinal)
    ) STRICT;

    -- Each transaction that wrote exchanges or changes, chained by hashes.
    CREATE TABLE batches (
        chain INTEGER NOT NULL,
        number INTEGER NOT NULL,
        at INTEGER NOT NULL,
        row_count INTEGER NOT NULL,
        first_id TEXT NOT NULL,
        last_id TEXT NOT NULL,
        hash BLOB NOT NULL,
        PRIMARY KEY (chain, number)
    ) STRICT, WITHOUT ROWID;
    -- Up to where each chain was pruned: verification begins there.
    CREATE TABLE chain_anchors (
        chain INTEGER PRIMARY KEY,
        number INTEGER NOT NULL,
        hash BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE issuers (
        url TEXT PRIMARY KEY,
        -- NULL for an issuer of the configuration, of which only the switch is kept.
        preset TEXT,
        created_at INTEGER NOT NULL,
        disabled_at INTEGER,
        -- Since when one that was added is gone. The row stays, so that exchanges which had found it come to nothing.
        removed_at INTEGER
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE admin_tokens (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        resources TEXT NOT NULL,
        hash BLOB NOT NULL UNIQUE,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        last_used_at INTEGER
    ) STRICT, WITHOUT ROWID;

    -- Creations that must not happen twice when they are sent twice.
    CREATE TABLE idempotency_keys (
        actor TEXT NOT NULL,
        key TEXT NOT NULL,
        request BLOB NOT NULL,
        publishers TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (actor, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX idempotency_keys_by_time ON idempotency_keys (at);

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
    // The log is looked after in `checkpoint.rs`. This is for where that cannot keep up: a log of 128 MiB.
    connection.pragma_update(None, "wal_autocheckpoint", 32_000)?;
    // Plans do not depend on bound values, so binding never prepares a statement anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -64_000)?;
    connection.set_prepared_statement_cache_capacity(64);
    let migrations = Migrations::new(MIGRATIONS.iter().copied().map(M::up).collect());
    migrations.to_latest(connection).map_err(|error| StoreError::Schema(error.to_string()))
}
