//! What the store knows of issuers: those that were added to the configured ones, and which are switched off.

use countersign_core::{IssuerUrl, Provider, UnixTime};
use serde::Serialize;

/// An issuer that was added while the server ran, or one that is switched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredIssuer {
    /// Its URL.
    pub url: IssuerUrl,
    /// What its claims mean; `None` for one of the configuration, of which only the switch is kept.
    pub preset: Option<Provider>,
    /// When it was added, or first switched off.
    pub created_at: UnixTime,
    /// Since when it is switched off.
    pub disabled_at: Option<UnixTime>,
}
