//! The tables, and which versions of the program can use them.

use std::sync::Arc;

use super::connections::{column, connection};
use super::race;
use super::session::Database;
use crate::store::StoreError;
use crate::store::database_error::Fault;

/// One step of the schema. What has been released is never edited.
///
/// Steps either add what the programs before do not know and need not know (expand), or take away what no program in use
/// needs any more (contract). So two versions run side by side: migrate to the new version's schema, replace the nodes one by
/// one, and let the version after that contract.
struct Step {
    statements: &'static str,
    /// The oldest schema version whose program can still use the tables after this step.
    works_with: i64,
}

const STEPS: &[Step] = &[Step { statements: FIRST, works_with: 1 }];

/// The tables. Every value that has an order is a number; texts are compared for equality, and ids by their digits, in
/// which all collations agree.
const FIRST: &str = "
    CREATE TABLE publishers (
        id TEXT PRIMARY KEY,
        resource TEXT NOT NULL,
        issuer TEXT NOT NULL,
        rules TEXT NOT NULL,
        permission TEXT NOT NULL,
        state TEXT NOT NULL,
        revision BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        created_by TEXT NOT NULL,
        changed_at BIGINT NOT NULL,
        -- Until when it waits for its first run; NULL once its resource exists.
        pending_until BIGINT
    );
    CREATE INDEX publishers_by_resource ON publishers (resource, issuer);
    CREATE INDEX publishers_pending ON publishers (pending_until) WHERE pending_until IS NOT NULL;

    -- Resources that have or had publishers: only to be locked, so that of those who add publishers each counts the others'.
    CREATE TABLE resources (name TEXT PRIMARY KEY);

    -- Apart from the publishers, and a row for each chain that writes: it changes with every exchange, and nobody waits.
    CREATE TABLE publisher_uses (
        publisher TEXT NOT NULL,
        chain BIGINT NOT NULL,
        last_used_at BIGINT NOT NULL,
        exchanges BIGINT NOT NULL,
        PRIMARY KEY (publisher, chain)
    );

    -- The replay memory. The key is the whole protection: two uses of one id token meet in one row.
    CREATE TABLE used_id_tokens (
        id_token BYTEA PRIMARY KEY,
        exchanges BIGINT NOT NULL,
        -- What the last use was allowed: the statement that adds a use compares with it.
        max_exchanges BIGINT NOT NULL,
        forget_at BIGINT NOT NULL
    );
    CREATE INDEX used_id_tokens_by_time ON used_id_tokens (forget_at);
    -- Up to here, rows may have been forgotten: an id token that ends before is refused, whatever a clock says.
    CREATE TABLE replay_horizon (one BOOLEAN PRIMARY KEY, forgotten_until BIGINT NOT NULL);
    INSERT INTO replay_horizon VALUES (TRUE, 0);

    CREATE TABLE exchanges (
        id TEXT PRIMARY KEY,
        at BIGINT NOT NULL,
        outcome TEXT NOT NULL,
        resource TEXT,
        issuer TEXT,
        subject TEXT,
        publisher TEXT,
        expires_at BIGINT,
        status_list TEXT,
        status_index BIGINT,
        -- Text and not JSONB, which has no NUL, may write it differently, and so could not be hashed.
        detail TEXT NOT NULL,
        chain BIGINT NOT NULL,
        batch BIGINT NOT NULL,
        -- The one column that changes.
        revoked_at BIGINT
    );
    CREATE INDEX exchanges_by_resource ON exchanges (resource, id);
    CREATE INDEX exchanges_revoked ON exchanges (status_list, status_index) WHERE revoked_at IS NOT NULL;

    -- The audit log of everything but exchanges. Nothing is ever updated in it.
    CREATE TABLE changes (
        request TEXT NOT NULL,
        ordinal BIGINT NOT NULL,
        at BIGINT NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        target TEXT NOT NULL,
        resource TEXT,
        before TEXT,
        after TEXT,
        chain BIGINT NOT NULL,
        batch BIGINT NOT NULL,
        PRIMARY KEY (request, ordinal)
    );

    -- Each transaction that wrote exchanges or changes, chained by hashes.
    CREATE TABLE batches (
        chain BIGINT NOT NULL,
        number BIGINT NOT NULL,
        at BIGINT NOT NULL,
        row_count BIGINT NOT NULL,
        first_id TEXT NOT NULL,
        last_id TEXT NOT NULL,
        hash BYTEA NOT NULL,
        PRIMARY KEY (chain, number)
    );
    -- The end of each chain, which moves by compare-and-swap, and up to where it was pruned.
    CREATE TABLE chains (
        id BIGINT PRIMARY KEY,
        number BIGINT NOT NULL,
        hash BYTEA NOT NULL,
        at BIGINT NOT NULL,
        anchor_number BIGINT NOT NULL,
        anchor_hash BYTEA NOT NULL
    );

    CREATE TABLE issuers (
        url TEXT PRIMARY KEY,
        -- NULL for an issuer of the configuration, of which only the switch is kept.
        preset TEXT,
        created_at BIGINT NOT NULL,
        disabled_at BIGINT,
        -- Since when one that was added is gone. The row stays, so that exchanges which had found it come to nothing.
        removed_at BIGINT
    );

    CREATE TABLE admin_tokens (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        resources TEXT NOT NULL,
        hash BYTEA NOT NULL UNIQUE,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        last_used_at BIGINT
    );

    -- Creations that must not happen twice when they are sent twice.
    CREATE TABLE idempotency_keys (
        actor TEXT NOT NULL,
        key TEXT NOT NULL,
        request BYTEA NOT NULL,
        publishers TEXT NOT NULL,
        at BIGINT NOT NULL,
        PRIMARY KEY (actor, key)
    );
    CREATE INDEX idempotency_keys_by_time ON idempotency_keys (at);

    CREATE TABLE signing_keys (
        kid TEXT PRIMARY KEY,
        -- Two nodes that add a key at once meet here.
        number BIGINT NOT NULL UNIQUE,
        sealed BYTEA NOT NULL,
        created_at BIGINT NOT NULL,
        active_from BIGINT NOT NULL,
        revoked_at BIGINT
    );

    CREATE TABLE health (one BOOLEAN PRIMARY KEY, checks BIGINT NOT NULL);
    INSERT INTO health VALUES (TRUE, 0);
