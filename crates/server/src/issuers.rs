//! The issuers whose id tokens are exchanged, ready to verify with.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_core::{Algorithm, Audience, IssuerUrl, Provider, PublicUrl, UnixTime};
use countersign_verify::{DiscoverySettings, HttpFetch, HttpSettings, IssuerKeys, IssuerPolicy, KeySet};
use thiserror::Error;
use tokio::sync::Semaphore;

mod choice;
mod custom;

pub use choice::{IssuerChoiceError, choose};
pub use custom::{CustomIssuerError, CustomIssuers};

use crate::config::{IssuerSettings, KeySettings};
use crate::limits::IssuerBudget;
use crate::store::{Store, StoreError, StoredIssuer};

/// Issuers by the exact text of `iss`: those of the configuration, and those that were added while the server runs.
///
/// Invariant 4: an issuer that is not in here ends the exchange before anything is asked of anyone, and each has keys of
/// its own, so no key of one ever meets a token of another.
pub struct Issuers {
    own: PublicUrl,
    configured: HashMap<String, Arc<Issuer>>,
    custom: CustomIssuers,
    current: ArcSwap<Table>,
}

/// The issuers at one moment.
#[derive(Default)]
struct Table {
    all: HashMap<String, Arc<Issuer>>,
    disabled: HashSet<String>,
    stored: Vec<StoredIssuer>,
}

/// What is known of an `iss`.
pub enum Found {
    /// An issuer whose id tokens are exchanged.
    Issuer(Arc<Issuer>),
    /// One that is switched off.
    Disabled,
    /// None that anybody configured.
    Unknown,
}

/// One issuer.
pub struct Issuer {
    /// What its claims mean.
    pub provider: Provider,
    /// What its id tokens must be like.
    pub policy: IssuerPolicy,
    /// What they are signed with.
    pub keys: IssuerKeys,
    /// How many access tokens one id token buys.
    pub max_exchanges: u32,
    /// What all of its tokens together may buy; none for issuers that whoever runs the server trusts to be as large as it is.
    pub budget: Option<IssuerBudget>,
    /// Places for those who wait for its keys: while one issuer hangs, its tokens do not fill the server.
    pub waiting: Semaphore,
    /// Its URL, for metrics.
    pub label: Arc<str>,
}

/// How many exchanges may wait for the keys of one issuer.
const MOST_WAITING: usize = 1_024;

/// Why an issuer's settings cannot be used.
#[derive(Debug, Error)]
#[error("issuer {issuer}: {problem}")]
pub struct IssuerError {
    issuer: String,
    problem: String,
}

impl Issuers {
    /// Makes issuers of settings; `own` is the audience of those that name none. Knows of no others until
    /// [`Issuers::refresh`].
    pub fn new(
        settings: Vec<IssuerSettings>,
        custom: CustomIssuers,
        own: &PublicUrl,
    ) -> Result<Self, IssuerError> {
        let named = |settings: IssuerSettings| {
            let url = settings.url.to_string();
            match Issuer::new(settings, own) {
                Ok(issuer) => Ok((url, Arc::new(issuer))),
                Err(problem) => Err(IssuerError { issuer: url, problem }),
            }
        };
        let configured: HashMap<_, _> = settings.into_iter().map(named).collect::<Result<_, _>>()?;
        let table = Table { all: configured.clone(), ..Table::default() };
        Ok(Self { own: own.clone(), configured, custom, current: ArcSwap::from_pointee(table) })
    }

    /// The issuer of exactly that `iss`.
    pub fn find(&self, iss: &str) -> Found {
        let table = self.current.load();
        match table.all.get(iss) {
            Some(_) if table.is_disabled(iss) => Found::Disabled,
            Some(issuer) => Found::Issuer(Arc::clone(issuer)),
            None => Found::Unknown,
        }
    }

    /// All issuers, whether switched on or off, in the order of their URLs.
    pub fn all(&self) -> Vec<Arc<Issuer>> {
        let mut all: Vec<_> = self.current.load().all.values().cloned().collect();
        all.sort_by(|one, other| one.policy.issuer().as_str().cmp(other.policy.issuer().as_str()));
        all
    }

