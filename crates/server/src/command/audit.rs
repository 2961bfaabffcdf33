//! `countersign-server audit verify|export`.

use anyhow::bail;
use clap::Subcommand;
use countersign_server::store::audit::ChainHead;
use countersign_server::store::{self, ChangeFilter, ExchangeFilter, IfMissing};
use serde_json::json;

use super::say;
use crate::Common;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes sure that no row of the ledger and the audit log was altered, added or removed, and prints the log's head.
    Verify(Verify),
    /// Prints the log as JSON lines, newest first: exchanges, then changes.
    Export(Export),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// A head that was printed earlier and kept elsewhere: it must be part of the log, so that replacing the log from its
    /// beginning, or cutting its end off, does not go unseen. May be given several times.
    #[arg(long = "head", value_name = "CHAIN:NUMBER:HASH")]
    heads: Vec<ChainHead>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    #[command(flatten)]
    common: Common,
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Verify(verify) => verify.run().await,
            Self::Export(export) => export.run().await,
        }
    }
}

impl Verify {
    async fn run(self) -> anyhow::Result<()> {
        let store = store::open(&self.common.load()?.database, IfMissing::Refuse).await?;
        match store.verify_audit_log(self.heads).await? {
            Ok(verified) => {
                say(&format!("in order: {} rows in {} batches", verified.rows, verified.batches));
                for head in verified.pruned {
                    say(&format!("pruned since, and cannot be compared: {head}"));
                }
                for head in verified.heads {
                    say(&format!("head {head}"));
                }
                Ok(())
            }
            Err(broken) => bail!("the audit log is not what was written: {broken}"),
        }
    }
}

impl Export {
    async fn run(self) -> anyhow::Result<()> {
        let store = store::open(&self.common.load()?.database, IfMissing::Refuse).await?;
        let exchanges = async |page: &_| store.exchanges(&ExchangeFilter::default(), page).await;
        store::go_through(u64::MAX, exchanges, |row| say(&json!({ "exchange": row }).to_string())).await?;
        let changes = async |page: &_| store.changes(&ChangeFilter::default(), page).await;
        store::go_through(u64::MAX, changes, |row| say(&json!({ "change": row }).to_string())).await?;
        Ok(())
    }
}
