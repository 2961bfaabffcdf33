//! Access tokens that stay fresh.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_core::AccessToken;

use crate::client::{Client, LoginError};
use crate::lease::Lease;
use crate::resource::RequestedResource;

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
        let lease = Lease::obtain(&self.client, resource)?;
        let margin = if lease.mints_again { lease.margin } else { Duration::ZERO };
        *slot = Some(Held { token: lease.token.clone(), replace_at: lease.ends_at.saturating_sub(margin) });
        Ok(lease.token)
    }
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
