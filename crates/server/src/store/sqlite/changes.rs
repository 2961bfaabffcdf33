//! Changes of publishers, all or none.

use countersign_core::publisher::{PublisherId, PublisherState, Revision};
use countersign_core::{Publisher, UnixTime};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Value, json};

use super::journal::Journal;
use super::publishers::{one, target};
use super::{exchanges, idempotency};
use crate::store::audit::Entry;
use crate::store::column::{self, from_text, to_text, to_word};
use crate::store::publisher::{MOST_OF_A_RESOURCE, growing};
use crate::store::{Author, Conflict, IdempotencyKey, ListedPublisher, PublisherChange, StoreError};

/// Why the transaction is rolled back.
pub(super) enum Stop {
    Conflict(Conflict),
    Store(StoreError),
}

impl<E: Into<StoreError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// Makes the changes one after the other; on a conflict, the caller rolls back.
pub(super) fn make(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    changes: &[PublisherChange],
    once: Option<&IdempotencyKey>,
) -> Result<Vec<ListedPublisher>, Stop> {
    if let Some(made) = once.map(|key| repeated(transaction, author, key)).transpose()?.flatten() {
        return made.map_err(Stop::Conflict);
    }
    let mut ids = Vec::new();
    for change in changes {
        match change {
            PublisherChange::Add { publisher, pending_until } => {
                let until = pending_until.map(UnixTime::as_seconds);
                add(transaction, journal, author, publisher, until)?;
                ids.push(publisher.id.clone());
            }
            PublisherChange::Replace { id, expected, rules, permission } => {
                let before = expected_row(transaction, id, *expected)?;
                transaction.execute(
                    "UPDATE publishers SET rules = ?2, issuer = ?3, permission = ?4, revision = revision + 1, changed_at = ?5
                     WHERE id = ?1",
                    params![
                        id.as_str(),
                        to_text(rules)?,
                        rules.issuer().as_str(),
                        to_word(permission)?,
                        author.at.as_seconds()
                    ],
                )?;
                before.end_tokens(transaction, author)?;
                let after = json!({ "rules": rules, "permission": permission });
                before.note(transaction, journal, author, "publisher.changed", Some(after))?;
                ids.push(id.clone());
            }
            PublisherChange::SetState { id, expected, state } => {
                let before = expected_row(transaction, id, *expected)?;
                transaction.execute(
                    "UPDATE publishers SET state = ?2, revision = revision + 1, changed_at = ?3 WHERE id = ?1",
                    params![id.as_str(), to_word(state)?, author.at.as_seconds()],
                )?;
                let action = match state {
                    PublisherState::Enabled => "publisher.enabled",
                    PublisherState::Disabled => {
                        before.end_tokens(transaction, author)?;
                        "publisher.disabled"
                    }
                };
                before.note(transaction, journal, author, action, Some(json!({ "state": state })))?;
                ids.push(id.clone());
            }
            PublisherChange::Remove { id, expected } => {
                expected_row(transaction, id, *expected)?.remove(transaction, journal, author)?;
            }
        }
    }
    for resource in growing(changes) {
        if of_resource(transaction, &resource)? > MOST_OF_A_RESOURCE.into() {
            return Err(Stop::Conflict(Conflict::TooMany(resource)));
        }
    }
    if let Some(key) = once {
        idempotency::remember(transaction, author, key, &ids)?;
    }
    Ok(shown(transaction, &ids)?)
}

fn of_resource(transaction: &Transaction<'_>, resource: &str) -> Result<i64, StoreError> {
    let mut statement = transaction.prepare_cached("SELECT count(*) FROM publishers WHERE resource = ?1")?;
    Ok(statement.query_row([resource], |row| row.get(0))?)
}

/// What a request that was made before came to.
pub(super) fn repeated(
    connection: &Connection,
    author: &Author,
    once: &IdempotencyKey,
) -> Result<Option<Result<Vec<ListedPublisher>, Conflict>>, StoreError> {
    match idempotency::find(connection, author, once)? {
        Some(Ok(ids)) => shown(connection, &ids).map(|shown| Some(Ok(shown))),
        Some(Err(conflict)) => Ok(Some(Err(conflict))),
        None => Ok(None),
    }
}

fn shown(connection: &Connection, ids: &[PublisherId]) -> Result<Vec<ListedPublisher>, StoreError> {
    ids.iter().filter_map(|id| one(connection, id).transpose()).collect()
}

