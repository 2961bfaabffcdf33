//! The ledger.

use countersign_core::UnixTime;
use rusqlite::{Connection, Transaction, params};

use super::publishers;
use crate::store::{Exchange, ExchangeId, Issuance, Outcome, RecordedExchange, StoreError, Verdict};

/// Records one exchange inside a transaction.
///
/// Invariant 2: the row of the id token and the record of the exchange are written by one transaction, and the row's key
/// lets only `max_exchanges` uses through, whatever runs beside. Invariant 3: nothing of a refusal touches that row.
pub(super) fn record(transaction: &Transaction<'_>, exchange: &Exchange) -> Result<Verdict, StoreError> {
    let issuance = match &exchange.outcome {
        Outcome::Refused(code) => {
            insert(transaction, exchange, code, None)?;
            return Ok(Verdict::Recorded);
        }
        Outcome::Issued(issuance) => issuance,
    };
    if publishers::revision(transaction, &issuance.publisher)? != Some(issuance.revision) {
        return Ok(Verdict::PublisherChanged);
    }
    if !use_id_token(transaction, issuance)? {
        let remembered = issuance.forget_at.as_seconds() >= forgotten_until(transaction)?;
        return Ok(if remembered { Verdict::Replayed } else { Verdict::TooLate });
    }
    if let Some(rules) = &issuance.learned
        && !publishers::learn(transaction, &issuance.publisher, issuance.revision, rules, exchange.at)?
    {
        // The revision was compared above, inside this very transaction.
        return Err(StoreError::Row("a publisher changed inside a transaction".to_owned()));
    }
    publishers::count_use(transaction, &issuance.publisher, exchange.at)?;
    insert(transaction, exchange, "issued", Some(issuance))?;
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
    exchange: &Exchange,
    outcome: &str,
    issuance: Option<&Issuance>,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO exchanges (id, at, outcome, resource, issuer, subject, publisher, expires_at, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    statement.execute(params![
        exchange.id.0,
        exchange.at.as_seconds(),
        outcome,
        exchange.resource.as_ref().map(ToString::to_string),
        exchange.issuer,
        exchange.subject,
        issuance.map(|issuance| issuance.publisher.as_str()),
        issuance.map(|issuance| issuance.expires_at.as_seconds()),
        exchange.detail,
    ])?;
    Ok(())
}

/// Invariant 8, removing trust works at once: a token is live only while its publisher is there, enabled, and has not been
/// disabled since. Nothing has to be swept: the question itself looks.
pub(super) fn is_live(connection: &Connection, id: &str) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM exchanges JOIN publishers ON publishers.id = exchanges.publisher
         WHERE exchanges.id = ?1 AND outcome = 'issued' AND revoked_at IS NULL
             AND state = 'enabled' AND exchanges.at > tokens_ended_at",
    )?;
    Ok(statement.exists([id])?)
}

pub(super) fn revoke(transaction: &Transaction<'_>, id: &str, at: UnixTime) -> Result<bool, StoreError> {
    let revoked = transaction.execute(
        "UPDATE exchanges SET revoked_at = ?2 WHERE id = ?1 AND outcome = 'issued' AND revoked_at IS NULL",
        params![id, at.as_seconds()],
    )?;
    Ok(revoked == 1)
}

pub(super) fn latest(connection: &Connection, limit: u32) -> Result<Vec<RecordedExchange>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, at, outcome, resource, issuer, subject, publisher, expires_at, detail
         FROM exchanges ORDER BY id DESC LIMIT ?1",
    )?;
    let rows = statement.query_map([limit], |row| {
        let detail: String = row.get(8)?;
        Ok(RecordedExchange {
            id: ExchangeId(row.get(0)?),
            at: UnixTime::from_seconds(row.get(1)?),
            outcome: row.get(2)?,
            resource: row.get(3)?,
            issuer: row.get(4)?,
            subject: row.get(5)?,
            publisher: row.get(6)?,
            expires_at: row.get::<_, Option<i64>>(7)?.map(UnixTime::from_seconds),
            detail: serde_json::from_str(&detail).unwrap_or(serde_json::Value::String(detail)),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
