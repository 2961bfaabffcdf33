//! The keys of one issuer, wherever they come from.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::{Algorithm, IssuerUrl};
use thiserror::Error;

use crate::key::VerificationKey;
use crate::key_set::{KeySet, NoKey};

#[cfg(feature = "fetch")]
mod cache;
#[cfg(feature = "fetch")]
pub(crate) mod discovery;
#[cfg(feature = "fetch")]
pub(crate) mod health;

/// The keys of one issuer.
///
/// Invariant 4, keys belong to an issuer: there is no cache across issuers in which a `kid` of one could find the key of
/// another. Whoever holds an `IssuerKeys` looked it up by the exact, configured issuer.
#[derive(Debug)]
pub struct IssuerKeys(Source);

#[derive(Debug)]
enum Source {
    Fixed(KeySet),
    #[cfg(feature = "fetch")]
    Discovered(Arc<cache::Cache>),
}

/// Why there is no key for a token.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The issuer's keys are known, and none of them is for this token: the token is refused.
    #[error(transparent)]
    Unknown(#[from] NoKey),
    /// The issuer's keys cannot be had just now, which says nothing about the token: OAuth's `temporarily_unavailable`.
    #[error("the keys of issuer {issuer} cannot be fetched just now; try again in {} s", retry_after.as_secs())]
    Unavailable {
        /// Whose keys.
        issuer: IssuerUrl,
        /// How long no other attempt will be made; at least a second.
        retry_after: Duration,
        /// What failed last, for the log.
        #[cfg(feature = "fetch")]
        source: Option<Arc<discovery::DiscoveryError>>,
    },
}

impl IssuerKeys {
    /// Keys from the configuration, for an issuer that cannot be reached.
    pub fn fixed(keys: KeySet) -> Self {
        Self(Source::Fixed(keys))
    }

    /// Keys that are found through OpenID Connect Discovery at the first use, and kept fresh.
    ///
    /// Nothing is fetched here, and later only what `issuer` itself leads to.
    #[cfg(feature = "fetch")]
    pub fn discovered(
        issuer: IssuerUrl,
        algorithms: Vec<Algorithm>,
        fetch: Arc<dyn crate::Fetch>,
        settings: discovery::DiscoverySettings,
    ) -> Self {
        Self(Source::Discovered(Arc::new(cache::Cache::new(issuer, algorithms, fetch, settings))))
    }

    /// Finds the key for a token of this issuer.
    ///
    /// Cached keys are answered at once. Only a name that the cache does not know waits for the issuer, and at most one
    /// fetch per cooldown happens, however many ask.
    #[cfg_attr(
        not(feature = "fetch"),
        expect(clippy::unused_async, reason = "one signature with and without fetch")
    )]
    pub async fn find(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Arc<VerificationKey>, KeyError> {
        match &self.0 {
            Source::Fixed(keys) => Ok(keys.find(key_id, algorithm)?),
            #[cfg(feature = "fetch")]
            Source::Discovered(cache) => cache.find(key_id, algorithm).await,
        }
    }

    /// Why the last fetch failed, for health checks and metrics; none if it did not, or for fixed keys. Cached keys may still
    /// be in use.
    #[cfg(feature = "fetch")]
    pub fn last_failure(&self) -> Option<Arc<discovery::DiscoveryError>> {
        match &self.0 {
            Source::Fixed(_) => None,
            Source::Discovered(cache) => cache.last_failure(),
        }
    }

    /// How the keys are doing.
    #[cfg(feature = "fetch")]
    pub fn health(&self) -> health::IssuerHealth {
        match &self.0 {
            Source::Fixed(_) => {
                health::IssuerHealth { has_keys: true, key_set_age: None, failures: 0, last_failure: None }
            }
            Source::Discovered(cache) => cache.health(),
        }
    }
}

impl KeyError {
    /// A stable name of the cause, for logs, metrics and the audit trail.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown(cause) => cause.code(),
            Self::Unavailable { .. } => "keys_unavailable",
        }
    }
}
