//! One publisher of a file.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::values::Values;
use crate::access_token::Permission;
use crate::issuer::IssuerUrl;
use crate::provider::Provider;
use crate::publisher::{InvalidRules, PublisherState, RawRules, Rules};
use crate::resource::Resource;

/// A publisher as a file wants it to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawEntry")]
pub struct Entry {
    /// What it gives access to.
    pub resource: Resource,
    /// What a token must say.
    pub rules: Rules,
    /// What the issued token may do.
    pub permission: Permission,
    /// Whether it is in force.
    pub state: PublisherState,
}

/// A publisher as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    /// What it gives access to: `namespace/name`, `datasets/namespace/name`, a user name, `pkg:pypi/name` …
    resource: Resource,
    /// The provider whose runs are trusted.
    provider: Provider,
    /// The issuer, exactly as in `iss`; where the provider has one public issuer, that one.
    issuer: Option<IssuerUrl>,
    /// What a run must have, by field of the provider (`branch`) or JSON Pointer (`/runner_environment`): one value, or a
    /// list of which it must have one.
    #[serde(default)]
    conditions: BTreeMap<String, Values>,
    /// Immutable ids that runs must have, by claim. What is left out here and can be learned is learned from the first run,
    /// and stays.
    #[serde(default)]
    pins: BTreeMap<String, Option<String>>,
    /// Events accepted although the provider's preset refuses them.
    #[serde(default)]
    allowed_events: BTreeSet<String>,
    /// What tokens may do: as much as the resource's kind allows, unless it says `read`.
    permission: Option<Permission>,
    /// `disabled` stops the publisher without removing it.
    state: Option<PublisherState>,
}

/// Why an entry makes no publisher.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidEntry {
    /// What it demands makes no sense or is too little.
    #[error(transparent)]
    Rules(#[from] InvalidRules),
    /// The provider has no issuer that everybody means.
    #[error("a publisher for {0} needs its issuer, exactly as in the tokens' `iss`")]
    NoIssuer(Provider),
    /// More than the resource's kind allows.
    #[error("expected permission: read, since a user's tokens only read; found {0}")]
    Permission(&'static str),
}

impl TryFrom<RawEntry> for Entry {
    type Error = InvalidEntry;

    fn try_from(raw: RawEntry) -> Result<Self, InvalidEntry> {
        let RawEntry { resource, provider, issuer, conditions, pins, allowed_events, permission, state } =
            raw;
        let issuer = issuer.or_else(|| public_issuer(provider)).ok_or(InvalidEntry::NoIssuer(provider))?;
        let conditions = conditions.into_iter().map(|(name, values)| (name, values.0)).collect();
        let rules = RawRules { issuer, provider, conditions, pins, allowed_events };
        let highest = resource.highest_permission();
        let permission = permission.unwrap_or(highest);
        if permission > highest {
            return Err(InvalidEntry::Permission(permission.as_str()));
        }
        Ok(Self {
            resource,
            rules: rules.try_into()?,
            permission,
            state: state.unwrap_or(PublisherState::Enabled),
        })
    }
}

/// The one that everybody means by the provider's name, if there is such.
fn public_issuer(provider: Provider) -> Option<IssuerUrl> {
    match provider.preset().issuers {
        [only] => only.parse().ok(),
        _ => None,
    }
}
