//! Signing keys.

use serde_json::json;
use tokio_postgres::Row;

use super::Database;
use super::connections::column;
use super::session::Session;
use crate::store::audit::Entry;
use crate::store::column::time;
use crate::store::{Author, SealedKey, StoreError};

/// Lists the signing keys, in the order in which they sign.
pub(super) const KEYS: &str =
    "SELECT kid, sealed, created_at, active_from, revoked_at FROM signing_keys ORDER BY active_from, kid";
/// Adds a signing key after the last that was seen. Of nodes that add at once, all but one meet in the unique number.
pub(super) const ADD_KEY: &str = "INSERT INTO signing_keys (kid, number, sealed, created_at, active_from)
     SELECT $1, (SELECT coalesce(max(number), 0) + 1 FROM signing_keys), $2, $3, $4
     WHERE (SELECT kid FROM signing_keys ORDER BY active_from DESC, kid DESC LIMIT 1) IS NOT DISTINCT FROM $5
     ON CONFLICT (number) DO NOTHING";
/// Revokes a signing key.
pub(super) const REVOKE_KEY: &str =
    "UPDATE signing_keys SET revoked_at = $2 WHERE kid = $1 AND revoked_at IS NULL";

pub(super) async fn all(database: &Database) -> Result<Vec<SealedKey>, StoreError> {
    database.query(KEYS, &[]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<SealedKey, StoreError> {
    Ok(SealedKey {
        kid: column(row, 0)?,
        sealed: column(row, 1)?,
        created_at: time(column(row, 2)?),
        active_from: time(column(row, 3)?),
        revoked_at: column::<Option<i64>>(row, 4)?.map(time),
    })
}

pub(super) async fn add(
    session: &mut Session,
    author: &Author,
    key: &SealedKey,
    last: Option<&str>,
) -> Result<bool, StoreError> {
    let (created_at, active_from) = (key.created_at.as_seconds(), key.active_from.as_seconds());
    let added = session.execute(ADD_KEY, &[&key.kid, &key.sealed, &created_at, &active_from, &last]).await?;
    if added == 1 {
        let after = json!({ "created_at": created_at, "active_from": active_from });
        let entry = Entry::new("signing_key.added", format!("signing_key:{}", key.kid));
        session.note_change(author, &Entry { after: Some(after), ..entry });
    }
    Ok(added == 1)
}

pub(super) async fn revoke(session: &mut Session, author: &Author, kid: &str) -> Result<bool, StoreError> {
    let revoked = session.execute(REVOKE_KEY, &[&kid, &author.at.as_seconds()]).await?;
    if revoked == 1 {
        session.note_change(author, &Entry::new("signing_key.revoked", format!("signing_key:{kid}")));
    }
    Ok(revoked == 1)
}
