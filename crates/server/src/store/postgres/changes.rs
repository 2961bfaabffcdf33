//! Changes of publishers, all or none.
//!
//! Invariant 8 under concurrency: whatever is changed is locked first (`FOR UPDATE`), and an exchange shares a lock on its
//! publisher until it is committed. So either the change came first, and the exchange sees another revision; or the change
//! waits for the exchange, and its statement that ends the tokens, which begins after that, sees the exchange's token.

use countersign_core::publisher::{PublisherId, PublisherState, Revision};
use countersign_core::{Publisher, UnixTime};
use serde_json::{Value, json};
use tokio_postgres::Row;

use super::connections::column;
use super::publishers::{shown, target};
use super::session::Session;
use super::{Stop, exchanges, idempotency};
use crate::store::audit::Entry;
use crate::store::column::{self as written, from_text, to_text, to_word};
use crate::store::publisher::{MOST_OF_A_RESOURCE, growing};
use crate::store::{Author, Conflict, IdempotencyKey, ListedPublisher, PublisherChange, StoreError};

/// Locks a publisher that is to be changed, and says what it is like.
pub(super) const PRESENT: &str =
    "SELECT id, resource, revision, rules, permission, state FROM publishers WHERE id = $1 FOR UPDATE";
/// Locks pending publishers of a name that somebody else has by now.
pub(super) const PENDING_OF_OTHERS: &str =
    "SELECT id, resource, revision, rules, permission, state FROM publishers
     WHERE resource = $1 AND pending_until IS NOT NULL AND created_by <> $2 ORDER BY id FOR UPDATE";
/// Locks pending publishers whose time was up.
pub(super) const PENDING_EXPIRED: &str =
    "SELECT id, resource, revision, rules, permission, state FROM publishers
     WHERE pending_until <= $1 ORDER BY id LIMIT $2 FOR UPDATE";
/// Locks a resource against others that add publishers to it.
pub(super) const LOCK_RESOURCE: &str =
    "INSERT INTO resources (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name";
/// Counts the publishers of a resource.
pub(super) const COUNT_OF_RESOURCE: &str = "SELECT count(*) FROM publishers WHERE resource = $1";
/// Adds a publisher.
pub(super) const ADD_PUBLISHER: &str =
    "INSERT INTO publishers (id, resource, issuer, rules, permission, state, revision, created_at, created_by, changed_at,
         pending_until)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $10) ON CONFLICT (id) DO NOTHING";
/// Replaces what a publisher demands.
pub(super) const REPLACE_RULES: &str = "UPDATE publishers SET rules = $2, issuer = $3, permission = $4, revision = revision + 1, changed_at = $5 WHERE id = $1";
/// Enables or disables a publisher.
pub(super) const SET_STATE: &str =
    "UPDATE publishers SET state = $2, revision = revision + 1, changed_at = $3 WHERE id = $1";
/// Removes a publisher.
pub(super) const REMOVE_PUBLISHER: &str = "DELETE FROM publishers WHERE id = $1";
/// Removes the history of a publisher.
pub(super) const REMOVE_USES: &str = "DELETE FROM publisher_uses WHERE publisher = $1";

/// Makes the changes one after the other; on a conflict, the caller rolls back.
pub(super) async fn make(
    session: &mut Session,
    author: &Author,
    changes: &[PublisherChange],
    once: Option<&IdempotencyKey>,
) -> Result<Vec<ListedPublisher>, Stop> {
    if let Some(key) = once
        && let Some(used) = idempotency::find(session, author, key).await?
    {
        return Ok(shown(session, &used.map_err(Stop::Conflict)?).await?);
    }
    // Whoever else adds to one of them waits until this is committed, and then counts what it has added.
    for resource in growing(changes) {
        session.execute(LOCK_RESOURCE, &[&resource]).await?;
    }
    let mut ids = Vec::new();
    for change in changes {
        match change {
            PublisherChange::Add { publisher, pending_until } => {
                add(session, author, publisher, pending_until.map(UnixTime::as_seconds)).await?;
                ids.push(publisher.id.clone());
            }
            PublisherChange::Replace { id, expected, rules, permission } => {
                let before = expected_row(session, id, *expected).await?;
                let at = author.at.as_seconds();
                let (text, issuer, permitted) =
                    (to_text(rules)?, rules.issuer().as_str(), to_word(permission)?);
                session.execute(REPLACE_RULES, &[&id.as_str(), &text, &issuer, &permitted, &at]).await?;
                before.end_tokens(session, author).await?;
                let after = json!({ "rules": rules, "permission": permission });
                before.note(session, author, "publisher.changed", Some(after));
                ids.push(id.clone());
            }
            PublisherChange::SetState { id, expected, state } => {
                let before = expected_row(session, id, *expected).await?;
                session
                    .execute(SET_STATE, &[&id.as_str(), &to_word(state)?, &author.at.as_seconds()])
                    .await?;
                let action = match state {
                    PublisherState::Enabled => "publisher.enabled",
                    PublisherState::Disabled => {
                        before.end_tokens(session, author).await?;
                        "publisher.disabled"
                    }
                };
                before.note(session, author, action, Some(json!({ "state": state })));
                ids.push(id.clone());
            }
            PublisherChange::Remove { id, expected } => {
                expected_row(session, id, *expected).await?.remove(session, author).await?;
            }
        }
    }
    for resource in growing(changes) {
        let row = session.first(COUNT_OF_RESOURCE, &[&resource]).await?;
        if row.as_ref().map_or(Ok(0), |row| column::<i64>(row, 0))? > MOST_OF_A_RESOURCE.into() {
            return Err(Stop::Conflict(Conflict::TooMany(resource)));
        }
    }
    if let Some(key) = once {
        idempotency::remember(session, author, key, &ids).await?;
    }
    Ok(shown(session, &ids).await?)
}

