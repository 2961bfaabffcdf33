//! Creations that may be sent twice but happen once.

use countersign_core::publisher::PublisherId;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::store::column;
use crate::store::{Author, Conflict, IdempotencyKey, StoreError};

/// Seconds for which a key is remembered: long enough for every retry.
const MEMORY: i64 = 24 * 60 * 60;

/// What the key was used for by this actor: the publishers that came of it, or a conflict with another request.
pub(super) fn find(
    connection: &Connection,
    author: &Author,
    key: &IdempotencyKey,
) -> Result<Option<Result<Vec<PublisherId>, Conflict>>, StoreError> {
    let found: Option<(Vec<u8>, String)> = connection
        .prepare_cached(
            "SELECT request, publishers FROM idempotency_keys WHERE actor = ?1 AND key = ?2 AND at > ?3",
        )?
        .query_row(params![author.actor.to_string(), key.key, author.at.as_seconds() - MEMORY], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((request, publishers)) = found else { return Ok(None) };
    if request != key.request {
        return Ok(Some(Err(Conflict::KeyReused)));
    }
    serde_json::from_str(&publishers).map(|ids| Some(Ok(ids))).map_err(StoreError::unreadable)
}

pub(super) fn remember(
    transaction: &Transaction<'_>,
    author: &Author,
    key: &IdempotencyKey,
    publishers: &[PublisherId],
) -> Result<(), StoreError> {
    let publishers = column::to_text(&publishers)?;
    transaction.execute(
        "INSERT OR REPLACE INTO idempotency_keys (actor, key, request, publishers, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![author.actor.to_string(), key.key, key.request, publishers, author.at.as_seconds()],
    )?;
    Ok(())
}

/// Forgets keys that nobody retries any more.
pub(super) fn forget(
    transaction: &Transaction<'_>,
    author: &Author,
    limit: u32,
) -> Result<usize, StoreError> {
    Ok(transaction.execute(
        "DELETE FROM idempotency_keys WHERE (actor, key) IN
             (SELECT actor, key FROM idempotency_keys WHERE at <= ?1 LIMIT ?2)",
        params![author.at.as_seconds() - MEMORY, limit],
    )?)
}
