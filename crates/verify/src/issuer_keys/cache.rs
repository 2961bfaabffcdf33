//! The key cache of one issuer.
//!
//! What must hold, and what did not elsewhere: a request for a cached key never waits (no lock is held across a fetch); a
//! failure cools down like a success; a bad answer replaces nothing; a removed key is not trusted for ever; a caller that
//! gives up does not abort the fetch that others wait for.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use countersign_core::{Algorithm, IssuerUrl};
use tokio::sync::watch;
use tokio::time::Instant;

use super::KeyError;
use super::discovery::{DiscoveryError, DiscoverySettings, discover};
use crate::fetch::Fetch;
use crate::key::VerificationKey;
use crate::key_set::{KeySet, NoKey};

pub(super) struct Cache {
    issuer: IssuerUrl,
    algorithms: Vec<Algorithm>,
    fetch: Arc<dyn Fetch>,
    settings: DiscoverySettings,
    current: ArcSwapOption<Fetched>,
    attempts: Mutex<Attempts>,
}

/// A key set with its age, which counts from the request: when it arrived, it was already as old as the request took.
struct Fetched {
    keys: KeySet,
    asked_at: Instant,
}

/// What is known of past and running fetches. Held for a few instructions, never across an `await`.
#[derive(Default)]
struct Attempts {
    /// Closed when the running fetch has ended, in whatever way.
    running: Option<watch::Receiver<()>>,
    /// The end of the last fetch, or the start of the running one.
    last: Option<Instant>,
    /// Why the last fetch failed, if it did.
    failure: Option<Arc<DiscoveryError>>,
}

impl Cache {
    pub(super) fn new(
        issuer: IssuerUrl,
        algorithms: Vec<Algorithm>,
        fetch: Arc<dyn Fetch>,
        settings: DiscoverySettings,
    ) -> Self {
        let (current, attempts) = (ArcSwapOption::empty(), Mutex::default());
        Self { issuer, algorithms, fetch, settings, current, attempts }
    }

    pub(super) async fn find(
        self: &Arc<Self>,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Arc<VerificationKey>, KeyError> {
        let now = Instant::now();
        if let Some(current) = self.usable(now) {
            if now.duration_since(current.asked_at) >= self.settings.refresh_after {
                self.refresh(now);
            }
            match current.keys.find(key_id, algorithm) {
                // Perhaps it is new.
                Err(NoKey::Unknown(_)) => {}
                found => return Ok(found?),
            }
        }
        if let Some(mut running) = self.refresh(now) {
            // Nothing is ever sent: the channel closes when the fetch has ended.
            let _ended = running.changed().await;
        }
        self.settle(key_id, algorithm)
    }

    /// Why the last fetch failed, once it has ended.
    pub(super) fn last_failure(&self) -> Option<Arc<DiscoveryError>> {
        let attempts = self.attempts();
        if attempts.is_running() { None } else { attempts.failure.clone() }
    }

    /// Answers from what there is now. A key that is missing while the issuer cannot be asked is not thereby wrong.
    fn settle(&self, key_id: Option<&str>, algorithm: Algorithm) -> Result<Arc<VerificationKey>, KeyError> {
        let now = Instant::now();
        let found = self.usable(now).map(|current| current.keys.find(key_id, algorithm));
        let attempts = self.attempts();
        match found {
            Some(Err(NoKey::Unknown(_))) if attempts.failure.is_some() => {
                Err(self.unavailable(&attempts, now))
            }
            Some(found) => Ok(found?),
            None => Err(self.unavailable(&attempts, now)),
        }
    }

    fn unavailable(&self, attempts: &Attempts, now: Instant) -> KeyError {
        let since = attempts.last.map_or(Duration::ZERO, |last| now.duration_since(last));
        KeyError::Unavailable {
            issuer: self.issuer.clone(),
            retry_after: self.settings.cooldown.saturating_sub(since).max(Duration::from_secs(1)),
            source: attempts.failure.clone(),
        }
    }

    fn usable(&self, now: Instant) -> Option<Arc<Fetched>> {
        let current = self.current.load_full()?;
        (now.duration_since(current.asked_at) < self.settings.hard_max_age).then_some(current)
    }

    /// The fetch to wait for: the running one, or a new one; none while the last one cools down.
    ///
    /// It runs in a task of its own, so that it ends even if the caller that began it goes away.
    fn refresh(self: &Arc<Self>, now: Instant) -> Option<watch::Receiver<()>> {
        let mut attempts = self.attempts();
        if attempts.is_running() {
            return attempts.running.clone();
        }
        if attempts.last.is_some_and(|last| now.duration_since(last) < self.settings.cooldown) {
            return None;
        }
        let (ended, running) = watch::channel(());
        // If the task never comes to its end, this is what remains.
        *attempts = Attempts {
            running: Some(running.clone()),
            last: Some(now),
            failure: Some(Arc::new(DiscoveryError::Interrupted)),
        };
        drop(attempts);
        let cache = Arc::clone(self);
        tokio::spawn(async move {
            let outcome =
                discover(&cache.issuer, &cache.algorithms, &cache.settings.key_origins, &*cache.fetch).await;
            cache.record(outcome, now);
            drop(ended);
        });
        Some(running)
    }

    /// Takes a good answer as the new keys; keeps the old ones otherwise.
    fn record(&self, outcome: Result<KeySet, DiscoveryError>, asked_at: Instant) {
        let failure = match outcome {
            Ok(keys) => {
                self.log_ignored(&keys);
                self.current.store(Some(Arc::new(Fetched { keys, asked_at })));
                None
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::warn!(issuer = %self.issuer, %error, cause, "keys not refreshed; the previous ones stay in use");
                Some(Arc::new(error))
            }
        };
        let mut attempts = self.attempts();
        attempts.last = Some(Instant::now());
        attempts.failure = failure;
    }

    /// Says once, not at every refresh, which keys are not used.
    fn log_ignored(&self, keys: &KeySet) {
        let previous = self.current.load();
        let known = previous.as_ref().map_or(&[][..], |previous| previous.keys.ignored());
        for key in keys.ignored().iter().filter(|key| !known.contains(key)) {
            tracing::warn!(issuer = %self.issuer, "{key}");
        }
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        // Every change is one assignment: what a panic leaves behind is still true.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempts {
    fn is_running(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.has_changed().is_ok())
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
