//! The audit log: reading it, following its chains, pruning it.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_core::UnixTime;
use deadpool_postgres::Object;
use serde_json::json;
use tokio_postgres::{IsolationLevel, Row, Transaction};

use super::chains::hash;
use super::conditions::Conditions;
use super::connections::{column, connection};
use super::journal::Terms;
use super::search::{CHUNK, SCAN};
use super::session::{Database, Session};
use crate::admin::is_within;
use crate::store::audit::{
    Batch, ChainBreak, ChainHead, ChainReader, ChangeRow, Entry, ExchangeRow, Link, Verified,
};
use crate::store::column::{from_text, time};
use crate::store::{Author, Change, ChangeFilter, ExchangeId, Page, Part, StoreError};

/// Rows that one call prunes at most of a chain, if a single batch does not have more.
const PRUNE: i64 = 2_000;
/// Links that are followed at once.
const LINKS: i64 = 64;

/// Lists changes, before the conditions.
pub(super) const CHANGES: &str =
    "SELECT request, ordinal, at, actor, action, target, resource, before, after FROM changes";
/// Lists the chains: where they end, and up to where they were pruned.
pub(super) const CHAINS: &str = "SELECT id, number, hash, anchor_number, anchor_hash FROM chains ORDER BY id";
/// Reads links of a chain.
pub(super) const LINKS_AFTER: &str =
    "SELECT number, at, row_count, first_id, last_id, hash FROM batches WHERE chain = $1 AND number > $2
     ORDER BY number LIMIT $3";
/// Reads the exchanges of some links.
pub(super) const EXCHANGES_OF: &str =
    "SELECT batch, id, at, outcome, resource, issuer, subject, publisher, expires_at, status_list, status_index, detail
     FROM exchanges WHERE id BETWEEN $1 AND $2 AND chain = $3 AND batch BETWEEN $4 AND $5";
/// Reads the changes of some links.
pub(super) const CHANGES_OF: &str =
    "SELECT batch, request, ordinal, at, actor, action, target, resource, before, after
     FROM changes WHERE request BETWEEN $1 AND $2 AND chain = $3 AND batch BETWEEN $4 AND $5";
/// Counts all that is on record.
pub(super) const COUNT_ROWS: &str =
    "SELECT (SELECT count(*) FROM exchanges) + (SELECT count(*) FROM changes)";
/// Finds the chains that can be pruned, before a time.
pub(super) const PRUNABLE: &str =
    "SELECT id FROM chains WHERE EXISTS
         (SELECT 1 FROM batches WHERE chain = id AND number = anchor_number + 1 AND batches.at < $1) ORDER BY id";
/// Holds a chain's beginning where it is.
pub(super) const ANCHOR: &str = "SELECT anchor_number FROM chains WHERE id = $1 FOR UPDATE";
/// Prunes exchanges.
pub(super) const PRUNE_EXCHANGES: &str =
    "DELETE FROM exchanges WHERE id BETWEEN $1 AND $2 AND chain = $3 AND batch > $4 AND batch <= $5";
/// Prunes changes.
pub(super) const PRUNE_CHANGES: &str =
    "DELETE FROM changes WHERE request BETWEEN $1 AND $2 AND chain = $3 AND batch > $4 AND batch <= $5";
/// Prunes links.
pub(super) const PRUNE_BATCHES: &str = "DELETE FROM batches WHERE chain = $1 AND number <= $2";
/// Says where a chain begins from now on.
pub(super) const MOVE_ANCHOR: &str = "UPDATE chains SET anchor_number = $2, anchor_hash = $3 WHERE id = $1";

