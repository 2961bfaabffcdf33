//! What a transaction puts on record besides exchanges.

use serde_json::Value;

use super::race;
use super::session::Session;
use crate::store::audit::{ChainHead, ChangeRow, Entry, Hash};
use crate::store::database_error::Fault;
use crate::store::{Author, StoreError};

/// Writes the entries of the audit log.
pub(super) const INSERT_CHANGES: &str =
    "INSERT INTO changes (request, ordinal, at, actor, action, target, resource, before, after, chain, batch)
     SELECT request, ordinal, at, actor, action, target, resource, before, after, $10, $11
     FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
         $9::text[]) AS new (request, ordinal, at, actor, action, target, resource, before, after)";
/// Adds a link to a chain, if the chain ends where the link begins and its terms hold. Fails otherwise, for want of a chain.
pub(super) const INSERT_BATCH: &str = "WITH advanced AS (
         UPDATE chains SET number = $2, hash = $7, at = greatest(at, $3)
         WHERE id = $1 AND number = $2::bigint - 1 AND hash = $8
             AND current_setting('countersign.transaction', true) = 'open'
         RETURNING id)
     INSERT INTO batches (chain, number, at, row_count, first_id, last_id, hash)
     VALUES ((SELECT id FROM advanced
                  WHERE NOT EXISTS (SELECT 1 FROM replay_horizon WHERE forgotten_until > $9)
                  AND ($10::text IS NULL OR current_setting('countersign.uses', true) = $10)
                  AND NOT EXISTS (
                      SELECT 1 FROM unnest($11::text[], $12::bigint[]) AS expected (publisher, expected_revision)
                      WHERE NOT EXISTS (SELECT 1 FROM publishers
                          WHERE id = expected.publisher AND revision = expected.expected_revision AND pending_until IS NULL))
                  AND NOT EXISTS (
                      SELECT 1 FROM unnest($13::text[]) AS expected (issuer)
                      WHERE NOT EXISTS (SELECT 1 FROM issuers
                          WHERE url = expected.issuer AND disabled_at IS NULL AND removed_at IS NULL))),
         $2, $3, $4, $5, $6, $7)";

/// What a link is written on, besides where its chain ends. What is locked by then stays so until the transaction is committed.
#[derive(Default)]
pub(super) struct Terms<'a> {
    /// No id token has been forgotten that ends then or later.
    pub(super) earliest: Option<i64>,
    /// So many id tokens were used by this transaction.
    pub(super) uses: Option<String>,
    /// These publishers have these revisions, and are not pending.
    pub(super) publishers: Vec<(&'a str, i64)>,
    /// These issuers are there and not switched off.
    pub(super) issuers: Vec<&'a str>,
}

/// An entry that waits for the end of its transaction.
pub(super) struct OwnedChange {
    request: String,
    ordinal: u32,
    at: i64,
    actor: String,
    action: String,
    target: String,
    resource: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

impl OwnedChange {
    pub(super) fn of(author: &Author, ordinal: u32, entry: &Entry<'_>) -> Self {
        let text = |value: &Option<Value>| value.as_ref().map(ToString::to_string);
        Self {
            request: author.request.0.clone(),
            ordinal,
            at: author.at.as_seconds(),
            actor: author.actor.to_string(),
            action: entry.action.to_owned(),
            target: entry.target.clone(),
            resource: entry.resource.map(str::to_owned),
            before: text(&entry.before),
            after: text(&entry.after),
        }
    }

    pub(super) fn row(&self) -> ChangeRow<'_> {
        ChangeRow {
            request: &self.request,
            ordinal: self.ordinal,
            at: self.at,
            actor: &self.actor,
            action: &self.action,
            target: &self.target,
            resource: self.resource.as_deref(),
            before: self.before.as_deref(),
            after: self.after.as_deref(),
        }
    }
}

/// One statement for all of them.
pub(super) async fn write_changes(session: &Session, changes: &[OwnedChange]) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let rows: Vec<ChangeRow<'_>> = changes.iter().map(OwnedChange::row).collect();
    let requests: Vec<&str> = rows.iter().map(|row| row.request).collect();
    let ordinals: Vec<i64> = rows.iter().map(|row| i64::from(row.ordinal)).collect();
    let times: Vec<i64> = rows.iter().map(|row| row.at).collect();
    let actors: Vec<&str> = rows.iter().map(|row| row.actor).collect();
    let actions: Vec<&str> = rows.iter().map(|row| row.action).collect();
    let targets: Vec<&str> = rows.iter().map(|row| row.target).collect();
    let resources: Vec<Option<&str>> = rows.iter().map(|row| row.resource).collect();
    let before: Vec<Option<&str>> = rows.iter().map(|row| row.before).collect();
    let after: Vec<Option<&str>> = rows.iter().map(|row| row.after).collect();
    let (chain, number) = (session.chain(), session.number());
    session
        .execute(
            INSERT_CHANGES,
            &[
                &requests, &ordinals, &times, &actors, &actions, &targets, &resources, &before, &after,
                &chain, &number,
            ],
        )
        .await
        .map(drop)
}

/// The link with this hash after the head of the session's chain, the first and last id of its rows, and its terms. That it cannot
/// be written is another transaction's doing.
pub(super) async fn write_batch(
    session: &Session,
    head: &ChainHead,
    hash: &Hash,
    at: i64,
    rows: i64,
    (first, last): (&str, &str),
    terms: &Terms<'_>,
) -> Result<(), StoreError> {
    let (hash, previous, earliest) =
        (hash.as_slice(), head.hash.as_slice(), terms.earliest.unwrap_or(i64::MAX));
    let (publishers, revisions): (Vec<&str>, Vec<i64>) = terms.publishers.iter().copied().unzip();
    let written = session
        .execute(
            INSERT_BATCH,
            &[
                &session.chain(),
                &session.number(),
                &at,
                &rows,
                &first,
                &last,
                &hash,
                &previous,
                &earliest,
                &terms.uses,
                &publishers,
                &revisions,
                &terms.issuers,
            ],
        )
        .await;
    match written {
        Err(StoreError::Database(error)) if error.fault() == Fault::Row => {
            Err(race("another process went on with the chain, or what the batch rests on is not as it was"))
        }
        written => written.map(drop),
    }
}
