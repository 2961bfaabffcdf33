//! What one transaction puts on record, and its link in the chain.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::store::audit::{Batch, ChainHead, ChangeRow, Entry, ExchangeRow};
use crate::store::{Author, StoreError};

/// All processes write one SQLite file one after the other: there is one chain.
pub(super) const CHAIN: i64 = 1;

/// Collects what a transaction writes. [`Journal::seal`] must be its last act.
pub(super) struct Journal {
    batch: Batch,
    changes: u32,
    at: i64,
}

impl Journal {
    /// Begins after the last batch. Inside a transaction that holds the write lock nobody else can.
    pub(super) fn open(transaction: &Transaction<'_>) -> Result<Self, StoreError> {
        let head = head(transaction)?;
        Ok(Self { batch: Batch::after(CHAIN, head.number, head.hash), changes: 0, at: 0 })
    }

    /// The batch's number, which every row has.
    pub(super) fn number(&self) -> i64 {
        self.batch.number
    }

    /// Notes an exchange that has been written.
    pub(super) fn exchange(&mut self, row: &ExchangeRow<'_>) {
        self.batch.exchange(row);
        self.at = self.at.max(row.at);
    }

    /// Writes an entry of the audit log.
    pub(super) fn change(
        &mut self,
        transaction: &Transaction<'_>,
        author: &Author,
        entry: &Entry<'_>,
    ) -> Result<(), StoreError> {
        let text = |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string);
        let (before, after, actor) = (text(&entry.before), text(&entry.after), author.actor.to_string());
        let row = ChangeRow {
            request: &author.request.0,
            ordinal: self.changes,
            at: author.at.as_seconds(),
            actor: &actor,
            action: entry.action,
            target: &entry.target,
            resource: entry.resource,
            before: before.as_deref(),
            after: after.as_deref(),
        };
        transaction.prepare_cached(
            "INSERT INTO changes (request, ordinal, at, actor, action, target, resource, before, after, chain, batch)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            row.request, row.ordinal, row.at, row.actor, row.action, row.target, row.resource, row.before,
            row.after, CHAIN, self.number()
        ])?;
        self.batch.change(&row);
        self.changes += 1;
        self.at = self.at.max(row.at);
        Ok(())
    }

    /// Writes the link that holds the rows. A transaction that put nothing on record has none.
    pub(super) fn seal(self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let Some((first, last)) = self.batch.span() else { return Ok(()) };
        transaction
            .prepare_cached(
                "INSERT INTO batches (chain, number, at, row_count, first_id, last_id, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                CHAIN,
                self.number(),
                self.at,
                self.batch.rows(),
                first,
                last,
                self.batch.hash()
            ])?;
        Ok(())
    }
}

/// The last link; the anchor if all were pruned.
pub(super) fn head(connection: &Connection) -> Result<ChainHead, StoreError> {
    let last = connection
        .prepare_cached("SELECT number, hash FROM batches WHERE chain = ?1 ORDER BY number DESC LIMIT 1")?
        .query_row([CHAIN], |row| Ok(ChainHead { chain: CHAIN, number: row.get(0)?, hash: row.get(1)? }))
        .optional()?;
    last.map_or_else(|| anchor(connection), Ok)
}

/// Up to where the chain was pruned.
pub(super) fn anchor(connection: &Connection) -> Result<ChainHead, StoreError> {
    let anchor = connection
        .prepare_cached("SELECT number, hash FROM chain_anchors WHERE chain = ?1")?
        .query_row([CHAIN], |row| Ok(ChainHead { chain: CHAIN, number: row.get(0)?, hash: row.get(1)? }))
        .optional()?;
    Ok(anchor.unwrap_or(ChainHead { chain: CHAIN, number: 0, hash: [0; 32] }))
}
