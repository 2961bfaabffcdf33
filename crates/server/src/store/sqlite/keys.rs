//! Signing keys.

use rusqlite::{Connection, Transaction, params};
use serde_json::json;

use super::journal::Journal;
use crate::store::audit::Entry;
use crate::store::column::time;
use crate::store::{Author, SealedKey, StoreError};

pub(super) fn all(connection: &Connection) -> Result<Vec<SealedKey>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT kid, sealed, created_at, active_from, revoked_at FROM signing_keys ORDER BY active_from, kid",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(SealedKey {
            kid: row.get(0)?,
            sealed: row.get(1)?,
            created_at: time(row.get(2)?),
            active_from: time(row.get(3)?),
            revoked_at: row.get::<_, Option<i64>>(4)?.map(time),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One statement: of processes that add at once, one does, and the others then read its key.
pub(super) fn add(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    key: &SealedKey,
    last: Option<&str>,
) -> Result<bool, StoreError> {
    let (created_at, active_from) = (key.created_at.as_seconds(), key.active_from.as_seconds());
    let added = transaction.execute(
        "INSERT INTO signing_keys (kid, sealed, created_at, active_from)
         SELECT ?1, ?2, ?3, ?4
         WHERE (SELECT kid FROM signing_keys ORDER BY active_from DESC, kid DESC LIMIT 1) IS ?5",
        params![key.kid, key.sealed, created_at, active_from, last],
    )?;
    if added == 1 {
        let after = json!({ "created_at": created_at, "active_from": active_from });
        let entry = Entry::new("signing_key.added", format!("signing_key:{}", key.kid));
        journal.change(transaction, author, &Entry { after: Some(after), ..entry })?;
    }
    Ok(added == 1)
}

pub(super) fn revoke(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    kid: &str,
) -> Result<bool, StoreError> {
    let revoked = transaction.execute(
        "UPDATE signing_keys SET revoked_at = ?2 WHERE kid = ?1 AND revoked_at IS NULL",
        params![kid, author.at.as_seconds()],
    )?;
    if revoked == 1 {
        let entry = Entry::new("signing_key.revoked", format!("signing_key:{kid}"));
        journal.change(transaction, author, &entry)?;
    }
    Ok(revoked == 1)
}
