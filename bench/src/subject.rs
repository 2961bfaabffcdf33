//! What is measured, each as a row of the table.

use std::path::Path;

use clap::ValueEnum;

mod countersign;
mod openbao;
mod stateless;

use countersign::Place;
use openbao::{OpenBao, Tokens};
use stateless::Stateless;

use crate::generator::Target;
use crate::lifeline::Order;
use crate::stage::Stage;
use crate::workload::{RESOURCE, request};

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// HTTP, verification, decision and signing, without a ledger
    Stateless,
    /// The server on SQLite
    Sqlite,
    /// The server on PostgreSQL
    Postgres,
    /// The server on a PostgreSQL to which it is half a millisecond, and half a millisecond back
    PostgresAway,
    /// Two servers on one PostgreSQL, both on the measured core
    TwoNodes,
    /// `OpenBao`'s JWT login with tokens that it stores
    OpenbaoStored,
    /// `OpenBao`'s JWT login with tokens that it does not store
    OpenbaoBatch,
}

/// A server under measurement. Dropping it ends it.
pub(crate) trait Subject {
    /// What it is to the load generator.
    fn target(&self) -> anyhow::Result<Target>;

    /// The request that exchanges an id token.
    fn request(&self, id_token: &str) -> Vec<u8> {
        request(id_token, RESOURCE)
    }

    /// Stops all of its programs, or has them go on.
    fn order(&mut self, order: Order) -> anyhow::Result<()>;

    /// Ends it, and compares what it has on record with how many requests it answered.
    fn finish(self: Box<Self>, answered: usize) -> anyhow::Result<Kept>;
}

/// What is left of a subject.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Kept {
    /// By how many bytes its database has grown, if it has one.
    pub(crate) stored: Option<u64>,
    /// In how many transactions the exchanges were recorded, if that is known.
    pub(crate) commits: Option<u64>,
}

impl Row {
    /// The row's name in the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Stateless => "stateless exchange (no product: no ledger)",
            Self::Sqlite => "SQLite, synchronous FULL",
            Self::Postgres => "PostgreSQL, synchronous_commit on",
            Self::PostgresAway => "PostgreSQL, a millisecond there and back",
            Self::TwoNodes => "two nodes on PostgreSQL",
            Self::OpenbaoStored => "OpenBao login, stored tokens",
            Self::OpenbaoBatch => "OpenBao login, batch tokens",
        }
    }

    /// The row's name on the command line and in JSON.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether it needs the program of `OpenBao`.
    pub(crate) fn is_openbao(self) -> bool {
        matches!(self, Self::OpenbaoStored | Self::OpenbaoBatch)
    }

    /// Starts it, ready to answer.
    pub(crate) fn start<'a>(
        self,
        stage: &'a Stage,
        openbao: Option<&Path>,
    ) -> anyhow::Result<Box<dyn Subject + 'a>> {
        let folder = stage.folder.path().join(self.name());
        std::fs::create_dir(&folder)?;
        Ok(match self {
            Self::Stateless => Box::new(Stateless::start(stage)?),
            Self::Sqlite => Box::new(countersign::on_sqlite(stage, &folder)?),
            Self::Postgres => Box::new(countersign::on_postgres(stage, &folder, Place::Beside, 1)?),
            Self::PostgresAway => Box::new(countersign::on_postgres(stage, &folder, Place::Away, 1)?),
            Self::TwoNodes => Box::new(countersign::on_postgres(stage, &folder, Place::Beside, 2)?),
            Self::OpenbaoStored => Box::new(OpenBao::start(stage, openbao, &folder, Tokens::Service)?),
            Self::OpenbaoBatch => Box::new(OpenBao::start(stage, openbao, &folder, Tokens::Batch)?),
        })
    }
}

/// The size of all files in a folder and those in it.
pub(crate) fn bytes_below(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
