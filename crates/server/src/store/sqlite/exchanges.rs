//! What happens to exchanges that are on record.

use countersign_core::{IssuerUrl, UnixTime};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::journal::Journal;
use crate::store::audit::Entry;
use crate::store::exchange::COUNTED;
use crate::store::{Author, ExchangeId, LiveTokens, StoreError};

/// Seconds that cover the life of every token, whatever clocks say: 60 minutes, and as much again.
const LIVE: i64 = 7200;

/// Invariant 8, removing trust works at once: disabling, changing or removing a publisher marks its tokens in the same
/// transaction, and the ledger lets no exchange in that was decided before it.
pub(super) fn is_live(connection: &Connection, id: &str) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM exchanges WHERE id = ?1 AND outcome = 'issued' AND revoked_at IS NULL",
    )?;
    Ok(statement.exists([id])?)
}

pub(super) fn revoke(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    id: &ExchangeId,
) -> Result<bool, StoreError> {
    let revoked: Option<Option<String>> = transaction
        .prepare_cached(
            "UPDATE exchanges SET revoked_at = ?2 WHERE id = ?1 AND outcome = 'issued' AND revoked_at IS NULL
             RETURNING resource",
        )?
        .query_row(params![id.0, author.at.as_seconds()], |row| row.get(0))
        .optional()?;
    let Some(resource) = revoked else { return Ok(false) };
    let entry = Entry::new("token.revoked", format!("token:{id}"));
    journal.change(transaction, author, &Entry { resource: resource.as_deref(), ..entry })?;
    Ok(true)
}

/// Ends the live tokens of a publisher, which are all for its one resource.
pub(super) fn end_tokens_of_publisher(
    transaction: &Transaction<'_>,
    publisher: &str,
    resource: &str,
    at: UnixTime,
) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE exchanges SET revoked_at = ?3
         WHERE resource = ?2 AND id >= ?4 AND publisher = ?1 AND outcome = 'issued' AND revoked_at IS NULL",
        params![publisher, resource, at.as_seconds(), oldest_live(at)],
    )?;
    Ok(())
}

/// Ends the live tokens that were issued for the runs of an issuer.
pub(super) fn end_tokens_of_issuer(
    transaction: &Transaction<'_>,
    issuer: &IssuerUrl,
    at: UnixTime,
) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE exchanges SET revoked_at = ?2
         WHERE id >= ?3 AND issuer = ?1 AND outcome = 'issued' AND revoked_at IS NULL",
        params![issuer.as_str(), at.as_seconds(), oldest_live(at)],
    )?;
    Ok(())
}

/// No exchange before that id has a token that is still good.
fn oldest_live(at: UnixTime) -> String {
    ExchangeId::earliest_at(UnixTime::from_seconds(at.as_seconds() - LIVE)).0
}

/// Goes by the ids, which sort by time: an index of its own would cost every exchange something.
pub(super) fn count_live(
    connection: &Connection,
    from: &str,
    at: UnixTime,
) -> Result<LiveTokens, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*), max(id),
             count(CASE WHEN outcome = 'issued' AND at <= ?2 AND revoked_at IS NULL AND expires_at > ?2 THEN 1 END)
         FROM (SELECT id, at, outcome, revoked_at, expires_at FROM exchanges WHERE id > ?1 ORDER BY id LIMIT ?3)",
    )?;
    let (rows, last, live): (i64, Option<String>, i64) = statement
        .query_row(params![from, at.as_seconds(), COUNTED], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    Ok(LiveTokens::counted(rows, last, live))
}

pub(super) fn revoked_in(connection: &Connection, list: &str) -> Result<Vec<u32>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT status_index FROM exchanges WHERE status_list = ?1 AND revoked_at IS NOT NULL ORDER BY status_index",
    )?;
    let rows = statement.query_map([list], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
