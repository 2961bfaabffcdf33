//! Admin tokens.

use countersign_core::UnixTime;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::journal::Journal;
use crate::admin::AdminToken;
use crate::store::audit::Entry;
use crate::store::column::{self, time, to_text};
use crate::store::{Author, StoreError};

const COLUMNS: &str = "id, name, role, resources, hash, created_at, expires_at, last_used_at";

pub(super) fn add(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    token: &AdminToken,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO admin_tokens (id, name, role, resources, hash, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            token.id,
            token.name,
            token.role.as_str(),
            to_text(&token.resources)?,
            token.hash,
            token.created_at.as_seconds(),
            token.expires_at.as_seconds()
        ],
    )?;
    let entry = Entry::new("admin_token.added", target(&token.id));
    journal.change(transaction, author, &Entry { after: Some(column::json(token)?), ..entry })
}

pub(super) fn list(connection: &Connection) -> Result<Vec<AdminToken>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM admin_tokens ORDER BY id"))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// The token in force with that hash. The index compares hashes, not secrets: its timing tells nothing about a token.
pub(super) fn find(
    connection: &Connection,
    hash: &[u8; 32],
    now: UnixTime,
) -> Result<Option<AdminToken>, StoreError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM admin_tokens WHERE hash = ?1 AND expires_at > ?2"))?;
    let mut rows = statement.query(params![hash, now.as_seconds()])?;
    rows.next()?.map(read).transpose()
}

pub(super) fn note_use(transaction: &Transaction<'_>, id: &str, now: UnixTime) -> Result<(), StoreError> {
    transaction
        .execute("UPDATE admin_tokens SET last_used_at = ?2 WHERE id = ?1", params![id, now.as_seconds()])?;
    Ok(())
}

pub(super) fn remove(
    transaction: &Transaction<'_>,
    journal: &mut Journal,
    author: &Author,
    id: &str,
) -> Result<bool, StoreError> {
    let removed = transaction
        .prepare(&format!("DELETE FROM admin_tokens WHERE id = ?1 RETURNING {COLUMNS}"))?
        .query_row([id], |row| Ok(read(row)))
        .optional()?
        .transpose()?;
    let Some(removed) = removed else { return Ok(false) };
    let entry = Entry::new("admin_token.removed", target(id));
    journal.change(transaction, author, &Entry { before: Some(column::json(&removed)?), ..entry })?;
    Ok(true)
}

fn target(id: &str) -> String {
    format!("admin_token:{id}")
}

fn read(row: &Row<'_>) -> Result<AdminToken, StoreError> {
    let role: String = row.get(2)?;
    Ok(AdminToken {
        id: row.get(0)?,
        name: row.get(1)?,
        role: role.parse().map_err(StoreError::unreadable)?,
        resources: serde_json::from_str(&row.get::<_, String>(3)?).map_err(StoreError::unreadable)?,
        hash: row.get(4)?,
        created_at: time(row.get(5)?),
        expires_at: time(row.get(6)?),
        last_used_at: row.get::<_, Option<i64>>(7)?.map(time),
    })
}
