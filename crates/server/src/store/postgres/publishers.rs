//! Publishers: reading them, and what an exchange does to them.

use countersign_core::publisher::{PublisherId, PublisherState, Revision};
use countersign_core::{Permission, Publisher, Rules, UnixTime};
use serde_json::{Value, json};
use tokio_postgres::Row;

use super::conditions::Conditions;
use super::connections::column;
use super::search::{CHUNK, SCAN};
use super::session::Session;
use super::{Database, race};
use crate::admin::is_within;
use crate::store::audit::Entry;
use crate::store::column::{from_word, time, to_text, to_word};
use crate::store::{Author, ListedPublisher, Page, Part, PublisherFilter, StoreError, UnreadablePublisher};

/// Finds the publishers of a resource for an issuer.
pub(super) const PUBLISHERS_OF: &str =
    "SELECT id, resource, rules, permission, state, revision FROM publishers
     WHERE resource = $1 AND issuer = $2 AND (pending_until IS NULL OR pending_until > $3) ORDER BY id";
/// Lists publishers with their history, before the conditions. Each chain counts by itself, so that no two wait.
pub(super) const LISTED: &str =
    "SELECT id, resource, rules, permission, state, revision, created_at, changed_at, pending_until,
         (SELECT max(last_used_at) FROM publisher_uses WHERE publisher = id),
         (SELECT coalesce(sum(exchanges), 0)::bigint FROM publisher_uses WHERE publisher = id)
     FROM publishers";
/// Stores ids that a run taught, if the publisher is still the one it was decided on (compare-and-swap on the revision).
pub(super) const LEARN: &str = "UPDATE publishers SET rules = $3, revision = revision + 1, changed_at = $4
     WHERE id = $1 AND revision = $2 RETURNING resource";
/// Makes a publisher of a pending one, at its first run.
pub(super) const CONFIRM: &str = "UPDATE publishers SET pending_until = NULL, changed_at = $2
     WHERE id = $1 AND pending_until IS NOT NULL RETURNING resource, created_by";
/// Counts uses of publishers.
pub(super) const COUNT_USES: &str = "INSERT INTO publisher_uses (publisher, chain, last_used_at, exchanges)
     SELECT publisher, $4, last_used_at, exchanges FROM unnest($1::text[], $2::bigint[], $3::bigint[])
         AS new (publisher, last_used_at, exchanges)
     WHERE current_setting('countersign.transaction', true) = 'open'
     ORDER BY publisher
     ON CONFLICT (publisher, chain) DO UPDATE
         SET last_used_at = greatest(publisher_uses.last_used_at, excluded.last_used_at),
             exchanges = publisher_uses.exchanges + excluded.exchanges";

/// Of publishers, those that have not been used since.
const UNUSED: &str =
    "coalesce((SELECT max(last_used_at) FROM publisher_uses WHERE publisher = id), created_at) < ?";

pub(super) async fn of(
    database: &Database,
    resource: &str,
    issuer: &str,
    now: UnixTime,
) -> Result<Vec<Publisher>, StoreError> {
    let rows = database.query(PUBLISHERS_OF, &[&resource, &issuer, &now.as_seconds()]).await?;
    let mut found = Vec::new();
    for row in &rows {
        match read(row) {
            Ok(publisher) => found.push(publisher),
            // It trusts nobody; the others of the resource go on.
            Err(error) => {
                tracing::error!(publisher = %column::<&str>(row, 0)?, %error, "a publisher is passed over");
            }
        }
    }
    Ok(found)
}

pub(super) async fn one(
    database: &Database,
    id: &PublisherId,
) -> Result<Option<ListedPublisher>, StoreError> {
    let found = database.query(&format!("{LISTED} WHERE id = $1"), &[&id.as_str()]).await?;
    found.first().map(listed).transpose()
}

/// Those of that id, as they are inside a transaction.
pub(super) async fn shown(
    session: &Session,
    ids: &[PublisherId],
) -> Result<Vec<ListedPublisher>, StoreError> {
    let mut shown = Vec::with_capacity(ids.len());
    for id in ids {
        let row = session.first(&format!("{LISTED} WHERE id = $1"), &[&id.as_str()]).await?;
        shown.extend(row.as_ref().map(listed).transpose()?);
    }
    Ok(shown)
}

