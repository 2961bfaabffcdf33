//! `countersign-server copy`.

use std::path::PathBuf;

use anyhow::bail;
use countersign_server::config::Database;
use countersign_server::store::copy::copy;

use super::say;
use crate::Common;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The database to copy: sqlite:PATH. No server may use it from now on.
    #[arg(long, value_name = "DATABASE", value_parser = sqlite)]
    from: PathBuf,
    /// The empty database to copy into: postgres://…; by default the configured one. A password is better given in
    /// `COUNTERSIGN_DATABASE_URL`.
    #[arg(long, value_name = "DATABASE")]
    to: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Arguments {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let config = self.common.load_with(self.to.map(Into::into))?;
        let Database::Postgres(settings) = config.database else {
            bail!(
                "expected a database of PostgreSQL to copy into, found {}; set --to postgres://…",
                config.database
            );
        };
        let copied = copy(&self.from, &settings).await?;
        for (table, rows) in copied.rows {
            say(&format!("{rows:>9}  {table}"));
        }
        say(&format!(
            "copied {} to {settings}; its audit log is in order: {} rows in {} batches",
            self.from.display(),
            copied.log.rows,
            copied.log.batches
        ));
        say(
            "give all servers of the new database the encryption key of the old one, and start none on the old one again",
        );
        Ok(())
    }
}

fn sqlite(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("sqlite:").filter(|path| !path.is_empty());
    path.map(PathBuf::from).ok_or_else(|| "expected sqlite:PATH".to_owned())
}
