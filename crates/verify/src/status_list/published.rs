//! A status list as its server publishes it: a signed JWT (draft-ietf-oauth-status-list-21 §5.1).

use std::time::Duration;

use countersign_core::{Algorithm, IssuerUrl, UnixTime};
use serde_json::{Map, Value};
use thiserror::Error;

use super::{StatusList, StatusListContentError};
use crate::envelope::{Envelope, ParseError, TokenKind};
use crate::fetch::kept::Interrupted;
use crate::fetch::{Fetch, FetchError};
use crate::issuer_keys::{IssuerKeys, KeyError};
use crate::key::BadSignature;
use crate::registered::{MalformedClaim, NotCurrent, Times, required_text};

/// A verified list, and for how long it is good.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) list: StatusList,
    /// How long it is as good as a new one.
    pub(super) ttl: Duration,
    times: Times,
}

/// Why there is no usable status list at a token's `uri`. For the log.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StatusListError {
    /// It cannot be fetched.
    #[error("could not get the status list")]
    Fetch(#[from] FetchError),
    /// What came is no JWT of `typ` statuslist+jwt.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// The server has no such key, or its keys cannot be fetched.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Not signed by the server.
    #[error("the status list is not signed by the server's key")]
    Signature(#[from] BadSignature),
    /// A required claim is missing or malformed.
    #[error(transparent)]
    Claim(#[from] MalformedClaim),
    /// Expired, or from the future.
    #[error("the status list is not current")]
    NotCurrent(#[from] NotCurrent),
    /// A list of another address: its `sub`.
    #[error("expected the status list of {expected}, found that of {found:?}")]
    OtherList {
        /// Where it was fetched.
        expected: String,
        /// Its `sub`, shortened.
        found: String,
    },
    /// A list of another server: its `iss`.
    #[error("expected a status list of {expected}, found one of {found:?}")]
    OtherIssuer {
        /// The server that is trusted.
        expected: IssuerUrl,
        /// Its `iss`, shortened.
        found: String,
    },
    /// The list itself cannot be read.
    #[error(transparent)]
    Content(#[from] StatusListContentError),
    /// The fetch ended without an answer: it panicked, or the runtime is shutting down.
    #[error("the fetch was interrupted")]
    Interrupted,
}

impl Published {
    /// Fetches the list at `url` and verifies it as strictly as the tokens that it is about.
    pub(super) async fn fetch(
        url: &str,
        issuer: &IssuerUrl,
        algorithms: &[Algorithm],
        keys: &IssuerKeys,
        fetch: &dyn Fetch,
        now: UnixTime,
    ) -> Result<Self, StatusListError> {
        let body = fetch.get(url).await?;
        // What is not ASCII is no JWT, and is refused as one below.
        let text = String::from_utf8_lossy(&body);
        let envelope = Envelope::open(text.trim_ascii_end(), TokenKind::StatusList)?;
        if !algorithms.contains(&envelope.algorithm()) {
            return Err(BadSignature.into());
        }
        let key = keys.find(envelope.key_id(), envelope.algorithm()).await?;
        Self::read(envelope.verify(&key)?.as_map(), url, issuer, now)
    }

    fn read(
        claims: &Map<String, Value>,
        url: &str,
        issuer: &IssuerUrl,
        now: UnixTime,
    ) -> Result<Self, StatusListError> {
        let subject = required_text(claims, "sub")?;
        if subject != url {
            let found = subject.chars().take(120).collect();
            return Err(StatusListError::OtherList { expected: url.to_owned(), found });
        }
        // Not required by the draft, and never another's.
        if claims.contains_key("iss") {
            let found = required_text(claims, "iss")?;
            if found != issuer.as_str() {
                let found = found.chars().take(120).collect();
                return Err(StatusListError::OtherIssuer { expected: issuer.clone(), found });
            }
        }
        let times = Times::read(claims)?;
        times.check(now)?;
        let list = StatusList::from_claim(claims.get("status_list").unwrap_or(&Value::Null))?;
        Ok(Self { list, ttl: ttl(claims)?, times })
    }

    /// Whether it has not expired.
    pub(super) fn is_current(&self, now: UnixTime) -> bool {
        self.times.check(now).is_ok()
    }
}

/// The time for which a list without `ttl` is kept.
const DEFAULT_TTL: Duration = Duration::from_mins(1);
/// The longest that a list is kept, whatever its `ttl`: nobody wants to learn of a revocation later.
const MAX_TTL: Duration = Duration::from_mins(15);

fn ttl(claims: &Map<String, Value>) -> Result<Duration, MalformedClaim> {
    match claims.get("ttl") {
        None => Ok(DEFAULT_TTL),
        Some(value) => match value.as_u64() {
            Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds).min(MAX_TTL)),
            _ => Err(MalformedClaim::new("ttl", "a positive whole number of seconds", "something else")),
        },
    }
}

impl From<Interrupted> for StatusListError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}