pub(super) async fn list(
    database: &Database,
    filter: &PublisherFilter,
    page: &Page,
) -> Result<Part<ListedPublisher>, StoreError> {
    let limit = page.limit as usize;
    let mut entries: Vec<ListedPublisher> = Vec::new();
    let mut after = page.after.clone();
    for _ in 0..SCAN / CHUNK {
        let mut conditions = Conditions::default();
        conditions.and("resource = ?", filter.resource.as_ref().map(ToString::to_string));
        conditions.and("issuer = ?", filter.issuer.as_ref().map(ToString::to_string));
        conditions.and("state = ?", filter.state.as_ref().map(to_word).transpose()?);
        conditions.and(UNUSED, filter.unused_since.map(UnixTime::as_seconds));
        conditions.and("id > ?", after.clone());
        // Patterns are compared here, not there: which rows fit is not known before.
        let chunk = if filter.within.is_some() { CHUNK } else { limit + 1 };
        let statement = format!("{LISTED} {} ORDER BY id LIMIT {chunk}", conditions.text());
        let rows = database.query_once(&statement, &conditions.values()).await?;
        for row in &rows {
            if !is_within(filter.within.as_deref(), Some(column(row, 1)?)) {
                continue;
            }
            if entries.len() == limit {
                let next = entries.last().map(|last| last.id().to_string());
                return Ok(Part { entries, next });
            }
            entries.push(listed(row)?);
        }
        after = rows.last().map(|row| column(row, 0)).transpose()?;
        if rows.len() < chunk {
            return Ok(Part { entries, next: None });
        }
    }
    Ok(Part { entries, next: after })
}

pub(super) async fn learn(
    session: &mut Session,
    author: &Author,
    id: &PublisherId,
    revision: Revision,
    rules: &Rules,
) -> Result<(), StoreError> {
    let row = session
        .first(LEARN, &[&id.as_str(), &revision.0, &to_text(rules)?, &author.at.as_seconds()])
        .await?
        // The revision was compared under a lock, inside this very transaction.
        .ok_or_else(|| race("a publisher changed inside a transaction"))?;
    let pins: Value = rules
        .pins()
        .map(|(claim, id)| (claim.to_owned(), json!(id)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let entry = Entry::new("publisher.pinned", target(id));
    let after = Some(json!({ "pins": pins }));
    session.note_change(author, &Entry { resource: Some(column(&row, 0)?), after, ..entry });
    Ok(())
}

/// The first run of a pending publisher: its resource exists from now on, and pending publishers of others who would have
/// liked to have its name are gone.
pub(super) async fn confirm(
    session: &mut Session,
    author: &Author,
    id: &PublisherId,
) -> Result<(), StoreError> {
    let confirmed = session.first(CONFIRM, &[&id.as_str(), &author.at.as_seconds()]).await?;
    let Some(row) = confirmed else { return Ok(()) };
    let (resource, creator): (String, String) = (column(&row, 0)?, column(&row, 1)?);
    let entry = Entry::new("publisher.confirmed", target(id));
    session.note_change(author, &Entry { resource: Some(&resource), ..entry });
    super::changes::remove_pending_of_others(session, author, &resource, &creator).await
}

/// How the audit log names a publisher.
pub(super) fn target(id: &PublisherId) -> String {
    format!("publisher:{id}")
}

fn listed(row: &Row) -> Result<ListedPublisher, StoreError> {
    let publisher = match read(row) {
        Ok(publisher) => Ok(publisher),
        Err(error) => Err(UnreadablePublisher {
            id: column::<&str>(row, 0)?.parse().map_err(StoreError::unreadable)?,
            resource: column(row, 1)?,
            problem: error.to_string(),
        }),
    };
    Ok(ListedPublisher {
        publisher,
        created_at: time(column(row, 6)?),
        changed_at: time(column(row, 7)?),
        pending_until: column::<Option<i64>>(row, 8)?.map(time),
        last_used_at: column::<Option<i64>>(row, 9)?.map(time),
        exchanges: u64::try_from(column::<i64>(row, 10)?).unwrap_or(0),
    })
}

/// Reads a row back through the same checks that rules pass when they are made (invariant 5).
fn read(row: &Row) -> Result<Publisher, StoreError> {
    Ok(Publisher {
        id: column::<&str>(row, 0)?.parse().map_err(StoreError::unreadable)?,
        resource: column::<&str>(row, 1)?.parse().map_err(StoreError::unreadable)?,
        rules: serde_json::from_str(column(row, 2)?).map_err(StoreError::unreadable)?,
        permission: from_word::<Permission>(column(row, 3)?)?,
        state: from_word::<PublisherState>(column(row, 4)?)?,
        revision: Revision(column(row, 5)?),
    })
}
