//! Publishers.

use countersign_core::publisher::{PublisherId, PublisherState, Revision};
use countersign_core::{Permission, Publisher, Rules, UnixTime};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::{ListedPublisher, StoreError, UnreadablePublisher};

const COLUMNS: &str = "id, resource, rules, permission, state, revision";

pub(super) fn of(
    connection: &Connection,
    resource: &str,
    issuer: &str,
) -> Result<Vec<Publisher>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM publishers WHERE resource = ?1 AND issuer = ?2 ORDER BY id"
    ))?;
    let mut rows = statement.query([resource, issuer])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        match read(row) {
            Ok(publisher) => found.push(publisher),
            // It trusts nobody; the others of the resource go on.
            Err(error) => {
                tracing::error!(publisher = %row.get::<_, String>(0)?, %error, "a publisher is passed over");
            }
        }
    }
    Ok(found)
}

pub(super) fn list(
    connection: &Connection,
    resource: Option<&str>,
) -> Result<Vec<ListedPublisher>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, created_at, last_used_at, coalesce(exchanges, 0)
         FROM publishers LEFT JOIN publisher_uses ON publisher = id
         WHERE ?1 IS NULL OR resource = ?1 ORDER BY id"
    ))?;
    let mut rows = statement.query([resource])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(ListedPublisher {
            publisher: read(row).map_err(|error| UnreadablePublisher {
                id: row.get(0).unwrap_or_default(),
                resource: row.get(1).unwrap_or_default(),
                problem: error.to_string(),
            }),
            created_at: UnixTime::from_seconds(row.get(6)?),
            last_used_at: row.get::<_, Option<i64>>(7)?.map(UnixTime::from_seconds),
            exchanges: u64::try_from(row.get::<_, i64>(8)?).unwrap_or(0),
        });
    }
    Ok(found)
}

pub(super) fn add(
    transaction: &Transaction<'_>,
    publisher: &Publisher,
    at: UnixTime,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO publishers (id, resource, issuer, rules, permission, state, revision, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            publisher.id.as_str(),
            publisher.resource.to_string(),
            publisher.rules.issuer().as_str(),
            to_text(&publisher.rules)?,
            to_word(&publisher.permission)?,
            to_word(&publisher.state)?,
            publisher.revision.0,
            at.as_seconds(),
        ],
    )?;
    record_change(transaction, "added", &publisher.id, &to_text(publisher)?, at)
}

/// Removes the row without reading it as a publisher: one that this version refuses can be removed too.
pub(super) fn remove(
    transaction: &Transaction<'_>,
    id: &PublisherId,
    at: UnixTime,
) -> Result<Option<String>, StoreError> {
    let mut statement =
        transaction.prepare("DELETE FROM publishers WHERE id = ?1 RETURNING resource, json_object('resource', resource, 'rules', json(rules))")?;
    let removed =
        statement.query_row([id.as_str()], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).optional()?;
    let Some((resource, content)) = removed else { return Ok(None) };
    record_change(transaction, "removed", id, &content, at)?;
    Ok(Some(resource))
}

pub(super) fn set_state(
    transaction: &Transaction<'_>,
    id: &PublisherId,
    state: PublisherState,
    at: UnixTime,
) -> Result<Option<Publisher>, StoreError> {
    let mut statement = transaction.prepare(&format!(
        "UPDATE publishers SET state = ?2, revision = revision + 1,
             tokens_ended_at = CASE WHEN ?2 = 'disabled' THEN ?3 ELSE tokens_ended_at END
         WHERE id = ?1 RETURNING {COLUMNS}"
    ))?;
    let mut rows = statement.query(params![id.as_str(), to_word(&state)?, at.as_seconds()])?;
    let Some(changed) = rows.next()?.map(read).transpose()? else { return Ok(None) };
    record_change(transaction, &to_word(&state)?, id, &to_text(&changed)?, at)?;
    Ok(Some(changed))
}

/// The revision that is in force.
pub(super) fn revision(
    transaction: &Transaction<'_>,
    id: &PublisherId,
) -> Result<Option<Revision>, StoreError> {
    let mut statement = transaction.prepare_cached("SELECT revision FROM publishers WHERE id = ?1")?;
    Ok(statement.query_row([id.as_str()], |row| row.get(0).map(Revision)).optional()?)
}

/// Stores ids that a run taught, if the publisher is still the one it was decided on (compare-and-swap on the revision).
pub(super) fn learn(
    transaction: &Transaction<'_>,
    id: &PublisherId,
    revision: Revision,
    rules: &Rules,
    at: UnixTime,
) -> Result<bool, StoreError> {
    let content = to_text(rules)?;
    let changed = transaction.execute(
        "UPDATE publishers SET rules = ?3, revision = revision + 1 WHERE id = ?1 AND revision = ?2",
        params![id.as_str(), revision.0, content],
    )?;
    record_change(transaction, "pinned", id, &content, at)?;
    Ok(changed == 1)
}

pub(super) fn count_use(
    transaction: &Transaction<'_>,
    id: &PublisherId,
    at: UnixTime,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO publisher_uses (publisher, last_used_at, exchanges) VALUES (?1, ?2, 1)
         ON CONFLICT (publisher) DO UPDATE
             SET last_used_at = max(last_used_at, excluded.last_used_at), exchanges = exchanges + 1",
    )?;
    statement.execute(params![id.as_str(), at.as_seconds()])?;
    Ok(())
}

fn record_change(
    transaction: &Transaction<'_>,
    change: &str,
    id: &PublisherId,
    content: &str,
    at: UnixTime,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO publisher_changes (at, change, publisher, content) VALUES (?1, ?2, ?3, ?4)",
        params![at.as_seconds(), change, id.as_str(), content],
    )?;
    Ok(())
}

/// Reads a row back through the same checks that rules pass when they are made (invariant 5).
fn read(row: &Row<'_>) -> Result<Publisher, StoreError> {
    let unreadable = |error: &dyn std::fmt::Display| StoreError::Row(error.to_string());
    Ok(Publisher {
        id: row.get::<_, String>(0)?.parse()?,
        resource: row.get::<_, String>(1)?.parse().map_err(|error| unreadable(&error))?,
        rules: serde_json::from_str(&row.get::<_, String>(2)?).map_err(|error| unreadable(&error))?,
        permission: from_word::<Permission>(row.get(3)?)?,
        state: from_word::<PublisherState>(row.get(4)?)?,
        revision: Revision(row.get(5)?),
    })
}

fn to_text(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Row(error.to_string()))
}

/// An enum's name as its JSON form has it, without the quotes.
fn to_word(value: &impl Serialize) -> Result<String, StoreError> {
    Ok(to_text(value)?.trim_matches('"').to_owned())
}

fn from_word<T: DeserializeOwned>(word: String) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|error| StoreError::Row(error.to_string()))
}
