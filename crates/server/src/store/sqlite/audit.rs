//! The audit log: reading it, following its chain, pruning it.

use countersign_core::UnixTime;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};
use serde_json::{Value, json};

use super::conditions::Conditions;
use super::journal::{self, CHAIN, Journal};
use super::search::SCAN;
use crate::admin::is_within;
use crate::store::audit::{
    Batch, ChainBreak, ChainHead, ChainReader, ChangeRow, Entry, ExchangeRow, Link, Verified,
};
use crate::store::column::{from_text, time};
use crate::store::{Author, Change, ChangeFilter, ExchangeId, Page, Part, StoreError};

/// Rows that one call prunes at most, if a single batch does not have more.
const PRUNE: i64 = 2_000;

pub(super) fn changes(
    connection: &Connection,
    filter: &ChangeFilter,
    page: &Page,
) -> Result<Part<Change>, StoreError> {
    let mut conditions = Conditions::default();
    conditions.and("resource = ?", filter.resource.clone());
    conditions.and("target = ?", filter.target.clone());
    conditions.and("actor = ?", filter.actor.clone());
    conditions.and("at >= ?", filter.since.map(UnixTime::as_seconds));
    conditions.and("at < ?", filter.until.map(UnixTime::as_seconds));
    if let Some((request, ordinal)) = page.after.as_deref().and_then(|after| after.split_once('/')) {
        let ordinal: i64 = ordinal.parse().unwrap_or(0);
        conditions.and("(request, ordinal) < (?", Some(request.to_owned())).more(", ?)", ordinal);
    }
    let limit = page.limit as usize;
    let mut statement = connection.prepare(&format!(
        "SELECT request, ordinal, at, actor, action, target, resource, before, after FROM changes {}
         ORDER BY request DESC, ordinal DESC",
        conditions.text(),
    ))?;
    let mut rows = statement.query(params_from_iter(conditions.values()))?;
    let mut entries: Vec<Change> = Vec::new();
    let (mut last_seen, mut scanned) = (String::new(), 0);
    while let Some(row) = rows.next()? {
        scanned += 1;
        if scanned > SCAN {
            return Ok(Part { entries, next: Some(last_seen) });
        }
        last_seen = format!("{}/{}", text(row, 0)?, row.get::<_, u32>(1)?);
        let resource = optional_text(row, 6)?;
        if !is_within(filter.within.as_deref(), resource) {
            continue;
        }
        if entries.len() == limit {
            let next = entries.last().map(|last| format!("{}/{}", last.request, last.ordinal));
            return Ok(Part { entries, next });
        }
        entries.push(read(row)?);
    }
    Ok(Part { entries, next: None })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Change> {
    let json = |text: Option<String>| text.map(from_text);
    Ok(Change {
        request: ExchangeId(row.get(0)?),
        ordinal: row.get(1)?,
        at: time(row.get(2)?),
        actor: row.get(3)?,
        action: row.get(4)?,
        target: row.get(5)?,
        resource: row.get(6)?,
        before: json(row.get(7)?),
        after: json(row.get(8)?),
    })
}

/// Follows the chain. Reads in one transaction: what is written meanwhile does not confuse it.
pub(super) fn verify(
    connection: &Connection,
    noted: &[ChainHead],
) -> Result<Result<Verified, ChainBreak>, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let anchor = journal::anchor(&snapshot)?;
    if anchor.number > 0 && last_pruned(&snapshot)?.as_deref() != Some(anchor.to_string().as_str()) {
        return Ok(Err(ChainBreak::Anchor(anchor)));
    }
    // What was pruned cannot be compared any more.
    let (mut noted, pruned): (Vec<ChainHead>, _) = noted
        .iter()
        .filter(|head| **head != anchor && head.number > 0)
        .cloned()
        .partition(|head| head.chain != anchor.chain || head.number >= anchor.number);
    let mut reader = ChainReader::after(anchor);
    let mut verified = Verified { pruned, ..Verified::default() };
    let mut links = snapshot.prepare(
        "SELECT number, row_count, first_id, last_id, hash FROM batches WHERE chain = ?1 ORDER BY number",
    )?;
    let mut links = links.query([CHAIN])?;
    while let Some(row) = links.next()? {
        let link = Link { number: row.get(0)?, rows: row.get(1)?, hash: row.get(4)? };
        let (first, last): (String, String) = (row.get(2)?, row.get(3)?);
        let mut batch = reader.expected();
        add_rows(&snapshot, &mut batch, &first, &last)?;
        if let Err(broken) = reader.follow(&link, &batch) {
            return Ok(Err(broken));
        }
        noted.retain(|head| head != reader.head());
        verified.batches += 1;
        verified.rows += u64::try_from(link.rows).unwrap_or(0);
    }
    if let Some(unknown) = noted.pop() {
        return Ok(Err(ChainBreak::Unknown(unknown)));
    }
    let found: i64 = snapshot.query_row(
        "SELECT (SELECT count(*) FROM exchanges) + (SELECT count(*) FROM changes)",
        [],
        |row| row.get(0),
    )?;
    let expected = i64::try_from(verified.rows).unwrap_or(i64::MAX);
    if found != expected {
        return Ok(Err(ChainBreak::Foreign { expected, found }));
    }
    verified.heads.push(reader.head().clone());
    Ok(Ok(verified))
}

const PRUNED: &str = "audit.pruned";

fn target() -> String {
    format!("chain:{CHAIN}")
}

