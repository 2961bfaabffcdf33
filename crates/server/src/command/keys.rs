//! `countersign-server keys list|rotate|revoke`.

use std::time::Duration;

use anyhow::bail;
use clap::Subcommand;
use countersign_server::clock::SystemRandomness;
use countersign_server::signing::{self, EncryptionKey, LEAD};
use countersign_server::store::{self, IfMissing, SealedKey};

use super::{author, say, written};
use crate::{Common, encryption_key};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the signing keys.
    List(List),
    /// Makes a new signing key. It is published now and signs in ten minutes, when registries know it.
    Rotate(Rotate),
    /// Revokes a signing key, in an emergency: tokens signed with it are worth nothing from now on.
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Rotate {
    /// Signs with it at once. Registries that have not fetched it yet refuse its tokens until they have.
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    /// The key's id, as `keys list` shows it.
    kid: String,
    #[command(flatten)]
    common: Common,
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run().await,
            Self::Rotate(rotate) => rotate.run().await,
            Self::Revoke(revoke) => revoke.run().await,
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let keys =
            store::open(&self.common.load()?.database, IfMissing::Refuse).await?.signing_keys().await?;
        if keys.is_empty() {
            say("no signing keys: the server makes the first one when it starts");
        }
        for key in &keys {
            say(&described(key));
        }
        Ok(())
    }
}

impl Rotate {
    async fn run(self) -> anyhow::Result<()> {
        let config = self.common.load()?;
        let store = store::open(&config.database, IfMissing::Refuse).await?;
        let encryption = EncryptionKey::load(
            encryption_key(&config)?.as_ref(),
            &config.encryption_key_file,
            true,
            &SystemRandomness,
        )?;
        let lead = if self.now { Duration::ZERO } else { LEAD };
        let key = signing::rotate(&*store, &encryption, lead, &author(), &SystemRandomness).await?;
        say(&described(&key));
        Ok(())
    }
}

impl Revoke {
    async fn run(self) -> anyhow::Result<()> {
        let store = store::open(&self.common.load()?.database, IfMissing::Refuse).await?;
        if !store.revoke_signing_key(&self.kid, &author()).await? {
            bail!("there is no signing key {} in use; `keys list` shows those there are", self.kid);
        }
        say(&format!("revoked the signing key {}; a running server takes another within a second", self.kid));
        Ok(())
    }
}

fn described(key: &SealedKey) -> String {
    let revoked = key.revoked_at.map_or_else(String::new, |at| format!("  revoked {}", written(at)));
    format!("{}  made {}  signs from {}{revoked}", key.kid, written(key.created_at), written(key.active_from))
}
