//! OpenID Connect Discovery 1.0 §4: from an issuer to its keys.

use std::time::Duration;

use countersign_core::json::strict_object;
use countersign_core::{Algorithm, IssuerUrl, PublicUrl};
use reqwest::Url;
use thiserror::Error;

use crate::fetch::kept::Interrupted;
use crate::fetch::{Fetch, FetchError};
use crate::key_set::{KeySet, KeySetError};

/// How the keys of one issuer are found and kept.
#[derive(Clone, Debug)]
pub struct DiscoverySettings {
    /// Origins, beside the issuer's own, to which `jwks_uri` may lead. Default: none. Google's keys, for instance, are at
    /// `https://www.googleapis.com`.
    pub key_origins: Vec<PublicUrl>,
    /// The age at which keys in use are fetched anew in the background. Default: 5 minutes.
    pub refresh_after: Duration,
    /// The age beyond which keys are not used, whatever happened to the refreshes: how long a key that the issuer removed
    /// can still be trusted, and how long an issuer may be down unnoticed. Default: 1 hour.
    pub hard_max_age: Duration,
    /// The shortest time from the end of a fetch, good or bad, to the next. Default: 60 seconds.
    pub cooldown: Duration,
}

impl Default for DiscoverySettings {
    fn default() -> Self {
        Self {
            key_origins: Vec::new(),
            refresh_after: Duration::from_mins(5),
            hard_max_age: Duration::from_hours(1),
            cooldown: Duration::from_mins(1),
        }
    }
}

/// Why the keys of an issuer could not be found. For the log: callers learn only that they are unavailable.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// `/.well-known/openid-configuration` could not be had.
    #[error("could not get the issuer's {url}")]
    Document {
        /// What was asked for.
        url: String,
        /// Why.
        source: FetchError,
    },
    /// It is not a JSON object, or lacks `issuer` or `jwks_uri`.
    #[error("expected a discovery document with `issuer` and `jwks_uri` at {url}; {problem}")]
    Malformed {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It belongs to another issuer (§4.3).
    #[error(
        "expected the discovery document of {expected}, found that of {found:?}; configure the issuer exactly as it calls itself"
    )]
    OtherIssuer {
        /// The configured issuer.
        expected: IssuerUrl,
        /// The `issuer` of the document, shortened.
        found: String,
    },
    /// `jwks_uri` leads away from the issuer.
    #[error(
        "issuer {issuer} keeps its keys at {found:?}, which is neither its own origin nor one allowed for it; add the origin to \
         the issuer's key origins if it is right"
    )]
    ForeignKeys {
        /// The configured issuer.
        issuer: IssuerUrl,
        /// The origin of `jwks_uri`, shortened.
        found: String,
    },
    /// The key set could not be had.
    #[error("could not get the issuer's keys at {url}")]
    Keys {
        /// What was asked for.
        url: String,
        /// Why.
        source: FetchError,
    },
    /// What came is no key set, or has no usable key.
    #[error("the issuer's keys at {url} are not usable")]
    KeySet {
        /// Where they came from.
        url: String,
        /// Why.
        source: KeySetError,
    },
    /// The fetch ended without an answer: it panicked, or the runtime is shutting down.
    #[error("the fetch was interrupted")]
    Interrupted,
}

impl DiscoveryError {
    /// A stable name of the cause, for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Document { source, .. } | Self::Keys { source, .. } => source.code(),
            Self::Malformed { .. } => "malformed_document",
            Self::OtherIssuer { .. } => "other_issuer",
            Self::ForeignKeys { .. } => "foreign_keys",
            Self::KeySet { .. } => "key_set",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Interrupted> for DiscoveryError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

/// Asks the issuer where its keys are, and gets them from there. Always both: an issuer may move its keys.
pub(super) async fn discover(
    issuer: &IssuerUrl,
    algorithms: &[Algorithm],
    key_origins: &[PublicUrl],
    fetch: &dyn Fetch,
) -> Result<KeySet, DiscoveryError> {
    let base = issuer.as_str().strip_suffix('/').unwrap_or(issuer.as_str());
    let url = format!("{base}/.well-known/openid-configuration");
    let document = match fetch.get(&url).await {
        Ok(document) => document,
        Err(source) => return Err(DiscoveryError::Document { url, source }),
    };
    let url = key_location(&document, issuer, key_origins, url)?.to_string();
    let keys = match fetch.get(&url).await {
        Ok(keys) => keys,
        Err(source) => return Err(DiscoveryError::Keys { url, source }),
    };
    KeySet::parse(&keys, algorithms).map_err(|source| DiscoveryError::KeySet { url, source })
}

fn key_location(
    document: &[u8],
    issuer: &IssuerUrl,
    key_origins: &[PublicUrl],
    url: String,
) -> Result<Url, DiscoveryError> {
    let members = match strict_object(document) {
        Ok(members) => members,
        Err(problem) => return Err(DiscoveryError::Malformed { url, problem: problem.to_string() }),
    };
    let text = |name: &str| members.get(name).and_then(|value| value.as_str());
    match text("issuer") {
        Some(found) if found == issuer.as_str() => {}
        Some(found) => {
            return Err(DiscoveryError::OtherIssuer { expected: issuer.clone(), found: shorten(found) });
        }
        None => {
            return Err(DiscoveryError::Malformed { url, problem: "`issuer` is not a string".to_owned() });
        }
    }
    // Parsed by the library that will connect: two parsers could disagree about the host.
    let Some(location) = text("jwks_uri").and_then(|text| Url::parse(text).ok()) else {
        return Err(DiscoveryError::Malformed { url, problem: "`jwks_uri` is not a URL".to_owned() });
    };
    if may_lead_to(&location, issuer, key_origins) {
        Ok(location)
    } else {
        let found = shorten(&location.origin().ascii_serialization());
        Err(DiscoveryError::ForeignKeys { issuer: issuer.clone(), found })
    }
}

/// The issuer's own origin, or an allowed one. Plain HTTP never, unless the issuer itself is on plain loopback HTTP.
pub(crate) fn may_lead_to(location: &Url, issuer: &IssuerUrl, key_origins: &[PublicUrl]) -> bool {
    let origin = location.origin().ascii_serialization();
    let (scheme, _) = issuer.as_str().split_once("://").unwrap_or_default();
    let secure = location.scheme() == "https" || scheme == "http" && location.scheme() == "http";
    let known = origin == format!("{scheme}://{}", issuer.authority())
        || key_origins.iter().any(|allowed| allowed.as_str() == origin);
    let plain = location.username().is_empty() && location.password().is_none();
    secure && known && plain
}

fn shorten(text: &str) -> String {
    text.chars().take(120).collect()
}