/// Up to where the log itself says that it was pruned.
fn last_pruned(connection: &Connection) -> Result<Option<String>, StoreError> {
    let after: Option<String> = connection
        .prepare_cached(
            "SELECT after FROM changes WHERE action = ?1 AND target = ?2 ORDER BY request DESC, ordinal DESC LIMIT 1",
        )?
        .query_row([PRUNED, &target()], |row| row.get(0))
        .optional()?;
    let after: Option<Value> =
        after.map(|text| serde_json::from_str(&text)).transpose().map_err(StoreError::unreadable)?;
    Ok(after.and_then(|after| after["head"].as_str().map(str::to_owned)))
}

/// Adds the rows that say they were written with a batch.
fn add_rows(connection: &Connection, batch: &mut Batch, first: &str, last: &str) -> Result<(), StoreError> {
    let key = params![first, last, batch.chain, batch.number];
    let mut statement = connection.prepare_cached(
        "SELECT id, at, outcome, resource, issuer, subject, publisher, expires_at, status_list, status_index, detail
         FROM exchanges WHERE id BETWEEN ?1 AND ?2 AND chain = ?3 AND batch = ?4",
    )?;
    let mut rows = statement.query(key)?;
    while let Some(row) = rows.next()? {
        let status = (optional_text(row, 8)?, row.get::<_, Option<u32>>(9)?);
        batch.exchange(&ExchangeRow {
            id: text(row, 0)?,
            at: row.get(1)?,
            outcome: text(row, 2)?,
            resource: optional_text(row, 3)?,
            issuer: optional_text(row, 4)?,
            subject: optional_text(row, 5)?,
            publisher: optional_text(row, 6)?,
            expires_at: row.get(7)?,
            status: status.0.zip(status.1),
            detail: text(row, 10)?,
        });
    }
    let mut statement = connection.prepare_cached(
        "SELECT request, ordinal, at, actor, action, target, resource, before, after
         FROM changes WHERE request BETWEEN ?1 AND ?2 AND chain = ?3 AND batch = ?4",
    )?;
    let mut rows = statement.query(params![first, last, batch.chain, batch.number])?;
    while let Some(row) = rows.next()? {
        batch.change(&ChangeRow {
            request: text(row, 0)?,
            ordinal: row.get(1)?,
            at: row.get(2)?,
            actor: text(row, 3)?,
            action: text(row, 4)?,
            target: text(row, 5)?,
            resource: optional_text(row, 6)?,
            before: optional_text(row, 7)?,
            after: optional_text(row, 8)?,
        });
    }
    Ok(())
}

/// A text without a copy of it.
fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str, StoreError> {
    row.get_ref(column)?.as_str().map_err(StoreError::unreadable)
}

fn optional_text<'a>(row: &'a Row<'_>, column: usize) -> Result<Option<&'a str>, StoreError> {
    row.get_ref(column)?.as_str_or_null().map_err(StoreError::unreadable)
}

/// Removes the oldest batches from before `keep_since` whole, and remembers where the chain begins now. `true` if there
/// are more.
pub(super) fn prune(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    keep_since: UnixTime,
) -> Result<bool, StoreError> {
    let anchor = journal::anchor(transaction)?;
    let mut statement = transaction.prepare_cached(
        "SELECT number, at, row_count, first_id, last_id, hash FROM batches WHERE chain = ?1 ORDER BY number",
    )?;
    let mut links = statement.query([CHAIN])?;
    let mut last: Option<(ChainHead, String, String)> = None;
    let (mut rows, mut more) = (0, false);
    while let Some(row) = links.next()? {
        if row.get::<_, i64>(1)? >= keep_since.as_seconds() {
            break;
        }
        rows += row.get::<_, i64>(2)?;
        if rows > PRUNE && last.is_some() {
            more = true;
            break;
        }
        let head = ChainHead { chain: CHAIN, number: row.get(0)?, hash: row.get(5)? };
        let (first_id, last_id): (String, String) = (row.get(3)?, row.get(4)?);
        let (first_id, last_id) = match last {
            Some((_, first, latest)) => (first.min(first_id), latest.max(last_id)),
            None => (first_id, last_id),
        };
        last = Some((head, first_id, last_id));
    }
    let Some((head, first_id, last_id)) = last else { return Ok(false) };
    let key = params![first_id, last_id, CHAIN, anchor.number, head.number];
    transaction.execute(
        "DELETE FROM exchanges WHERE id BETWEEN ?1 AND ?2 AND chain = ?3 AND batch > ?4 AND batch <= ?5",
        key,
    )?;
    transaction.execute(
        "DELETE FROM changes WHERE request BETWEEN ?1 AND ?2 AND chain = ?3 AND batch > ?4 AND batch <= ?5",
        key,
    )?;
    transaction
        .execute("DELETE FROM batches WHERE chain = ?1 AND number <= ?2", params![CHAIN, head.number])?;
    transaction.execute(
        "INSERT INTO chain_anchors (chain, number, hash) VALUES (?1, ?2, ?3)
         ON CONFLICT (chain) DO UPDATE SET number = excluded.number, hash = excluded.hash",
        params![CHAIN, head.number, head.hash],
    )?;
    // On record itself, and what the anchor is compared with.
    let entry = Entry { after: Some(json!({ "head": head.to_string() })), ..Entry::new(PRUNED, target()) };
    journal.change(transaction, author, &entry)?;
    Ok(more)
}
