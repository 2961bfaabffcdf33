//! Access tokens that stay fresh.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_core::AccessToken;

use crate::client::{Client, LoginError};
use crate::resource::RequestedResource;

/// How long before its end a token is replaced.
const MARGIN: Duration = Duration::from_mins(5);
/// The lifetime of a token whose server does not say.
const DEFAULT_LIFETIME: u64 = 3600;

/// One access token per resource, in memory only, exchanged again before it ends.
///
/// Callers that want the same resource at the same time wait for one exchange and share its token; different resources
/// do not wait for each other. A failed exchange is that caller's error, even if an older token has some life left: the
/// registry may just have ended it.
pub struct TokenCache {
    client: Client,
    slots: Mutex<HashMap<RequestedResource, Arc<Mutex<Option<Held>>>>>,
}

struct Held {
    token: AccessToken,
    /// On the monotonic clock.
    replace_at: Duration,
}

impl TokenCache {
    /// An empty cache.
    pub fn new(client: Client) -> Self {
        Self { client, slots: Mutex::default() }
    }

    /// Who fetches the tokens.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// A token for the resource that is good now: the held one, or a new one.
    pub fn token(&self, resource: &RequestedResource) -> Result<AccessToken, LoginError> {
        let slot = Arc::clone(lock(&self.slots).entry(resource.clone()).or_default());
        let mut slot = lock(&slot);
        let clock = &self.client.surroundings().clock;
        if let Some(held) = slot.as_ref().filter(|held| clock.monotonic() < held.replace_at) {
            return Ok(held.token.clone());
        }
        let identity = self.client.identify()?;
        // Taken before the request: the lifetime starts somewhere between here and the answer.
        let asked_at = clock.monotonic();
        let response = self.client.exchange(identity.token(), resource)?;
        let lifetime = Duration::from_secs(response.expires_in.unwrap_or(DEFAULT_LIFETIME));
        let margin = if identity.source().mints_again() { margin(lifetime) } else { Duration::ZERO };
        let useful = lifetime.saturating_sub(margin);
        *slot =
            Some(Held { token: response.access_token.clone(), replace_at: asked_at.saturating_add(useful) });
        Ok(response.access_token)
    }
}

/// Five minutes; half the lifetime of a token that has no more than that, or it would be replaced at every use.
fn margin(lifetime: Duration) -> Duration {
    if lifetime > MARGIN { MARGIN } else { lifetime / 2 }
}

/// What a panic of another thread left behind is whole: each slot is written in one assignment, at the very end.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(lock(&self.slots).keys()).finish()
    }
}
