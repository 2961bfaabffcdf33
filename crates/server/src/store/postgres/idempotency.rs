//! Creations that may be sent twice but happen once.

use countersign_core::publisher::PublisherId;
use tokio_postgres::Row;

use super::connections::column;
use super::session::Session;
use super::{Database, publishers, race};
use crate::store::column::to_text;
use crate::store::{Author, Conflict, IdempotencyKey, ListedPublisher, StoreError};

/// Finds what an idempotency key was used for.
pub(super) const FIND_KEY: &str =
    "SELECT request, publishers FROM idempotency_keys WHERE actor = $1 AND key = $2 AND at > $3";
/// Remembers the use of an idempotency key, unless it is in use.
pub(super) const REMEMBER_KEY: &str =
    "INSERT INTO idempotency_keys (actor, key, request, publishers, at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (actor, key) DO UPDATE SET request = excluded.request, publishers = excluded.publishers, at = excluded.at
         WHERE idempotency_keys.at <= $6";
/// Forgets idempotency keys that nobody retries any more.
pub(super) const FORGET_KEYS: &str = "DELETE FROM idempotency_keys WHERE (actor, key) IN
         (SELECT actor, key FROM idempotency_keys WHERE at <= $1 ORDER BY at LIMIT $2)";

/// Seconds for which a key is remembered: long enough for every retry.
const MEMORY: i64 = 24 * 60 * 60;

/// What the key was used for by this actor: the publishers that came of it, or a conflict with another request.
pub(super) async fn find(
    session: &Session,
    author: &Author,
    key: &IdempotencyKey,
) -> Result<Option<Result<Vec<PublisherId>, Conflict>>, StoreError> {
    let actor = author.actor.to_string();
    let found = session.query(FIND_KEY, &[&actor, &key.key, &(author.at.as_seconds() - MEMORY)]).await?;
    found.first().map(|row| used_for(row, key)).transpose()
}

/// What a request that was made before came to.
pub(super) async fn repeated(
    database: &Database,
    author: &Author,
    key: &IdempotencyKey,
) -> Result<Option<Result<Vec<ListedPublisher>, Conflict>>, StoreError> {
    let actor = author.actor.to_string();
    let found = database.query(FIND_KEY, &[&actor, &key.key, &(author.at.as_seconds() - MEMORY)]).await?;
    let ids = match found.first().map(|row| used_for(row, key)).transpose()? {
        Some(Ok(ids)) => ids,
        Some(Err(conflict)) => return Ok(Some(Err(conflict))),
        None => return Ok(None),
    };
    let mut shown = Vec::with_capacity(ids.len());
    for id in &ids {
        shown.extend(publishers::one(database, id).await?);
    }
    Ok(Some(Ok(shown)))
}

fn used_for(row: &Row, key: &IdempotencyKey) -> Result<Result<Vec<PublisherId>, Conflict>, StoreError> {
    if column::<&[u8]>(row, 0)? != key.request {
        return Ok(Err(Conflict::KeyReused));
    }
    serde_json::from_str(column(row, 1)?).map(Ok).map_err(StoreError::unreadable)
}

/// Fails for a race if another node has used the key since it was looked for: made again, the change finds it.
pub(super) async fn remember(
    session: &Session,
    author: &Author,
    key: &IdempotencyKey,
    publishers: &[PublisherId],
) -> Result<(), StoreError> {
    let (actor, at, publishers) = (author.actor.to_string(), author.at.as_seconds(), to_text(&publishers)?);
    let remembered = session
        .execute(REMEMBER_KEY, &[&actor, &key.key, &key.request.as_slice(), &publishers, &at, &(at - MEMORY)])
        .await?;
    if remembered == 1 { Ok(()) } else { Err(race("the same request is made on another node")) }
}

/// How many keys went, at most `limit`.
pub(super) async fn forget(session: &Session, author: &Author, limit: u32) -> Result<u64, StoreError> {
    session.execute(FORGET_KEYS, &[&(author.at.as_seconds() - MEMORY), &i64::from(limit)]).await
}