pub(super) async fn changes(
    database: &Database,
    filter: &ChangeFilter,
    page: &Page,
) -> Result<Part<Change>, StoreError> {
    let limit = page.limit as usize;
    let mut entries: Vec<Change> = Vec::new();
    let mut after = page.after.clone();
    for _ in 0..SCAN / CHUNK {
        let mut conditions = Conditions::default();
        conditions.and("resource = ?", filter.resource.clone());
        conditions.and("target = ?", filter.target.clone());
        conditions.and("actor = ?", filter.actor.clone());
        conditions.and("at >= ?", filter.since.map(UnixTime::as_seconds));
        conditions.and("at < ?", filter.until.map(UnixTime::as_seconds));
        if let Some((request, ordinal)) = after.as_deref().and_then(|after| after.split_once('/')) {
            let ordinal: i64 = ordinal.parse().unwrap_or(0);
            conditions.and("(request, ordinal) < (?", Some(request.to_owned())).more(", ?)", ordinal);
        }
        let chunk = if filter.within.is_some() { CHUNK } else { limit + 1 };
        let statement =
            format!("{CHANGES} {} ORDER BY request DESC, ordinal DESC LIMIT {chunk}", conditions.text());
        let rows = database.query_once(&statement, &conditions.values()).await?;
        for row in &rows {
            if !is_within(filter.within.as_deref(), column(row, 6)?) {
                continue;
            }
            if entries.len() == limit {
                let next = entries.last().map(key);
                return Ok(Part { entries, next });
            }
            entries.push(read(row)?);
        }
        after = rows.last().map(read).transpose()?.as_ref().map(key);
        if rows.len() < chunk {
            return Ok(Part { entries, next: None });
        }
    }
    Ok(Part { entries, next: after })
}

/// Where a list goes on after a change.
fn key(change: &Change) -> String {
    format!("{}/{}", change.request, change.ordinal)
}

fn read(row: &Row) -> Result<Change, StoreError> {
    Ok(Change {
        request: ExchangeId(column(row, 0)?),
        ordinal: u32::try_from(column::<i64>(row, 1)?).map_err(StoreError::unreadable)?,
        at: time(column(row, 2)?),
        actor: column(row, 3)?,
        action: column(row, 4)?,
        target: column(row, 5)?,
        resource: column(row, 6)?,
        before: column::<Option<String>>(row, 7)?.map(from_text),
        after: column::<Option<String>>(row, 8)?.map(from_text),
    })
}

/// Follows all chains. Reads one snapshot: what is written meanwhile does not confuse it.
pub(super) async fn verify(
    database: &Database,
    noted: Vec<ChainHead>,
) -> Result<Result<Verified, ChainBreak>, StoreError> {
    let mut client = connection(&database.pool).await?;
    // Counting a great ledger takes longer than anybody would wait for a token; the connection is not used again.
    client.batch_execute("SET statement_timeout = 0").await?;
    let verified = {
        let snapshot =
            client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        let snapshot = snapshot.start().await?;
        verify_in(&snapshot, noted).await
    };
    drop(Object::take(client));
    verified
}

/// The same inside a transaction.
pub(super) async fn verify_in(
    snapshot: &Transaction<'_>,
    noted: Vec<ChainHead>,
) -> Result<Result<Verified, ChainBreak>, StoreError> {
    let mut reading = Reading { noted, verified: Verified::default() };
    match reading.all(snapshot).await {
        Ok(verified) => Ok(Ok(verified)),
        Err(Halt::Broken(broken)) => Ok(Err(broken)),
        Err(Halt::Store(error)) => Err(error),
    }
}

fn target(chain: i64) -> String {
    format!("chain:{chain}")
}

/// Why a verification ends early.
enum Halt {
    Broken(ChainBreak),
    Store(StoreError),
}

impl<E: Into<StoreError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

struct Reading {
    noted: Vec<ChainHead>,
    verified: Verified,
}