";

/// Where the schema's version is kept.
const VERSIONS: &str =
    "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY, works_with BIGINT NOT NULL)";
/// Whether there is a version.
const THERE: &str = "SELECT 1 FROM information_schema.tables
    WHERE table_schema = current_schema() AND table_name = 'schema_versions'";
/// The newest version.
const NEWEST: &str = "SELECT version, works_with FROM schema_versions ORDER BY version DESC LIMIT 1";
/// Says that a version is there.
const ADD_VERSION: &str = "INSERT INTO schema_versions (version, works_with) VALUES ($1, $2)";

/// The version that this program makes and needs.
fn latest() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// The version that is there, and the oldest one whose program can use it; zeros for an empty database.
async fn present(database: &Database) -> Result<(i64, i64), StoreError> {
    if database.query(THERE, &[]).await?.is_empty() {
        return Ok((0, 0));
    }
    let rows = database.query(NEWEST, &[]).await?;
    rows.first().map_or(Ok((0, 0)), |row| Ok((column(row, 0)?, column(row, 1)?)))
}

/// Makes sure that this program can use what is there.
pub(super) async fn check(database: &Database) -> Result<(), StoreError> {
    let (version, works_with) = present(database).await?;
    if version < latest() {
        return Err(StoreError::Schema(format!(
            "expected version {}, found {}; run `countersign-server migrate`, or set postgres.migrate = true",
            latest(),
            if version == 0 { "an empty database".to_owned() } else { format!("version {version}") },
        )));
    }
    if works_with > latest() {
        return Err(StoreError::Schema(format!(
            "expected version {}, found version {version}, which programs from before version {works_with} cannot use; start \
             the newer countersign-server",
            latest()
        )));
    }
    Ok(())
}

/// Brings the schema up to date. Returns the versions before and after. Of processes that do so at once one makes each step,
/// and the others find it made.
pub(super) async fn migrate(database: &Arc<Database>) -> Result<(i64, i64), StoreError> {
    const ATTEMPTS: usize = 20;
    let (before, _) = present(database).await?;
    for _ in 0..ATTEMPTS {
        let (version, _) = present(database).await?;
        let Some(step) = usize::try_from(version).ok().and_then(|done| STEPS.get(done)) else {
            return Ok((before, version));
        };
        match make(database, version + 1, step).await {
            Ok(()) => {}
            Err(StoreError::Database(error)) if !matches!(error.fault(), Fault::Connection | Fault::Gone) => {
                // Another process is making the same: then its step is there now, or will be when it has failed.
                if present(database).await?.0 == version && !matches!(error.fault(), Fault::Row | Fault::Race)
                {
                    return Err(StoreError::Database(error));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(race("the schema is being changed all the time"))
}

async fn make(database: &Database, version: i64, step: &Step) -> Result<(), StoreError> {
    let mut client = connection(&database.pool).await?;
    // A step may take long on large tables, which is nobody's wait.
    client.batch_execute("SET statement_timeout = 0").await?;
    let transaction = client.transaction().await?;
    transaction.batch_execute(VERSIONS).await?;
    // First of all: whoever comes second waits here, and then fails on the key.
    transaction.execute(ADD_VERSION, &[&version, &step.works_with]).await?;
    transaction.batch_execute(step.statements).await?;
    transaction.commit().await?;
    drop(deadpool_postgres::Object::take(client));
    Ok(())
}
