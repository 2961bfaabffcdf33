//! Publishers: reading them, and what an exchange does to them.

use countersign_core::publisher::{PublisherId, PublisherState, Revision};
use countersign_core::{Permission, Publisher, Rules, UnixTime};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};
use serde_json::{Value, json};

use super::conditions::Conditions;
use super::journal::Journal;
use super::search::SCAN;
use crate::admin::is_within;
use crate::store::audit::Entry;
use crate::store::column::{from_word, time, to_text, to_word};
use crate::store::{Author, ListedPublisher, Page, Part, PublisherFilter, StoreError, UnreadablePublisher};

const COLUMNS: &str = "id, resource, rules, permission, state, revision";
const LISTED: &str =
    "SELECT id, resource, rules, permission, state, revision, created_at, changed_at, pending_until,
    last_used_at, coalesce(exchanges, 0) FROM publishers LEFT JOIN publisher_uses ON publisher = id";

pub(super) fn of(
    connection: &Connection,
    resource: &str,
    issuer: &str,
    now: UnixTime,
) -> Result<Vec<Publisher>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM publishers
         WHERE resource = ?1 AND issuer = ?2 AND (pending_until IS NULL OR pending_until > ?3) ORDER BY id"
    ))?;
    let mut rows = statement.query(params![resource, issuer, now.as_seconds()])?;
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

pub(super) fn one(connection: &Connection, id: &PublisherId) -> Result<Option<ListedPublisher>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{LISTED} WHERE id = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    rows.next()?.map(listed).transpose()
}

pub(super) fn list(
    connection: &Connection,
    filter: &PublisherFilter,
    page: &Page,
) -> Result<Part<ListedPublisher>, StoreError> {
    let mut conditions = Conditions::default();
    conditions.and("resource = ?", filter.resource.as_ref().map(ToString::to_string));
    conditions.and("issuer = ?", filter.issuer.as_ref().map(ToString::to_string));
    conditions.and("state = ?", filter.state.as_ref().map(to_word).transpose()?);
    conditions.and("coalesce(last_used_at, created_at) < ?", filter.unused_since.map(UnixTime::as_seconds));
    conditions.and("id > ?", page.after.clone());
    let limit = page.limit as usize;
    let mut statement = connection.prepare_cached(&format!("{LISTED} {} ORDER BY id", conditions.text()))?;
    let mut rows = statement.query(params_from_iter(conditions.values()))?;
    let mut last_seen = String::new();
    let (mut entries, mut scanned) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        scanned += 1;
        if scanned > SCAN {
            return Ok(Part { entries, next: Some(last_seen) });
        }
        last_seen = row.get(0)?;
        let resource = row.get_ref(1)?.as_str().map_err(StoreError::unreadable)?;
        if !is_within(filter.within.as_deref(), Some(resource)) {
            continue;
        }
        if entries.len() == limit {
            let next = entries.last().map(|last: &ListedPublisher| last.id().to_string());
            return Ok(Part { entries, next });
        }
        entries.push(listed(row)?);
    }
    Ok(Part { entries, next: None })
}

/// What the ledger has to know of a publisher.
#[derive(Clone, Copy, Debug)]
pub(super) struct InForce {
    pub(super) revision: Revision,
    /// Until when it waits for its first run, in seconds.
    pub(super) pending_until: Option<i64>,
}

/// What a publisher is like now, if there is one.
pub(super) fn in_force(
    transaction: &Transaction<'_>,
    id: &PublisherId,
) -> Result<Option<InForce>, StoreError> {
    let mut statement =
        transaction.prepare_cached("SELECT revision, pending_until FROM publishers WHERE id = ?1")?;
    let read = |row: &Row<'_>| Ok(InForce { revision: Revision(row.get(0)?), pending_until: row.get(1)? });
    Ok(statement.query_row([id.as_str()], read).optional()?)
}

