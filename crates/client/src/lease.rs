//! An access token and its times.

use std::time::Duration;

use countersign_core::AccessToken;

use crate::client::{Client, LoginError};
use crate::identity::Source;
use crate::resource::RequestedResource;

/// How long before its end a token is replaced.
const MARGIN: Duration = Duration::from_mins(5);
/// The lifetime of a token whose server does not say.
const DEFAULT_LIFETIME: u64 = 3600;

/// A token, and when on the monotonic clock it ends.
pub(crate) struct Lease {
    pub(crate) token: AccessToken,
    /// When it ends, at the earliest.
    pub(crate) ends_at: Duration,
    /// How long before that it is to be replaced.
    pub(crate) margin: Duration,
    /// Whether the job can have another id token for the next exchange.
    pub(crate) mints_again: bool,
    /// Whether its id token is the only one that this process will ever see; a file may hold another by the next time.
    pub(crate) is_last: bool,
}

impl Lease {
    /// Exchanges the job's identity.
    pub(crate) fn obtain(client: &Client, resource: &RequestedResource) -> Result<Self, LoginError> {
        let identity = client.identify()?;
        // Taken before the request: the lifetime starts somewhere between here and the answer.
        let asked_at = client.surroundings().clock.monotonic();
        let response = client.exchange(identity.token(), resource)?;
        let lifetime = Duration::from_secs(response.expires_in.unwrap_or(DEFAULT_LIFETIME));
        Ok(Self {
            token: response.access_token,
            ends_at: asked_at.saturating_add(lifetime),
            margin: margin(lifetime),
            mints_again: identity.source().mints_again(),
            is_last: matches!(identity.source(), Source::Argument | Source::Variable(_)),
        })
    }
}

/// Five minutes; half the lifetime of a token that has no more than that, or it would be replaced at every use.
pub(crate) fn margin(lifetime: Duration) -> Duration {
    if lifetime > MARGIN { MARGIN } else { lifetime / 2 }
}
