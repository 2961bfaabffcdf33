//! Looking through the ledger.

use countersign_core::UnixTime;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::conditions::Conditions;
use crate::admin::is_within;
use crate::store::column::{from_text, time};
use crate::store::{ExchangeFilter, ExchangeId, Page, Part, RecordedExchange, StoreError};

/// Rows that one search looks at before it comes back with what it has: nobody occupies the disk for minutes.
pub(super) const SCAN: u32 = 50_000;

const COLUMNS: &str = "id, at, outcome, resource, issuer, subject, publisher, expires_at, revoked_at, detail";

pub(super) fn one(connection: &Connection, id: &str) -> Result<Option<RecordedExchange>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM exchanges WHERE id = ?1"))?;
    Ok(statement.query_row([id], read).optional()?)
}

pub(super) fn all(
    connection: &Connection,
    filter: &ExchangeFilter,
    page: &Page,
) -> Result<Part<RecordedExchange>, StoreError> {
    // A publisher's exchanges are all for its resource, by which there is an index.
    let of_publisher = match (&filter.publisher, &filter.resource) {
        (Some(publisher), None) => resource_of(connection, publisher.as_str())?,
        _ => None,
    };
    let mut reach = Conditions::default();
    reach.and("resource = ?", filter.resource.clone().or(of_publisher));
    reach.and("id < ?", page.after.clone());
    reach.and("id >= ?", filter.since.map(|since| ExchangeId::earliest_at(since).0));
    reach.and("id < ?", filter.until.map(|until| ExchangeId::earliest_at(until).0));
    let mut conditions = Conditions::default();
    conditions.and("publisher = ?", filter.publisher.as_ref().map(|id| id.as_str().to_owned()));
    conditions.and("issuer = ?", filter.issuer.clone());
    conditions.and("outcome = ?", filter.outcome.clone());
    conditions.and("subject = ?", filter.subject.clone());
    conditions.and("revoked_at IS NULL AND expires_at > ?", filter.live_at.map(UnixTime::as_seconds));
    let statement = format!(
        "SELECT {COLUMNS} FROM (SELECT {COLUMNS} FROM exchanges {} ORDER BY id DESC LIMIT {SCAN}) {}",
        reach.text(),
        conditions.text()
    );
    let mut statement = connection.prepare(&statement)?;
    let mut rows = statement.query(params_from_iter(reach.values().iter().chain(conditions.values())))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        // Before the row is read: most of what is searched through is somebody else's.
        let resource = row.get_ref(3)?.as_str_or_null().map_err(StoreError::unreadable)?;
        if !is_within(filter.within.as_deref(), resource) {
            continue;
        }
        let exchange = read(row)?;
        if filter.admits(&exchange) {
            if entries.len() >= page.limit as usize {
                let next = entries.last().map(|last: &RecordedExchange| last.id.0.clone());
                return Ok(Part { entries, next });
            }
            entries.push(exchange);
        }
    }
    let next = connection
        .prepare(&format!(
            "SELECT id FROM exchanges {} ORDER BY id DESC LIMIT 1 OFFSET {}",
            reach.text(),
            SCAN - 1
        ))?
        .query_row(params_from_iter(reach.values()), |row| row.get(0))
        .optional()?;
    Ok(Part { entries, next })
}

fn resource_of(connection: &Connection, publisher: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT resource FROM publishers WHERE id = ?1")?;
    Ok(statement.query_row([publisher], |row| row.get(0)).optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<RecordedExchange> {
    let detail: String = row.get(9)?;
    Ok(RecordedExchange {
        id: ExchangeId(row.get(0)?),
        at: time(row.get(1)?),
        outcome: row.get(2)?,
        resource: row.get(3)?,
        issuer: row.get(4)?,
        subject: row.get(5)?,
        publisher: row.get(6)?,
        expires_at: row.get::<_, Option<i64>>(7)?.map(time),
        revoked_at: row.get::<_, Option<i64>>(8)?.map(time),
        detail: from_text(detail),
    })
}