fn add(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    publisher: &Publisher,
    pending_until: Option<i64>,
) -> Result<(), Stop> {
    let (resource, creator) = (publisher.resource.to_string(), author.actor.to_string());
    let added = transaction.execute(
        "INSERT INTO publishers (id, resource, issuer, rules, permission, state, revision, created_at, created_by,
             changed_at, pending_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?8, ?10) ON CONFLICT (id) DO NOTHING",
        params![
            publisher.id.as_str(),
            resource,
            publisher.rules.issuer().as_str(),
            to_text(&publisher.rules)?,
            to_word(&publisher.permission)?,
            to_word(&publisher.state)?,
            publisher.revision.0,
            author.at.as_seconds(),
            creator,
            pending_until,
        ],
    )?;
    if added == 0 {
        return Err(Stop::Conflict(Conflict::Exists(publisher.id.clone())));
    }
    let mut after = column::json(publisher)?;
    if pending_until.is_some() {
        after["pending_until"] = json!(pending_until);
    }
    let entry = Entry::new("publisher.added", target(&publisher.id));
    let entry = Entry { resource: Some(&resource), after: Some(after), ..entry };
    journal.change(transaction, author, &entry)?;
    if pending_until.is_none() {
        remove_pending_of_others(transaction, journal, author, &resource, &creator)?;
    }
    Ok(())
}

/// A resource that has a publisher in force exists: whoever else waited for its name waits in vain (threat K6).
pub(super) fn remove_pending_of_others(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    resource: &str,
    creator: &str,
) -> Result<(), StoreError> {
    let waiting: Vec<String> = transaction
        .prepare_cached(
            "SELECT id FROM publishers WHERE resource = ?1 AND pending_until IS NOT NULL AND created_by <> ?2",
        )?
        .query_map([resource, creator], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in waiting {
        let id = id.parse().map_err(StoreError::unreadable)?;
        if let Some(row) = present_row(transaction, &id)? {
            row.remove(transaction, journal, author)?;
        }
    }
    Ok(())
}

/// Removes pending publishers whose time was up, a few at a time.
pub(super) fn remove_expired(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    limit: u32,
) -> Result<u32, StoreError> {
    let expired: Vec<String> = transaction
        .prepare_cached("SELECT id FROM publishers WHERE pending_until <= ?1 LIMIT ?2")?
        .query_map(params![author.at.as_seconds(), limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut removed = 0;
    for id in expired {
        let id = id.parse().map_err(StoreError::unreadable)?;
        if let Some(row) = present_row(transaction, &id)? {
            row.remove(transaction, journal, author)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// A row as it is before a change, whether or not this version can read it as a publisher.
struct PresentRow {
    id: PublisherId,
    resource: String,
    revision: Revision,
    content: Value,
}

fn expected_row(
    transaction: &Transaction<'_>,
    id: &PublisherId,
    expected: Option<Revision>,
) -> Result<PresentRow, Stop> {
    let row = present_row(transaction, id)?.ok_or_else(|| Stop::Conflict(Conflict::Missing(id.clone())))?;
    if expected.is_some_and(|expected| expected != row.revision) {
        return Err(Stop::Conflict(Conflict::Changed(id.clone())));
    }
    Ok(row)
}

fn present_row(transaction: &Transaction<'_>, id: &PublisherId) -> Result<Option<PresentRow>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT resource, revision, rules, permission, state FROM publishers WHERE id = ?1",
    )?;
    let found = statement.query_row([id.as_str()], |row| {
        let rules: String = row.get(2)?;
        let rules = from_text(rules);
        let (permission, state): (String, String) = (row.get(3)?, row.get(4)?);
        Ok(PresentRow {
            id: id.clone(),
            resource: row.get(0)?,
            revision: Revision(row.get(1)?),
            content: json!({ "rules": rules, "permission": permission, "state": state }),
        })
    });
    Ok(found.optional()?)
}

impl PresentRow {
    fn end_tokens(&self, transaction: &Transaction<'_>, author: &Author) -> Result<(), StoreError> {
        exchanges::end_tokens_of_publisher(transaction, self.id.as_str(), &self.resource, author.at)
    }

    fn remove(
        self,
        transaction: &Transaction<'_>,
        journal: &mut Journal,
        author: &Author,
    ) -> Result<(), StoreError> {
        transaction.execute("DELETE FROM publishers WHERE id = ?1", [self.id.as_str()])?;
        transaction.execute("DELETE FROM publisher_uses WHERE publisher = ?1", [self.id.as_str()])?;
        self.end_tokens(transaction, author)?;
        self.note(transaction, journal, author, "publisher.removed", None)
    }

    fn note(
        self,
        transaction: &Transaction<'_>,
        journal: &mut Journal,
        author: &Author,
        action: &str,
        after: Option<Value>,
    ) -> Result<(), StoreError> {
        let Self { id, resource, content, .. } = self;
        let entry = Entry {
            before: Some(content),
            after,
            resource: Some(&resource),
            ..Entry::new(action, target(&id))
        };
        journal.change(transaction, author, &entry)
    }
}
