//! Looking through the ledger.

use countersign_core::UnixTime;
use tokio_postgres::Row;

use super::Database;
use super::conditions::Conditions;
use super::connections::column;
use crate::store::column::{from_text, time};
use crate::store::{ExchangeFilter, ExchangeId, Page, Part, RecordedExchange, StoreError};

/// Rows that one search looks at before it comes back with what it has: nobody occupies the disk for minutes.
pub(super) const SCAN: usize = 50_000;
/// Rows that one statement looks at.
pub(super) const CHUNK: usize = 5_000;

/// Lists exchanges, before the conditions.
pub(super) const EXCHANGES: &str = "SELECT id, at, outcome, resource, issuer, subject, publisher, expires_at, revoked_at, detail FROM exchanges";
/// Finds the resource of a publisher, by which there is an index.
pub(super) const RESOURCE_OF: &str = "SELECT resource FROM publishers WHERE id = $1";

pub(super) async fn one(database: &Database, id: &str) -> Result<Option<RecordedExchange>, StoreError> {
    let rows = database.query(&format!("{EXCHANGES} WHERE id = $1"), &[&id]).await?;
    rows.first().map(read).transpose()
}

pub(super) async fn all(
    database: &Database,
    filter: &ExchangeFilter,
    page: &Page,
) -> Result<Part<RecordedExchange>, StoreError> {
    let resource = match (&filter.publisher, &filter.resource) {
        // A publisher's exchanges are all for its resource.
        (Some(publisher), None) => resource_of(database, publisher.as_str()).await?,
        _ => filter.resource.clone(),
    };
    let mut entries: Vec<RecordedExchange> = Vec::new();
    let mut after = page.after.clone();
    for _ in 0..SCAN / CHUNK {
        let mut conditions = reach(filter, resource.as_deref(), after.as_deref());
        let end = chunk_end(database, &conditions).await?;
        conditions.and("id >= ?", end.clone());
        narrow(&mut conditions, filter);
        let wanted = page.limit as usize - entries.len() + 1;
        // Claims and patterns are compared here, not there: which rows fit is not known before.
        let limit = if filter.asks_for_more() { CHUNK } else { wanted };
        let statement = format!("{EXCHANGES} {} ORDER BY id DESC LIMIT {limit}", conditions.text());
        for row in database.query_once(&statement, &conditions.values()).await? {
            let exchange = read(&row)?;
            if !filter.admits(&exchange) {
                continue;
            }
            if entries.len() >= page.limit as usize {
                let next = entries.last().map(|last| last.id.0.clone());
                return Ok(Part { entries, next });
            }
            entries.push(exchange);
        }
        after = end;
        if after.is_none() {
            break;
        }
    }
    Ok(Part { entries, next: after })
}

/// The rows among which to look.
fn reach(filter: &ExchangeFilter, resource: Option<&str>, after: Option<&str>) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.and("resource = ?", resource.map(str::to_owned));
    conditions.and("id < ?", after.map(str::to_owned));
    conditions.and("id >= ?", filter.since.map(|since| ExchangeId::earliest_at(since).0));
    conditions.and("id < ?", filter.until.map(|until| ExchangeId::earliest_at(until).0));
    conditions
}

/// What has to be true of them.
fn narrow(conditions: &mut Conditions, filter: &ExchangeFilter) {
    conditions.and("publisher = ?", filter.publisher.as_ref().map(|id| id.as_str().to_owned()));
    conditions.and("issuer = ?", filter.issuer.clone());
    conditions.and("outcome = ?", filter.outcome.clone());
    conditions.and("subject = ?", filter.subject.clone());
    conditions.and("revoked_at IS NULL AND expires_at > ?", filter.live_at.map(UnixTime::as_seconds));
}

/// The last row of the chunk; `None` if it is the last chunk.
async fn chunk_end(database: &Database, reach: &Conditions) -> Result<Option<String>, StoreError> {
    let statement =
        format!("SELECT id FROM exchanges {} ORDER BY id DESC LIMIT 1 OFFSET {}", reach.text(), CHUNK - 1);
    database.query_once(&statement, &reach.values()).await?.first().map(|row| column(row, 0)).transpose()
}

async fn resource_of(database: &Database, publisher: &str) -> Result<Option<String>, StoreError> {
    database.query(RESOURCE_OF, &[&publisher]).await?.first().map(|row| column(row, 0)).transpose()
}

fn read(row: &Row) -> Result<RecordedExchange, StoreError> {
    Ok(RecordedExchange {
        id: ExchangeId(column(row, 0)?),
        at: time(column(row, 1)?),
        outcome: column(row, 2)?,
        resource: column(row, 3)?,
        issuer: column(row, 4)?,
        subject: column(row, 5)?,
        publisher: column(row, 6)?,
        expires_at: column::<Option<i64>>(row, 7)?.map(time),
        revoked_at: column::<Option<i64>>(row, 8)?.map(time),
        detail: from_text(column(row, 9)?),
    })
}
