//! `countersign-server migrate`.

use countersign_server::config::Database;
use countersign_server::store::{PostgresStore, SqliteStore};

use super::say;
use crate::Common;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
}

impl Arguments {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let database = self.common.load()?.database;
        match &database {
            // Whatever opens a file of SQLite brings it up to date.
            Database::Sqlite(path) => {
                SqliteStore::open(path)?;
                say(&format!("{database} is up to date"));
            }
            Database::Postgres(settings) => {
                let (before, after) = PostgresStore::migrate(settings).await?;
                say(&match before {
                    _ if before == after => format!("{database} is up to date: version {after}"),
                    0 => format!("{database} was empty and has version {after} now"),
                    _ => format!("{database} had version {before} and has version {after} now"),
                });
            }
        }
        Ok(())
    }
}
