//! The key cache of one issuer.
//!
//! Keys that are known are answered at once, and a removed key is not trusted for ever; how they are fetched anew is
//! [`crate::fetch::kept`]'s.

use std::fmt;
use std::sync::Arc;

use countersign_core::{Algorithm, IssuerUrl};
use tokio::time::Instant;

use super::KeyError;
use super::discovery::{DiscoveryError, DiscoverySettings, discover};
use super::health::{FetchFailure, IssuerHealth};
use crate::fetch::Fetch;
use crate::fetch::kept::{Fetched, Kept};
use crate::key::VerificationKey;
use crate::key_set::{KeySet, NoKey};

pub(super) struct Cache {
    issuer: IssuerUrl,
    algorithms: Vec<Algorithm>,
    fetch: Arc<dyn Fetch>,
    settings: DiscoverySettings,
    keys: Arc<Kept<KeySet, DiscoveryError>>,
}

impl Cache {
    pub(super) fn new(
        issuer: IssuerUrl,
        algorithms: Vec<Algorithm>,
        fetch: Arc<dyn Fetch>,
        settings: DiscoverySettings,
    ) -> Self {
        let keys = Arc::new(Kept::new(settings.cooldown));
        Self { issuer, algorithms, fetch, settings, keys }
    }

    pub(super) async fn find(
        self: &Arc<Self>,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Arc<VerificationKey>, KeyError> {
        let now = Instant::now();
        if let Some(current) = self.usable(now) {
            if now.duration_since(current.asked_at) >= self.settings.refresh_after {
                self.keys.refresh(now, || Arc::clone(self).discover());
            }
            match current.value.find(key_id, algorithm) {
                // Perhaps it is new.
                Err(NoKey::Unknown(_)) => {}
                found => return Ok(found?),
            }
        }
        if let Some(mut running) = self.keys.refresh(now, || Arc::clone(self).discover()) {
            // Nothing is ever sent: the channel closes when the fetch has ended.
            let _ended = running.changed().await;
        }
        self.settle(key_id, algorithm)
    }

    /// Why the last fetch failed, if it did.
    pub(super) fn last_failure(&self) -> Option<Arc<DiscoveryError>> {
        self.keys.failure()
    }

    pub(super) fn health(&self) -> IssuerHealth {
        let now = Instant::now();
        let (failures, last_failure) = self.keys.failures();
        let key_set_age = self.keys.current().map(|current| now.duration_since(current.asked_at));
        IssuerHealth {
            has_keys: self.usable(now).is_some(),
            key_set_age,
            failures,
            last_failure: last_failure
                .map(|failed| FetchFailure::new(&failed.cause, now.duration_since(failed.at))),
        }
    }

    /// Answers from what there is now. A key that is missing while the issuer cannot be asked is not thereby wrong.
    fn settle(&self, key_id: Option<&str>, algorithm: Algorithm) -> Result<Arc<VerificationKey>, KeyError> {
        let now = Instant::now();
        match self.usable(now).map(|current| current.value.find(key_id, algorithm)) {
            Some(Err(NoKey::Unknown(_))) if self.keys.failure().is_some() => Err(self.unavailable(now)),
            Some(found) => Ok(found?),
            None => Err(self.unavailable(now)),
        }
    }

    fn unavailable(&self, now: Instant) -> KeyError {
        KeyError::Unavailable {
            issuer: self.issuer.clone(),
            retry_after: self.keys.retry_after(now),
            source: self.keys.failure(),
        }
    }

    fn usable(&self, now: Instant) -> Option<Arc<Fetched<KeySet>>> {
        let current = self.keys.current()?;
        (now.duration_since(current.asked_at) < self.settings.hard_max_age).then_some(current)
    }

    async fn discover(self: Arc<Self>) -> Result<KeySet, DiscoveryError> {
        let found = discover(&self.issuer, &self.algorithms, &self.settings.key_origins, &*self.fetch).await;
        match &found {
            Ok(keys) => self.log_ignored(keys),
            Err(error) => {
                let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
                tracing::warn!(issuer = %self.issuer, %error, cause, "keys not refreshed; the previous ones stay in use");
            }
        }
        found
    }

    /// Says once, not at every refresh, which keys are not used.
    fn log_ignored(&self, keys: &KeySet) {
        let previous = self.keys.current();
        let known = previous.as_ref().map_or(&[][..], |previous| previous.value.ignored());
        for key in keys.ignored().iter().filter(|key| !known.contains(key)) {
            tracing::warn!(issuer = %self.issuer, "{key}");
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
