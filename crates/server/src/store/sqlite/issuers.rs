//! Issuers that were added, and those that are switched off.

use countersign_core::IssuerUrl;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::json;

use super::exchanges;
use super::journal::Journal;
use crate::store::audit::Entry;
use crate::store::column::{self, from_word, time, to_word};
use crate::store::{Author, StoreError, StoredIssuer, Switch};

/// One that was removed has no preset. If it is configured since, it reads as switched off, which for the ledger it is.
const COLUMNS: &str = "url, preset, created_at, coalesce(disabled_at, removed_at)";

pub(super) fn all(connection: &Connection) -> Result<Vec<StoredIssuer>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM issuers
         WHERE coalesce(preset, disabled_at, removed_at) IS NOT NULL ORDER BY url"
    ))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// Whether nothing may be issued for its tokens. Asked in the transaction that records an exchange: from the moment a
/// switch is on record, no token gets past it on any node.
pub(super) fn is_disabled(transaction: &Transaction<'_>, url: &IssuerUrl) -> Result<bool, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT 1 FROM issuers WHERE url = ?1 AND (disabled_at IS NOT NULL OR removed_at IS NOT NULL)",
    )?;
    Ok(statement.exists([url.as_str()])?)
}

pub(super) fn add(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    issuer: &StoredIssuer,
) -> Result<bool, StoreError> {
    let preset = issuer.preset.as_ref().map(to_word).transpose()?;
    let added = transaction.execute(
        "INSERT INTO issuers (url, preset, created_at, disabled_at) VALUES (?1, ?2, ?3, NULL)
         ON CONFLICT (url) DO UPDATE SET preset = excluded.preset, created_at = excluded.created_at, removed_at = NULL
             WHERE preset IS NULL AND (disabled_at IS NULL OR removed_at IS NOT NULL)",
        params![issuer.url.as_str(), preset, issuer.created_at.as_seconds()],
    )?;
    if added == 1 {
        let entry = Entry::new("issuer.added", target(&issuer.url));
        journal.change(transaction, author, &Entry { after: Some(column::json(issuer)?), ..entry })?;
    }
    Ok(added == 1)
}

pub(super) fn remove(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    url: &IssuerUrl,
) -> Result<bool, StoreError> {
    let removed = transaction
        .prepare(&format!("SELECT {COLUMNS} FROM issuers WHERE url = ?1 AND preset IS NOT NULL"))?
        .query_row([url.as_str()], |row| Ok(read(row)))
        .optional()?
        .transpose()?;
    let Some(removed) = removed else { return Ok(false) };
    transaction.execute(
        "UPDATE issuers SET preset = NULL, removed_at = ?2 WHERE url = ?1",
        params![url.as_str(), author.at.as_seconds()],
    )?;
    exchanges::end_tokens_of_issuer(transaction, url, author.at)?;
    let entry = Entry::new("issuer.removed", target(url));
    journal.change(transaction, author, &Entry { before: Some(column::json(&removed)?), ..entry })?;
    Ok(true)
}

pub(super) fn switch(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    url: &IssuerUrl,
    switch: Switch,
) -> Result<bool, StoreError> {
    let at = author.at.as_seconds();
    let changed = match switch {
        Switch::Off => transaction.execute(
            "INSERT INTO issuers (url, preset, created_at, disabled_at) VALUES (?1, NULL, ?2, ?2)
             ON CONFLICT (url) DO UPDATE SET disabled_at = ?2 WHERE disabled_at IS NULL",
            params![url.as_str(), at],
        )?,
        Switch::On => transaction.execute(
            "UPDATE issuers SET disabled_at = NULL, removed_at = NULL
             WHERE url = ?1 AND coalesce(disabled_at, removed_at) IS NOT NULL",
            [url.as_str()],
        )?,
    };
    if changed == 0 {
        return Ok(false);
    }
    let action = match switch {
        Switch::Off => {
            exchanges::end_tokens_of_issuer(transaction, url, author.at)?;
            "issuer.disabled"
        }
        Switch::On => "issuer.enabled",
    };
    let after = json!({ "disabled_at": (switch == Switch::Off).then_some(at) });
    journal.change(transaction, author, &Entry { after: Some(after), ..Entry::new(action, target(url)) })?;
    Ok(true)
}

fn target(url: &IssuerUrl) -> String {
    format!("issuer:{url}")
}

fn read(row: &Row<'_>) -> Result<StoredIssuer, StoreError> {
    Ok(StoredIssuer {
        url: row.get::<_, String>(0)?.parse().map_err(StoreError::unreadable)?,
        preset: row.get::<_, Option<String>>(1)?.map(from_word).transpose()?,
        created_at: time(row.get(2)?),
        disabled_at: row.get::<_, Option<i64>>(3)?.map(time),
    })
}