async fn add(
    session: &mut Session,
    author: &Author,
    publisher: &Publisher,
    pending_until: Option<i64>,
) -> Result<(), Stop> {
    let (resource, creator) = (publisher.resource.to_string(), author.actor.to_string());
    let added = session
        .execute(
            ADD_PUBLISHER,
            &[
                &publisher.id.as_str(),
                &resource,
                &publisher.rules.issuer().as_str(),
                &to_text(&publisher.rules)?,
                &to_word(&publisher.permission)?,
                &to_word(&publisher.state)?,
                &publisher.revision.0,
                &author.at.as_seconds(),
                &creator,
                &pending_until,
            ],
        )
        .await?;
    if added == 0 {
        return Err(Stop::Conflict(Conflict::Exists(publisher.id.clone())));
    }
    let mut after = written::json(publisher)?;
    if pending_until.is_some() {
        after["pending_until"] = json!(pending_until);
    }
    let entry = Entry::new("publisher.added", target(&publisher.id));
    session.note_change(author, &Entry { resource: Some(&resource), after: Some(after), ..entry });
    if pending_until.is_none() {
        remove_pending_of_others(session, author, &resource, &creator).await?;
    }
    Ok(())
}

/// A resource that has a publisher in force exists: whoever else waited for its name waits in vain (threat K6). One that was
/// confirmed while this waited for its lock does not fit any more, and stays.
pub(super) async fn remove_pending_of_others(
    session: &mut Session,
    author: &Author,
    resource: &str,
    creator: &str,
) -> Result<(), StoreError> {
    for row in session.query(PENDING_OF_OTHERS, &[&resource, &creator]).await? {
        PresentRow::read(&row)?.remove(session, author).await?;
    }
    Ok(())
}

/// Removes pending publishers whose time was up, a few at a time.
pub(super) async fn remove_expired(
    session: &mut Session,
    author: &Author,
    limit: u32,
) -> Result<u32, StoreError> {
    let mut removed = 0;
    for row in session.query(PENDING_EXPIRED, &[&author.at.as_seconds(), &i64::from(limit)]).await? {
        PresentRow::read(&row)?.remove(session, author).await?;
        removed += 1;
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

async fn expected_row(
    session: &Session,
    id: &PublisherId,
    expected: Option<Revision>,
) -> Result<PresentRow, Stop> {
    let row = session.first(PRESENT, &[&id.as_str()]).await?;
    let row = row.ok_or_else(|| Stop::Conflict(Conflict::Missing(id.clone())))?;
    let present = PresentRow::read(&row)?;
    if expected.is_some_and(|expected| expected != present.revision) {
        return Err(Stop::Conflict(Conflict::Changed(id.clone())));
    }
    Ok(present)
}

impl PresentRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let (rules, permission, state): (String, &str, &str) =
            (column(row, 3)?, column(row, 4)?, column(row, 5)?);
        Ok(Self {
            id: column::<&str>(row, 0)?.parse().map_err(StoreError::unreadable)?,
            resource: column(row, 1)?,
            revision: Revision(column(row, 2)?),
            content: json!({ "rules": from_text(rules), "permission": permission, "state": state }),
        })
    }

    async fn end_tokens(&self, session: &Session, author: &Author) -> Result<(), StoreError> {
        exchanges::end_tokens_of_publisher(session, self.id.as_str(), &self.resource, author.at).await
    }

    async fn remove(self, session: &mut Session, author: &Author) -> Result<(), StoreError> {
        session.execute(REMOVE_PUBLISHER, &[&self.id.as_str()]).await?;
        session.execute(REMOVE_USES, &[&self.id.as_str()]).await?;
        self.end_tokens(session, author).await?;
        self.note(session, author, "publisher.removed", None);
        Ok(())
    }

    fn note(self, session: &mut Session, author: &Author, action: &str, after: Option<Value>) {
        let Self { id, resource, content, .. } = self;
        let entry = Entry {
            before: Some(content),
            after,
            resource: Some(&resource),
            ..Entry::new(action, target(&id))
        };
        session.note_change(author, &entry);
    }
}
