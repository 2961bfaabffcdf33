//! The ledger.

use countersign_core::{IssuerUrl, UnixTime};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::journal::{CHAIN, Journal};
use super::{issuers, publishers};
use crate::store::audit::{Entry, ExchangeRow};
use crate::store::{
    Actor, Author, Exchange, ExchangeId, Issuance, Outcome, StatusEntry, StoreError, Verdict,
};

/// Seconds that cover the life of every token, whatever clocks say: 60 minutes, and as much again.
const LIVE: i64 = 7200;

/// Records one exchange inside a transaction.
///
/// Invariant 2: the row of the id token and the record of the exchange are written by one transaction, and the row's key
/// lets only `max_exchanges` uses through, whatever runs beside. Invariant 3: nothing of a refusal touches that row.
pub(super) fn record(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    exchange: &Exchange,
) -> Result<Verdict, StoreError> {
    let issuance = match &exchange.outcome {
        Outcome::Refused(code) => {
            insert(transaction, journal, exchange, code, None)?;
            return Ok(Verdict::Recorded);
        }
        Outcome::Issued(issuance) => issuance,
    };
    let present = publishers::in_force(transaction, &issuance.publisher, exchange.at)?;
    let Some(present) = present.filter(|present| present.revision == issuance.revision) else {
        return Ok(Verdict::PublisherChanged);
    };
    if issuers::is_disabled(transaction, &issuance.issuer)? {
        return Ok(Verdict::IssuerDisabled);
    }
    if !use_id_token(transaction, issuance)? {
        let remembered = issuance.forget_at.as_seconds() >= forgotten_until(transaction)?;
        return Ok(if remembered { Verdict::Replayed } else { Verdict::TooLate });
    }
    let author = || Author { actor: Actor::Exchange, at: exchange.at, request: exchange.id.clone() };
    if let Some(rules) = &issuance.learned
        && !publishers::learn(transaction, journal, &author(), &issuance.publisher, issuance.revision, rules)?
    {
        // The revision was compared above, inside this very transaction.
        return Err(StoreError::unreadable("a publisher changed inside a transaction"));
    }
    if present.is_pending {
        publishers::confirm(transaction, journal, &author(), &issuance.publisher)?;
    }
    publishers::count_use(transaction, &issuance.publisher, exchange.at)?;
    insert(transaction, journal, exchange, "issued", Some(issuance))?;
    Ok(Verdict::Recorded)
}

/// Adds one use if the id token has one left, and is young enough that its uses are still remembered.
fn use_id_token(transaction: &Transaction<'_>, issuance: &Issuance) -> Result<bool, StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO used_id_tokens (issuer, id_token, exchanges, forget_at)
         SELECT ?1, ?2, 1, ?3 WHERE ?3 >= (SELECT forgotten_until FROM replay_horizon)
         ON CONFLICT (issuer, id_token) DO UPDATE
             SET exchanges = exchanges + 1, forget_at = max(forget_at, excluded.forget_at)
             WHERE exchanges < ?4",
    )?;
    let changed = statement.execute(params![
        issuance.issuer.as_str(),
        issuance.id_token.as_str(),
        issuance.forget_at.as_seconds(),
        issuance.max_exchanges
    ])?;
    Ok(changed == 1)
}

fn forgotten_until(transaction: &Transaction<'_>) -> Result<i64, StoreError> {
    let mut statement = transaction.prepare_cached("SELECT forgotten_until FROM replay_horizon")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Forgets id tokens that expiry refuses by itself. Strictly before now: a token is remembered as long as it is good.
///
/// An exchange may be older than `now` (it waited, or its node's clock is behind), so the horizon says how far forgetting
/// has come, and nothing from before it is let in any more. At most `limit` rows go at a time, so that no exchange waits
/// for a great clean-up.
pub(super) fn forget_expired(
    transaction: &Transaction<'_>,
    now: UnixTime,
    limit: usize,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "DELETE FROM used_id_tokens WHERE (issuer, id_token) IN
             (SELECT issuer, id_token FROM used_id_tokens WHERE forget_at < ?1 ORDER BY forget_at LIMIT ?2)",
    )?;
    let forgotten = statement.execute(params![now.as_seconds(), i64::try_from(limit).unwrap_or(i64::MAX)])?;
    if forgotten > 0 {
        let mut statement = transaction
            .prepare_cached("UPDATE replay_horizon SET forgotten_until = max(forgotten_until, ?1)")?;
        statement.execute([now.as_seconds()])?;
    }
    Ok(())
}

fn insert(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    exchange: &Exchange,
    outcome: &str,
    issuance: Option<&Issuance>,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO exchanges (id, at, outcome, resource, issuer, subject, publisher, expires_at, status_list, status_index,
             detail, chain, batch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    let resource = exchange.resource.as_ref().map(ToString::to_string);
    let status = issuance.and_then(|issuance| issuance.status.as_ref());
    let row = ExchangeRow {
        id: &exchange.id.0,
        at: exchange.at.as_seconds(),
        outcome,
        resource: resource.as_deref(),
        issuer: exchange.issuer.as_deref(),
        subject: exchange.subject.as_deref(),
        publisher: issuance.map(|issuance| issuance.publisher.as_str()),
        expires_at: issuance.map(|issuance| issuance.expires_at.as_seconds()),
        status: status.map(|StatusEntry { list, index }| (list.as_str(), *index)),
        detail: &exchange.detail,
    };
    statement.execute(params![
        row.id,
        row.at,
        row.outcome,
        row.resource,
        row.issuer,
        row.subject,
        row.publisher,
        row.expires_at,
        row.status.map(|(list, _)| list),
        row.status.map(|(_, index)| index),
        row.detail,
        CHAIN,
        journal.number(),
    ])?;
    journal.exchange(&row);
    Ok(())
}

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

pub(super) fn revoked_in(connection: &Connection, list: &str) -> Result<Vec<u32>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT status_index FROM exchanges WHERE status_list = ?1 AND revoked_at IS NOT NULL ORDER BY status_index",
    )?;
    let rows = statement.query_map([list], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
