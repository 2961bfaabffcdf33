//! The ledger, one token at a time.

use countersign_core::{IssuerUrl, UnixTime};

use super::Database;
use super::connections::column;
use super::session::Session;
use crate::store::audit::Entry;
use crate::store::exchange::COUNTED;
use crate::store::{Author, ExchangeId, LiveTokens, StoreError};

/// Says whether a token is live.
pub(super) const IS_LIVE: &str =
    "SELECT 1 FROM exchanges WHERE id = $1 AND outcome = 'issued' AND revoked_at IS NULL";
/// Revokes a token.
pub(super) const REVOKE_TOKEN: &str = "UPDATE exchanges SET revoked_at = $2 WHERE id = $1 AND outcome = 'issued' AND revoked_at IS NULL RETURNING resource";
/// Ends the live tokens of a publisher, which are all for its one resource.
pub(super) const END_TOKENS_OF_PUBLISHER: &str = "UPDATE exchanges SET revoked_at = $3
     WHERE resource = $2 AND id >= $4 AND publisher = $1 AND outcome = 'issued' AND revoked_at IS NULL";
/// Ends the live tokens that were issued for the runs of an issuer.
pub(super) const END_TOKENS_OF_ISSUER: &str = "UPDATE exchanges SET revoked_at = $2
     WHERE id >= $3 AND issuer = $1 AND outcome = 'issued' AND revoked_at IS NULL";
/// Counts the live tokens among the next exchanges. Goes by the ids, which sort by time: an index of its own would cost every
/// exchange something.
pub(super) const COUNT_LIVE: &str = "SELECT count(*), max(id),
         count(CASE WHEN outcome = 'issued' AND at <= $2 AND revoked_at IS NULL AND expires_at > $2 THEN 1 END)
     FROM (SELECT id, at, outcome, revoked_at, expires_at FROM exchanges WHERE id > $1 ORDER BY id LIMIT $3) AS following";
/// Lists the revoked tokens of a status list.
pub(super) const REVOKED_IN: &str = "SELECT status_index FROM exchanges WHERE status_list = $1 AND revoked_at IS NOT NULL ORDER BY status_index";

/// Seconds that cover the life of every token, whatever clocks say: 60 minutes, and as much again.
const LIVE: i64 = 7200;

/// Invariant 8, removing trust works at once: disabling, changing or removing a publisher marks its tokens in the same
/// transaction, and the ledger lets no exchange in that was decided before it.
pub(super) async fn is_live(database: &Database, id: &str) -> Result<bool, StoreError> {
    Ok(!database.query(IS_LIVE, &[&id]).await?.is_empty())
}

pub(super) async fn revoke(
    session: &mut Session,
    author: &Author,
    id: &ExchangeId,
) -> Result<bool, StoreError> {
    let revoked = session.first(REVOKE_TOKEN, &[&id.0, &author.at.as_seconds()]).await?;
    let Some(row) = revoked else { return Ok(false) };
    let entry = Entry::new("token.revoked", format!("token:{id}"));
    session.note_change(author, &Entry { resource: column(&row, 0)?, ..entry });
    Ok(true)
}

/// The publisher's row must have been changed or locked before in the same transaction: then whatever an exchange commits
/// through it is committed already, and is seen here.
pub(super) async fn end_tokens_of_publisher(
    session: &Session,
    publisher: &str,
    resource: &str,
    at: UnixTime,
) -> Result<(), StoreError> {
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&publisher, &resource, &at.as_seconds(), &oldest_live(at)];
    session.execute(END_TOKENS_OF_PUBLISHER, &values).await.map(drop)
}

/// The same goes for the issuer's row.
pub(super) async fn end_tokens_of_issuer(
    session: &Session,
    issuer: &IssuerUrl,
    at: UnixTime,
) -> Result<(), StoreError> {
    session
        .execute(END_TOKENS_OF_ISSUER, &[&issuer.as_str(), &at.as_seconds(), &oldest_live(at)])
        .await
        .map(drop)
}

/// No exchange before that id has a token that is still good.
fn oldest_live(at: UnixTime) -> String {
    ExchangeId::earliest_at(UnixTime::from_seconds(at.as_seconds() - LIVE)).0
}

pub(super) async fn count_live(
    database: &Database,
    from: &str,
    at: UnixTime,
) -> Result<LiveTokens, StoreError> {
    let rows = database.query(COUNT_LIVE, &[&from, &at.as_seconds(), &COUNTED]).await?;
    let row = rows.first().ok_or_else(|| StoreError::unreadable("a count without a row"))?;
    Ok(LiveTokens::counted(column(row, 0)?, column(row, 1)?, column(row, 2)?))
}

pub(super) async fn revoked_in(database: &Database, list: &str) -> Result<Vec<u32>, StoreError> {
    let rows = database.query(REVOKED_IN, &[&list]).await?;
    rows.iter().map(|row| u32::try_from(column::<i64>(row, 0)?).map_err(StoreError::unreadable)).collect()
}
