//! Admin tokens.

use countersign_core::UnixTime;
use tokio_postgres::Row;

use super::Database;
use super::connections::column;
use super::session::Session;
use crate::admin::AdminToken;
use crate::store::audit::Entry;
use crate::store::column::{self as written, time, to_text};
use crate::store::{Author, StoreError};

/// Adds an admin token.
pub(super) const ADD_ADMIN_TOKEN: &str = "INSERT INTO admin_tokens (id, name, role, resources, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
/// Lists the admin tokens.
pub(super) const ADMIN_TOKENS: &str = "SELECT id, name, role, resources, hash, created_at, expires_at, last_used_at FROM admin_tokens ORDER BY id";
/// Finds the admin token in force with a hash. The index compares hashes, not secrets: its timing tells nothing.
pub(super) const FIND_ADMIN_TOKEN: &str =
    "SELECT id, name, role, resources, hash, created_at, expires_at, last_used_at FROM admin_tokens
     WHERE hash = $1 AND expires_at > $2";
/// Notes the use of an admin token.
pub(super) const NOTE_ADMIN_TOKEN_USE: &str = "UPDATE admin_tokens SET last_used_at = $2 WHERE id = $1";
/// Removes an admin token.
pub(super) const REMOVE_ADMIN_TOKEN: &str = "DELETE FROM admin_tokens WHERE id = $1
     RETURNING id, name, role, resources, hash, created_at, expires_at, last_used_at";

pub(super) async fn add(
    session: &mut Session,
    author: &Author,
    token: &AdminToken,
) -> Result<(), StoreError> {
    session
        .execute(
            ADD_ADMIN_TOKEN,
            &[
                &token.id,
                &token.name,
                &token.role.as_str(),
                &to_text(&token.resources)?,
                &token.hash.as_slice(),
                &token.created_at.as_seconds(),
                &token.expires_at.as_seconds(),
            ],
        )
        .await?;
    let entry = Entry::new("admin_token.added", target(&token.id));
    session.note_change(author, &Entry { after: Some(written::json(token)?), ..entry });
    Ok(())
}

pub(super) async fn list(database: &Database) -> Result<Vec<AdminToken>, StoreError> {
    database.query(ADMIN_TOKENS, &[]).await?.iter().map(read).collect()
}

pub(super) async fn find(
    database: &Database,
    hash: &[u8; 32],
    now: UnixTime,
) -> Result<Option<AdminToken>, StoreError> {
    let found = database.query(FIND_ADMIN_TOKEN, &[&hash.as_slice(), &now.as_seconds()]).await?;
    found.first().map(read).transpose()
}

pub(super) async fn note_use(database: &Database, id: &str, now: UnixTime) -> Result<(), StoreError> {
    database.execute(NOTE_ADMIN_TOKEN_USE, &[&id, &now.as_seconds()]).await.map(drop)
}

pub(super) async fn remove(session: &mut Session, author: &Author, id: &str) -> Result<bool, StoreError> {
    let Some(removed) = session.first(REMOVE_ADMIN_TOKEN, &[&id]).await? else { return Ok(false) };
    let entry = Entry::new("admin_token.removed", target(id));
    session.note_change(author, &Entry { before: Some(written::json(&read(&removed)?)?), ..entry });
    Ok(true)
}

fn target(id: &str) -> String {
    format!("admin_token:{id}")
}

fn read(row: &Row) -> Result<AdminToken, StoreError> {
    let hash: &[u8] = column(row, 4)?;
    Ok(AdminToken {
        id: column(row, 0)?,
        name: column(row, 1)?,
        role: column::<&str>(row, 2)?.parse().map_err(StoreError::unreadable)?,
        resources: serde_json::from_str(column(row, 3)?).map_err(StoreError::unreadable)?,
        hash: hash.try_into().map_err(StoreError::unreadable)?,
        created_at: time(column(row, 5)?),
        expires_at: time(column(row, 6)?),
        last_used_at: column::<Option<i64>>(row, 7)?.map(time),
    })
}