impl Reading {
    async fn all(&mut self, snapshot: &Transaction<'_>) -> Result<Verified, Halt> {
        for row in snapshot.query(CHAINS, &[]).await? {
            let chain: i64 = column(&row, 0)?;
            let end = ChainHead { chain, number: column(&row, 1)?, hash: hash(column(&row, 2)?)? };
            let anchor = ChainHead { chain, number: column(&row, 3)?, hash: hash(column(&row, 4)?)? };
            self.noted.retain(|head| *head != anchor || head.number == 0);
            // What was pruned cannot be compared any more.
            let is_pruned =
                |head: &ChainHead| head.chain == chain && head.number > 0 && head.number < anchor.number;
            let (pruned, noted) = std::mem::take(&mut self.noted).into_iter().partition(is_pruned);
            self.noted = noted;
            self.verified.pruned.extend::<Vec<ChainHead>>(pruned);
            let head = self.follow(snapshot, anchor).await?;
            if head != end {
                return Err(Halt::Broken(ChainBreak::Unknown(end)));
            }
            if head.number > 0 {
                self.verified.heads.push(head);
            }
        }
        if let Some(unknown) = self.noted.iter().find(|head| head.number > 0) {
            return Err(Halt::Broken(ChainBreak::Unknown(unknown.clone())));
        }
        let found: i64 = column(&snapshot.query_one(COUNT_ROWS, &[]).await?, 0)?;
        let expected = i64::try_from(self.verified.rows).unwrap_or(i64::MAX);
        if found != expected {
            return Err(Halt::Broken(ChainBreak::Foreign { expected, found }));
        }
        Ok(std::mem::take(&mut self.verified))
    }

    /// Follows one chain to its end.
    async fn follow(&mut self, snapshot: &Transaction<'_>, anchor: ChainHead) -> Result<ChainHead, Halt> {
        let mut reader = ChainReader::after(anchor);
        loop {
            let (chain, number) = (reader.head().chain, reader.head().number);
            let links = StoredLink::after(snapshot, chain, number).await?;
            let Some(mut rows) = StoredRows::of(snapshot, chain, &links).await? else {
                return Ok(reader.head().clone());
            };
            for link in &links {
                let mut batch = reader.expected();
                rows.add_to(&mut batch, link.link.number)?;
                reader.follow(&link.link, &batch).map_err(Halt::Broken)?;
                self.noted.retain(|head| head != reader.head());
                self.verified.batches += 1;
                self.verified.rows += u64::try_from(link.link.rows).unwrap_or(0);
            }
        }
    }
}

/// A link with what it says of its rows.
struct StoredLink {
    link: Link,
    at: i64,
    first: String,
    last: String,
}

impl StoredLink {
    async fn after(snapshot: &Transaction<'_>, chain: i64, number: i64) -> Result<Vec<Self>, StoreError> {
        let rows = snapshot.query(LINKS_AFTER, &[&chain, &number, &LINKS]).await?;
        rows.iter().map(Self::read).collect()
    }

    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            link: Link { number: column(row, 0)?, rows: column(row, 2)?, hash: hash(column(row, 5)?)? },
            at: column(row, 1)?,
            first: column(row, 3)?,
            last: column(row, 4)?,
        })
    }
}

/// The rows of some links, by the number of their batch.
#[derive(Default)]
struct StoredRows {
    exchanges: BTreeMap<i64, Vec<Row>>,
    changes: BTreeMap<i64, Vec<Row>>,
}