/// Stores ids that a run taught, if the publisher is still the one it was decided on (compare-and-swap on the revision).
pub(super) fn learn(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    id: &PublisherId,
    revision: Revision,
    rules: &Rules,
) -> Result<bool, StoreError> {
    let resource: Option<String> = transaction
        .prepare_cached(
            "UPDATE publishers SET rules = ?3, revision = revision + 1, changed_at = ?4
             WHERE id = ?1 AND revision = ?2 RETURNING resource",
        )?
        .query_row(params![id.as_str(), revision.0, to_text(rules)?, author.at.as_seconds()], |row| {
            row.get(0)
        })
        .optional()?;
    let pins: Value = rules
        .pins()
        .map(|(claim, id)| (claim.to_owned(), json!(id)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let entry = Entry::new("publisher.pinned", target(id));
    let entry = Entry { resource: resource.as_deref(), after: Some(json!({ "pins": pins })), ..entry };
    journal.change(transaction, author, &entry)?;
    Ok(resource.is_some())
}

/// The first run of a pending publisher: its resource exists from now on, and pending publishers of others who would have
/// liked to have its name are gone.
pub(super) fn confirm(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    id: &PublisherId,
) -> Result<(), StoreError> {
    let confirmed: Option<(String, String)> = transaction
        .prepare_cached(
            "UPDATE publishers SET pending_until = NULL, changed_at = ?2
             WHERE id = ?1 AND pending_until IS NOT NULL RETURNING resource, created_by",
        )?
        .query_row(params![id.as_str(), author.at.as_seconds()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((resource, creator)) = confirmed else { return Ok(()) };
    let entry = Entry::new("publisher.confirmed", target(id));
    journal.change(transaction, author, &Entry { resource: Some(&resource), ..entry })?;
    super::changes::remove_pending_of_others(transaction, journal, author, &resource, &creator)
}

pub(super) fn count_uses(
    transaction: &Transaction<'_>,
    id: &PublisherId,
    last: UnixTime,
    count: i64,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO publisher_uses (publisher, last_used_at, exchanges) VALUES (?1, ?2, ?3)
         ON CONFLICT (publisher) DO UPDATE
             SET last_used_at = max(last_used_at, excluded.last_used_at), exchanges = exchanges + excluded.exchanges",
    )?;
    statement.execute(params![id.as_str(), last.as_seconds(), count])?;
    Ok(())
}

/// How the audit log names a publisher.
pub(super) fn target(id: &PublisherId) -> String {
    format!("publisher:{id}")
}

fn listed(row: &Row<'_>) -> Result<ListedPublisher, StoreError> {
    let publisher = match read(row) {
        Ok(publisher) => Ok(publisher),
        Err(error) => Err(UnreadablePublisher {
            id: row.get::<_, String>(0)?.parse().map_err(StoreError::unreadable)?,
            resource: row.get(1)?,
            problem: error.to_string(),
        }),
    };
    Ok(ListedPublisher {
        publisher,
        created_at: time(row.get(6)?),
        changed_at: time(row.get(7)?),
        pending_until: row.get::<_, Option<i64>>(8)?.map(time),
        last_used_at: row.get::<_, Option<i64>>(9)?.map(time),
        exchanges: u64::try_from(row.get::<_, i64>(10)?).unwrap_or(0),
    })
}

/// Reads a row back through the same checks that rules pass when they are made (invariant 5).
fn read(row: &Row<'_>) -> Result<Publisher, StoreError> {
    Ok(Publisher {
        id: row.get::<_, String>(0)?.parse().map_err(StoreError::unreadable)?,
        resource: row.get::<_, String>(1)?.parse().map_err(StoreError::unreadable)?,
        rules: serde_json::from_str(&row.get::<_, String>(2)?).map_err(StoreError::unreadable)?,
        permission: from_word::<Permission>(row.get(3)?)?,
        state: from_word::<PublisherState>(row.get(4)?)?,
        revision: Revision(row.get(5)?),
    })
}
