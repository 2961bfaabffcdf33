//! Filling an empty database, in one transaction.

use std::pin::Pin;

use deadpool_postgres::{Object, Transaction};
use rusqlite::types::Value;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::audit;
use super::connections::{connection, pool};
use super::hosts::Warnings;
use crate::config::PostgresSettings;
use crate::store::StoreError;
use crate::store::audit::{ChainBreak, ChainHead, Verified};
use crate::store::copy::{Kind, Table};

/// Nothing has been forgotten yet in an empty database, and it need not say so.
const DROP_HORIZON: &str = "DELETE FROM replay_horizon WHERE forgotten_until = 0";

/// A connection for a copy: no statement of it is given up for taking long.
pub(in crate::store) async fn connect(settings: &PostgresSettings) -> Result<Object, StoreError> {
    let client = connection(&pool(settings, &Warnings::default())?).await?;
    client.batch_execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0").await?;
    Ok(client)
}

/// The open transaction.
pub(in crate::store) struct Copying<'a>(Transaction<'a>);

impl<'a> Copying<'a> {
    /// Begins.
    pub(in crate::store) async fn begin(client: &'a mut Object) -> Result<Self, StoreError> {
        let transaction = client.transaction().await?;
        transaction.execute(DROP_HORIZON, &[]).await?;
        Ok(Self(transaction))
    }

    /// Whether nothing is in a table.
    pub(in crate::store) async fn is_empty(&self, table: &Table) -> Result<bool, StoreError> {
        let rows = self.0.query(&format!("SELECT 1 FROM {} LIMIT 1", table.name), &[]).await?;
        Ok(rows.is_empty())
    }

    /// Begins to fill a table.
    pub(in crate::store) async fn fill(&self, table: &Table) -> Result<Filling, StoreError> {
        let kinds: Vec<Kind> = table.columns.iter().map(|(_, kind)| *kind).collect();
        let types: Vec<Type> = kinds.iter().map(|kind| kind.postgres()).collect();
        let sink = self.0.copy_in(&table.copy_in()).await?;
        Ok(Filling { writer: Box::pin(BinaryCopyInWriter::new(sink, &types)), kinds })
    }

    /// Follows the chains in what was filled in.
    pub(in crate::store) async fn verify(
        &self,
        noted: Vec<ChainHead>,
    ) -> Result<Result<Verified, ChainBreak>, StoreError> {
        audit::verify_in(&self.0, noted).await
    }

    /// Commits.
    pub(in crate::store) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }
}

/// A table that is being filled.
pub(in crate::store) struct Filling {
    writer: Pin<Box<BinaryCopyInWriter>>,
    kinds: Vec<Kind>,
}

impl Filling {
    /// Adds a row.
    pub(in crate::store) async fn add(&mut self, row: Vec<Value>) -> Result<(), StoreError> {
        let values = row.into_iter().zip(&self.kinds).map(|(value, kind)| kind.bind(value));
        let values: Vec<Box<dyn ToSql + Sync + Send>> = values.collect::<Result<_, _>>()?;
        let values: Vec<&(dyn ToSql + Sync)> =
            values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
        Ok(self.writer.as_mut().write(&values).await?)
    }

    /// Ends the table; the number of its rows.
    pub(in crate::store) async fn finish(mut self) -> Result<u64, StoreError> {
        Ok(self.writer.as_mut().finish().await?)
    }
}

impl Kind {
    fn postgres(self) -> Type {
        match self {
            Self::Text => Type::TEXT,
            Self::Number => Type::INT8,
            Self::Bytes => Type::BYTEA,
            Self::Truth => Type::BOOL,
        }
    }

    fn bind(self, value: Value) -> Result<Box<dyn ToSql + Sync + Send>, StoreError> {
        Ok(match (self, value) {
            (Self::Text, Value::Null) => Box::new(None::<String>),
            (Self::Number, Value::Null) => Box::new(None::<i64>),
            (Self::Bytes, Value::Null) => Box::new(None::<Vec<u8>>),
            (Self::Text, Value::Text(text)) => Box::new(text),
            (Self::Number, Value::Integer(number)) => Box::new(number),
            (Self::Bytes, Value::Blob(bytes)) => Box::new(bytes),
            (Self::Truth, Value::Integer(number)) => Box::new(number != 0),
            (kind, value) => {
                let found = value.data_type();
                return Err(StoreError::unreadable(format!("expected {kind:?}, found {found}")));
            }
        })
    }
}
