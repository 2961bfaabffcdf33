//! Signing keys.

use countersign_core::UnixTime;
use rusqlite::{Connection, Transaction, params};

use crate::store::{SealedKey, StoreError};

pub(super) fn all(connection: &Connection) -> Result<Vec<SealedKey>, StoreError> {
    let mut statement =
        connection.prepare("SELECT kid, sealed, created_at FROM signing_keys ORDER BY created_at, kid")?;
    let rows = statement.query_map([], |row| {
        Ok(SealedKey {
            kid: row.get(0)?,
            sealed: row.get(1)?,
            created_at: UnixTime::from_seconds(row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One statement: of two processes that start at once, one adds its key and both then read that one.
pub(super) fn add_first(transaction: &Transaction<'_>, key: &SealedKey) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO signing_keys (kid, sealed, created_at)
         SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM signing_keys)",
        params![key.kid, key.sealed, key.created_at.as_seconds()],
    )?;
    Ok(())
}
