//! Signing keys.

use countersign_core::UnixTime;
use rusqlite::{Connection, Transaction, params};

use crate::store::{SealedKey, StoreError};

pub(super) fn all(connection: &Connection) -> Result<Vec<SealedKey>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT kid, sealed, created_at, active_from, revoked_at FROM signing_keys ORDER BY active_from, kid",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(SealedKey {
            kid: row.get(0)?,
            sealed: row.get(1)?,
            created_at: UnixTime::from_seconds(row.get(2)?),
            active_from: UnixTime::from_seconds(row.get(3)?),
            revoked_at: row.get::<_, Option<i64>>(4)?.map(UnixTime::from_seconds),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One statement: of processes that add at once, one does, and the others then read its key.
pub(super) fn add(
    transaction: &Transaction<'_>,
    key: &SealedKey,
    last: Option<&str>,
) -> Result<bool, StoreError> {
    let added = transaction.execute(
        "INSERT INTO signing_keys (kid, sealed, created_at, active_from)
         SELECT ?1, ?2, ?3, ?4
         WHERE (SELECT kid FROM signing_keys ORDER BY active_from DESC, kid DESC LIMIT 1) IS ?5",
        params![key.kid, key.sealed, key.created_at.as_seconds(), key.active_from.as_seconds(), last],
    )?;
    Ok(added == 1)
}

pub(super) fn revoke(transaction: &Transaction<'_>, kid: &str, at: UnixTime) -> Result<bool, StoreError> {
    let revoked = transaction.execute(
        "UPDATE signing_keys SET revoked_at = ?2 WHERE kid = ?1 AND revoked_at IS NULL",
        params![kid, at.as_seconds()],
    )?;
    Ok(revoked == 1)
}