impl StoredRows {
    /// `None` without links.
    async fn of(
        snapshot: &Transaction<'_>,
        chain: i64,
        links: &[StoredLink],
    ) -> Result<Option<Self>, StoreError> {
        let (Some(from), Some(to)) = (links.first(), links.last()) else { return Ok(None) };
        let first = links.iter().map(|link| link.first.as_str()).min().unwrap_or_default();
        let last = links.iter().map(|link| link.last.as_str()).max().unwrap_or_default();
        let key: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&first, &last, &chain, &from.link.number, &to.link.number];
        let mut found = Self::default();
        for row in snapshot.query(EXCHANGES_OF, &key).await? {
            found.exchanges.entry(column(&row, 0)?).or_default().push(row);
        }
        for row in snapshot.query(CHANGES_OF, &key).await? {
            found.changes.entry(column(&row, 0)?).or_default().push(row);
        }
        Ok(Some(found))
    }

    /// Adds the rows that say they were written with a batch.
    fn add_to(&mut self, batch: &mut Batch, number: i64) -> Result<(), StoreError> {
        for row in &self.exchanges.remove(&number).unwrap_or_default() {
            let index = column::<Option<i64>>(row, 10)?.and_then(|index| u32::try_from(index).ok());
            batch.exchange(&ExchangeRow {
                id: column(row, 1)?,
                at: column(row, 2)?,
                outcome: column(row, 3)?,
                resource: column(row, 4)?,
                issuer: column(row, 5)?,
                subject: column(row, 6)?,
                publisher: column(row, 7)?,
                expires_at: column(row, 8)?,
                status: column::<Option<&str>>(row, 9)?.zip(index),
                detail: column(row, 11)?,
            });
        }
        for row in &self.changes.remove(&number).unwrap_or_default() {
            batch.change(&ChangeRow {
                request: column(row, 1)?,
                ordinal: u32::try_from(column::<i64>(row, 2)?).map_err(StoreError::unreadable)?,
                at: column(row, 3)?,
                actor: column(row, 4)?,
                action: column(row, 5)?,
                target: column(row, 6)?,
                resource: column(row, 7)?,
                before: column(row, 8)?,
                after: column(row, 9)?,
            });
        }
        Ok(())
    }
}

/// Removes the oldest batches from before `keep_since` whole, and remembers where their chain begins now. `true` if there
/// are more.
pub(super) async fn prune(
    database: &Arc<Database>,
    author: &Author,
    keep_since: UnixTime,
) -> Result<bool, StoreError> {
    let mut more = false;
    for row in database.query(PRUNABLE, &[&keep_since.as_seconds()]).await? {
        let mut session = Session::begin(database, author.at).await?;
        more |= prune_chain(&mut session, author, column(&row, 0)?, keep_since).await?;
        session.seal(&Terms::default()).await?;
        session.commit().await?;
    }
    Ok(more)
}

async fn prune_chain(
    session: &mut Session,
    author: &Author,
    chain: i64,
    keep_since: UnixTime,
) -> Result<bool, StoreError> {
    let Some(anchor) = session.first(ANCHOR, &[&chain]).await? else { return Ok(false) };
    let anchor: i64 = column(&anchor, 0)?;
    let (mut rows, mut more) = (0, false);
    let mut gone: Vec<StoredLink> = Vec::new();
    for row in session.query(LINKS_AFTER, &[&chain, &anchor, &PRUNE]).await? {
        let link = StoredLink::read(&row)?;
        if link.at >= keep_since.as_seconds() {
            break;
        }
        rows += link.link.rows;
        if rows > PRUNE && !gone.is_empty() {
            more = true;
            break;
        }
        gone.push(link);
    }
    let Some(last) = gone.last() else { return Ok(false) };
    let first_id = gone.iter().map(|link| link.first.as_str()).min().unwrap_or_default();
    let last_id = gone.iter().map(|link| link.last.as_str()).max().unwrap_or_default();
    let (number, hash) = (last.link.number, last.link.hash.as_slice());
    session.execute(PRUNE_EXCHANGES, &[&first_id, &last_id, &chain, &anchor, &number]).await?;
    session.execute(PRUNE_CHANGES, &[&first_id, &last_id, &chain, &anchor, &number]).await?;
    session.execute(PRUNE_BATCHES, &[&chain, &number]).await?;
    session.execute(MOVE_ANCHOR, &[&chain, &number, &hash]).await?;
    // On record itself. Each chain is pruned in a transaction, so as a request, of its own.
    let head = ChainHead { chain, number, hash: last.link.hash };
    let request = ExchangeId(format!("{}-{chain}", author.request));
    let author = Author { request, ..author.clone() };
    let entry = Entry {
        after: Some(json!({ "head": head.to_string() })),
        ..Entry::new("audit.pruned", target(chain))
    };
    session.note_change(&author, &entry);
    Ok(more || gone.len() >= usize::try_from(PRUNE).unwrap_or(usize::MAX))
}