    /// Since when an issuer is switched off, as last seen.
    pub fn disabled_at(&self, issuer: &IssuerUrl) -> Option<UnixTime> {
        let table = self.current.load();
        table.stored.iter().find(|stored| stored.url == *issuer).and_then(|stored| stored.disabled_at)
    }

    /// Whether the issuer is one of the configuration.
    pub fn is_configured(&self, issuer: &IssuerUrl) -> bool {
        self.configured.contains_key(issuer.as_str())
    }

    /// What maintainers may add.
    pub fn custom(&self) -> &CustomIssuers {
        &self.custom
    }

    /// Takes over what was added and switched on any node. Called once a second; an exchange does not depend on it, since
    /// the ledger looks at the switch itself.
    pub async fn refresh(&self, store: &dyn Store) -> Result<(), StoreError> {
        let stored = store.issuers().await?;
        let before = self.current.load();
        if before.stored == stored {
            return Ok(());
        }
        let mut all = self.configured.clone();
        for added in &stored {
            let url = added.url.to_string();
            let (Some(preset), false) = (added.preset, all.contains_key(&url)) else { continue };
            // One that was there before keeps the keys that it has.
            let known = before.all.get(&url).filter(|issuer| issuer.provider == preset).cloned();
            match known.map_or_else(|| self.custom.issuer(&added.url, preset, &self.own).map(Arc::new), Ok) {
                Ok(issuer) => drop(all.insert(url, issuer)),
                Err(problem) => {
                    tracing::warn!(issuer = %added.url, problem, "an added issuer is passed over");
                }
            }
        }
        let disabled = stored.iter().filter(|stored| stored.disabled_at.is_some());
        let disabled = disabled.map(|stored| stored.url.to_string()).collect();
        self.current.store(Arc::new(Table { all, disabled, stored }));
        Ok(())
    }
}

impl Table {
    fn is_disabled(&self, iss: &str) -> bool {
        self.disabled.contains(iss)
    }
}

impl Issuer {
    fn new(settings: IssuerSettings, own: &PublicUrl) -> Result<Self, String> {
        if settings.url.as_str() == own.as_str() {
            return Err(
                "it is the server's own public URL; a server does not exchange its own tokens".to_owned()
            );
        }
        let mut audiences: Vec<Audience> = settings.audiences.into_iter().collect();
        if audiences.is_empty() {
            audiences.push(Audience::from(own));
        }
        let label = Arc::from(settings.url.as_str());
        let keys = keys(settings.keys, &settings.url, &settings.algorithms)?;
        let policy = IssuerPolicy::new(
            settings.url,
            audiences,
            settings.algorithms,
            settings.max_lifetime,
            settings.max_age,
        )
        .map_err(|error| error.to_string())?;
        Ok(Self {
            provider: settings.provider,
            policy,
            keys,
            max_exchanges: settings.max_exchanges,
            budget: settings.exchanges_per_minute.map(IssuerBudget::per_minute),
            waiting: Semaphore::new(MOST_WAITING),
            label,
        })
    }
}

/// Nothing is fetched here: discovery happens with the first token, and an issuer that is down does not stop the start.
fn keys(settings: KeySettings, issuer: &IssuerUrl, algorithms: &[Algorithm]) -> Result<IssuerKeys, String> {
    match settings {
        KeySettings::File(path) => {
            let keys = KeySet::parse(&read(&path)?, algorithms)
                .map_err(|error| format!("jwks_file {}: {error}", path.display()))?;
            for ignored in keys.ignored() {
                tracing::warn!(%issuer, "{ignored}");
            }
            Ok(IssuerKeys::fixed(keys))
        }
        KeySettings::Discovery { key_origins, ca_file, proxy, network } => {
            let root_certificates = ca_file.as_deref().map(read).transpose()?.unwrap_or_default();
            let fetch = HttpFetch::new(&HttpSettings {
                root_certificates,
                proxy,
                network,
                ..HttpSettings::default()
            });
            let fetch = Arc::new(fetch.map_err(|error| error.to_string())?);
            let settings = DiscoverySettings { key_origins, ..DiscoverySettings::default() };
            Ok(IssuerKeys::discovered(issuer.clone(), algorithms.to_vec(), fetch, settings))
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
