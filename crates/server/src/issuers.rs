//! The configured issuers, ready to verify with.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use countersign_core::{Algorithm, Audience, IssuerUrl, Provider, PublicUrl};
use countersign_verify::{
    DiscoverySettings, HttpFetch, HttpSettings, IssuerHealth, IssuerKeys, IssuerPolicy, KeySet,
};
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::config::{IssuerSettings, KeySettings};

/// Issuers by the exact text of `iss`.
///
/// Invariant 4: an issuer that is not in here ends the exchange before anything is asked of anyone, and each has keys of
/// its own, so no key of one ever meets a token of another.
pub struct Issuers(HashMap<String, Issuer>);

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
    /// Makes issuers of settings; `own` is the audience of those that name none.
    pub fn new(settings: Vec<IssuerSettings>, own: &PublicUrl) -> Result<Self, IssuerError> {
        let named = |settings: IssuerSettings| {
            let url = settings.url.to_string();
            let issuer = Issuer::new(settings, own);
            issuer.map(|issuer| (url.clone(), issuer)).map_err(|problem| IssuerError { issuer: url, problem })
        };
        settings.into_iter().map(named).collect::<Result<_, _>>().map(Self)
    }

    /// The issuer of exactly that `iss`.
    pub fn find(&self, iss: &str) -> Option<&Issuer> {
        self.0.get(iss)
    }

    /// How each configured issuer's keys are doing, in no order.
    pub fn health(&self) -> impl Iterator<Item = (&IssuerUrl, IssuerHealth)> {
        self.0.values().map(|issuer| (issuer.policy.issuer(), issuer.keys.health()))
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
