//! Issuers that were added, and those that are switched off.

use countersign_core::IssuerUrl;
use serde_json::json;
use tokio_postgres::Row;

use super::connections::column;
use super::session::Session;
use super::{Database, exchanges};
use crate::store::audit::Entry;
use crate::store::column::{self as written, from_word, time, to_word};
use crate::store::{Author, StoreError, StoredIssuer, Switch};

/// Lists the issuers of which there is something to say. One that was removed has no preset; if it is configured since, it reads as
/// switched off, which for the ledger it is. The other rows are there to be locked by exchanges.
pub(super) const ISSUERS: &str =
    "SELECT url, preset, created_at, coalesce(disabled_at, removed_at) FROM issuers
     WHERE preset IS NOT NULL OR disabled_at IS NOT NULL OR removed_at IS NOT NULL ORDER BY url";
/// Adds an issuer.
pub(super) const ADD_ISSUER: &str =
    "INSERT INTO issuers (url, preset, created_at, disabled_at) VALUES ($1, $2, $3, NULL)
     ON CONFLICT (url) DO UPDATE SET preset = excluded.preset, created_at = excluded.created_at, removed_at = NULL
         WHERE issuers.preset IS NULL AND (issuers.disabled_at IS NULL OR issuers.removed_at IS NOT NULL)";
/// Finds an issuer that was added, and locks it.
pub(super) const ADDED_ISSUER: &str = "SELECT url, preset, created_at, disabled_at FROM issuers WHERE url = $1 AND preset IS NOT NULL FOR UPDATE";
/// Removes an issuer that was added.
pub(super) const REMOVE_ISSUER: &str = "UPDATE issuers SET preset = NULL, removed_at = $2 WHERE url = $1";
/// Switches an issuer off.
pub(super) const DISABLE_ISSUER: &str =
    "INSERT INTO issuers (url, preset, created_at, disabled_at) VALUES ($1, NULL, $2, $2)
     ON CONFLICT (url) DO UPDATE SET disabled_at = excluded.disabled_at WHERE issuers.disabled_at IS NULL";
/// Switches an issuer on again.
pub(super) const ENABLE_ISSUER: &str = "UPDATE issuers SET disabled_at = NULL, removed_at = NULL
     WHERE url = $1 AND coalesce(disabled_at, removed_at) IS NOT NULL";
/// Locks the issuers of a batch against switches until its end, and says which are off. (For the inner `SELECT` see
/// [`LOCK_PUBLISHERS`](super::batch::LOCK_PUBLISHERS).)
pub(super) const LOCK_ISSUERS: &str = "SELECT url, coalesce(disabled_at, removed_at)
     FROM unnest((SELECT $1::text[])) AS wanted (url) JOIN issuers USING (url) ORDER BY url FOR SHARE OF issuers";
/// Makes rows of issuers to lock.
pub(super) const ENSURE_ISSUERS: &str =
    "INSERT INTO issuers (url, created_at) SELECT url, $2 FROM unnest($1::text[]) AS new (url) ORDER BY url
     ON CONFLICT (url) DO NOTHING";

pub(super) async fn all(database: &Database) -> Result<Vec<StoredIssuer>, StoreError> {
    database.query(ISSUERS, &[]).await?.iter().map(read).collect()
}

/// Of these issuers the ones that are switched off.
///
/// Invariant 8 under concurrency: a switch updates the issuer's row before it ends the issuer's tokens, and an exchange
/// shares a lock on the row until it is committed. So either the switch came first, and the exchange sees it here; or the
/// switch waits for the exchange, and then ends its token as well. An issuer that has no row yet is given one, for want of
/// which there would be nothing to wait for.
pub(super) async fn disabled(session: &Session, urls: &[&str], at: i64) -> Result<Vec<String>, StoreError> {
    let mut rows = session.query(LOCK_ISSUERS, &[&urls]).await?;
    if rows.len() < urls.len() {
        session.execute(ENSURE_ISSUERS, &[&urls, &at]).await?;
        rows = session.query(LOCK_ISSUERS, &[&urls]).await?;
    }
    if rows.len() < urls.len() {
        // One was removed in between; the same again finds it missing, and makes it.
        return Err(super::race("an issuer was removed meanwhile"));
    }
    let mut disabled = Vec::new();
    for row in &rows {
        if column::<Option<i64>>(row, 1)?.is_some() {
            disabled.push(column(row, 0)?);
        }
    }
    Ok(disabled)
}

pub(super) async fn add(
    session: &mut Session,
    author: &Author,
    issuer: &StoredIssuer,
) -> Result<bool, StoreError> {
    let preset = issuer.preset.as_ref().map(to_word).transpose()?;
    let added = session
        .execute(ADD_ISSUER, &[&issuer.url.as_str(), &preset, &issuer.created_at.as_seconds()])
        .await?;
    if added == 1 {
        let entry = Entry::new("issuer.added", target(&issuer.url));
        session.note_change(author, &Entry { after: Some(written::json(issuer)?), ..entry });
    }
    Ok(added == 1)
}

pub(super) async fn remove(
    session: &mut Session,
    author: &Author,
    url: &IssuerUrl,
) -> Result<bool, StoreError> {
    let Some(removed) = session.first(ADDED_ISSUER, &[&url.as_str()]).await? else { return Ok(false) };
    session.execute(REMOVE_ISSUER, &[&url.as_str(), &author.at.as_seconds()]).await?;
    exchanges::end_tokens_of_issuer(session, url, author.at).await?;
    let entry = Entry::new("issuer.removed", target(url));
    session.note_change(author, &Entry { before: Some(written::json(&read(&removed)?)?), ..entry });
    Ok(true)
}

pub(super) async fn switch(
    session: &mut Session,
    author: &Author,
    url: &IssuerUrl,
    switch: Switch,
) -> Result<bool, StoreError> {
    let at = author.at.as_seconds();
    let changed = match switch {
        Switch::Off => session.execute(DISABLE_ISSUER, &[&url.as_str(), &at]).await?,
        Switch::On => session.execute(ENABLE_ISSUER, &[&url.as_str()]).await?,
    };
    if changed == 0 {
        return Ok(false);
    }
    let action = match switch {
        Switch::Off => {
            exchanges::end_tokens_of_issuer(session, url, author.at).await?;
            "issuer.disabled"
        }
        Switch::On => "issuer.enabled",
    };
    let after = json!({ "disabled_at": (switch == Switch::Off).then_some(at) });
    session.note_change(author, &Entry { after: Some(after), ..Entry::new(action, target(url)) });
    Ok(true)
}

fn target(url: &IssuerUrl) -> String {
    format!("issuer:{url}")
}

fn read(row: &Row) -> Result<StoredIssuer, StoreError> {
    Ok(StoredIssuer {
        url: column::<&str>(row, 0)?.parse().map_err(StoreError::unreadable)?,
        preset: column::<Option<String>>(row, 1)?.map(from_word).transpose()?,
        created_at: time(column(row, 2)?),
        disabled_at: column::<Option<i64>>(row, 3)?.map(time),
    })
}
