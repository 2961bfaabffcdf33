//! `countersign-server admin-token add|list|remove`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use countersign_server::admin::{AdminToken, NewAdminToken, ResourcePattern, Role};
use countersign_server::clock::{Clock as _, SystemClock, SystemRandomness};
use countersign_server::store::{self, IfMissing, Store};
use secrecy::{ExposeSecret as _, SecretString};

use super::{author, say, written};
use crate::Common;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes an admin token and shows it: this once.
    Add(Add),
    /// Lists the admin tokens, without their secrets.
    List(List),
    /// Removes an admin token; it stops working at once.
    Remove(Remove),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// Who will have it, such as upload-server.
    name: String,
    /// What it may do: owner (everything), maintainer (the publishers of its resources), auditor (read what happened to its
    /// resources) or registry (introspect access tokens).
    #[arg(long)]
    role: Role,
    /// The resources that it is about, such as acme/* or pkg:pypi/acme-*; a maintainer needs at least one, others have all.
    #[arg(long = "resource", value_name = "PATTERN")]
    resources: Vec<ResourcePattern>,
    /// Takes the secret from this file instead of making one, for servers that are set up by a program: nothing is printed,
    /// and nothing happens if the secret is known already.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// In how many days it ends.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Remove {
    /// The token's id, as `admin-token list` shows it.
    id: String,
    #[command(flatten)]
    common: Common,
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(add) => add.run().await,
            Self::List(list) => list.run().await,
            Self::Remove(remove) => remove.run().await,
        }
    }
}

impl Add {
    async fn run(self) -> anyhow::Result<()> {
        let lifetime = Duration::from_hours(24) * self.days;
        let new = NewAdminToken::new(self.name, self.role, self.resources, lifetime)?;
        let store = store::open(&self.common.load()?.database, IfMissing::Make).await?;
        if let Some(path) = self.secret_file {
            return register(&*store, new, &path).await;
        }
        let (token, secret) = new.made(SystemClock.now(), &SystemRandomness);
        store.add_admin_token(token.clone(), &author()).await?;
        // The one place that shows a secret, to the person who asked for it.
        say(secret.expose_secret());
        super::complain(&format!(
            "made the admin token {} for {:?}; it is shown this once",
            token.id, token.name
        ));
        Ok(())
    }
}

/// Makes the token of the secret in a file, once.
async fn register(store: &dyn Store, new: NewAdminToken, path: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let secret = SecretString::from(text.trim());
    let token = new.made_with(&secret, SystemClock.now(), &SystemRandomness)?;
    if store.admin_tokens().await?.iter().any(|known| known.hash == token.hash) {
        super::complain("this secret is an admin token already; nothing was done");
        return Ok(());
    }
    let made =
        format!("made the admin token {} for {:?} of the secret in {}", token.id, token.name, path.display());
    store.add_admin_token(token, &author()).await?;
    super::complain(&made);
    Ok(())
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let tokens =
            store::open(&self.common.load()?.database, IfMissing::Refuse).await?.admin_tokens().await?;
        if self.json {
            say(&serde_json::to_string_pretty(&tokens)?);
            return Ok(());
        }
        if tokens.is_empty() {
            say("no admin tokens");
        }
        for token in &tokens {
            let used = token
                .last_used_at
                .map_or_else(|| "never used".to_owned(), |at| format!("last used {}", written(at)));
            say(&format!(
                "{}  {}  {}  {}  until {}  {used}",
                token.id,
                token.role,
                token.name,
                patterns(token),
                written(token.expires_at)
            ));
        }
        Ok(())
    }
}

impl Remove {
    async fn run(self) -> anyhow::Result<()> {
        let store = store::open(&self.common.load()?.database, IfMissing::Refuse).await?;
        if !store.remove_admin_token(&self.id, &author()).await? {
            bail!("there is no admin token {}; `admin-token list` shows those there are", self.id);
        }
        say(&format!("removed the admin token {}", self.id));
        Ok(())
    }
}

fn patterns(token: &AdminToken) -> String {
    let patterns: Vec<String> = token.resources.iter().map(ToString::to_string).collect();
    patterns.join(" ")
}
