//! Opening the store that the configuration names.

use std::sync::Arc;

use super::{SqliteStore, Store, StoreError};
use crate::config::Database;

/// What to do where there is no database yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// Make it. PostgreSQL's schema only where the configuration says so; else it is `countersign-server migrate`'s to make.
    Make,
    /// Say so: what is asked for cannot be in a new one.
    Refuse,
}

/// Opens the database.
pub async fn open(database: &Database, missing: IfMissing) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match database {
        Database::Sqlite(path) if missing == IfMissing::Make => Arc::new(SqliteStore::open(path)?),
        Database::Sqlite(path) => Arc::new(SqliteStore::open_existing(path)?),
        Database::Postgres(settings) => Arc::new(super::PostgresStore::open(settings).await?),
    })
}
