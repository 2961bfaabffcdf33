//! The keys that an issuer publishes (RFC 7517 §5).

use std::fmt;
use std::sync::Arc;

use countersign_core::Algorithm;
use countersign_core::json::strict_object;
use serde_json::Value;
use thiserror::Error;

use crate::key::{self, IgnoredReason, VerificationKey};

/// The usable keys of one issuer, each parsed once, and why the others are not used.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Arc<VerificationKey>>,
    ignored: Vec<IgnoredKey>,
}

/// A key that is not used, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredKey {
    key_id: Option<String>,
    reason: IgnoredReason,
}

/// Why bytes are no usable set of keys.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySetError {
    /// Not the JSON of a set at all.
    #[error("expected a JWK set as at an issuer's `jwks_uri`, a JSON object with an array `keys`; found {0}")]
    NotASet(String),
    /// A set without any key that may be used.
    #[error("expected at least one usable key in the JWK set, found none{}", reasons(.0))]
    NoUsableKey(Vec<IgnoredKey>),
}

/// Why a set has no key for a token.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoKey {
    /// No usable key has this `kid`.
    #[error(
        "the issuer has no usable key named {0:?}; check that the token comes from this issuer and is recent"
    )]
    Unknown(String),
    /// The key of this name is for another algorithm.
    #[error(
        "the issuer's key {key_id:?} is for {key} only, but the token is signed with {token}; have the issuer sign with {key}"
    )]
    Algorithm {
        /// The `kid`.
        key_id: String,
        /// The algorithm of the key.
        key: Algorithm,
        /// The `alg` of the token.
        token: Algorithm,
    },
    /// The token names no key, and the issuer does not have exactly one, for this algorithm.
    #[error(
        "the token names no key (`kid`), which only an issuer with a single key, for {0}, may leave out; have it issued with a `kid`"
    )]
    Unnamed(Algorithm),
}

impl KeySet {
    /// Reads a JWK set for an issuer that may sign with `algorithms`, in order of preference.
    ///
    /// Keys are read one by one: a key that is unsound, unknown or private does not cost the others (RFC 7517 §5). Keys that
    /// share a `kid` are all ignored. A set that leaves no key is an error, so that it never replaces one that has some.
    pub fn parse(bytes: &[u8], algorithms: &[Algorithm]) -> Result<Self, KeySetError> {
        let mut set = strict_object(bytes).map_err(|problem| KeySetError::NotASet(problem.to_string()))?;
        let Some(Value::Array(entries)) = set.remove("keys") else {
            return Err(KeySetError::NotASet("no such array".to_owned()));
        };
        let mut keys = Vec::new();
        let mut ignored = Vec::new();
        for entry in &entries {
            let members = entry.as_object().ok_or(IgnoredReason::NotAKey);
            match members.and_then(|members| key::parse(members, algorithms)) {
                Ok(key) => keys.push(Arc::new(key)),
                Err(reason) => ignored.push(IgnoredKey::new(entry["kid"].as_str(), reason)),
            }
        }
        let (keys, ambiguous) = partition_by_name(keys);
        ignored
            .extend(ambiguous.iter().map(|key| IgnoredKey::new(key.key_id(), IgnoredReason::DuplicateKeyId)));
        if keys.is_empty() { Err(KeySetError::NoUsableKey(ignored)) } else { Ok(Self { keys, ignored }) }
    }

    /// Finds the one key for a token: by name; without a name only if there is exactly one key.
    ///
    /// Never tries several keys: what a token says about its key is either right or wrong.
    pub fn find(&self, key_id: Option<&str>, algorithm: Algorithm) -> Result<Arc<VerificationKey>, NoKey> {
        let Some(key_id) = key_id else {
            return match self.keys.as_slice() {
                [only] if only.algorithm() == algorithm => Ok(Arc::clone(only)),
                _ => Err(NoKey::Unnamed(algorithm)),
            };
        };
        let found = self.keys.iter().find(|key| key.key_id() == Some(key_id));
        let key = found.ok_or_else(|| NoKey::Unknown(key_id.to_owned()))?;
        if key.algorithm() == algorithm {
            Ok(Arc::clone(key))
        } else {
            Err(NoKey::Algorithm { key_id: key_id.to_owned(), key: key.algorithm(), token: algorithm })
        }
    }

    /// The keys that are not used, and why: for the log.
    pub fn ignored(&self) -> &[IgnoredKey] {
        &self.ignored
    }
}

/// Keys with a name of their own or none, and keys that share theirs.
fn partition_by_name(
    keys: Vec<Arc<VerificationKey>>,
) -> (Vec<Arc<VerificationKey>>, Vec<Arc<VerificationKey>>) {
    let mut seen = std::collections::HashMap::<String, usize>::new();
    for id in keys.iter().filter_map(|key| key.key_id()) {
        *seen.entry(id.to_owned()).or_default() += 1;
    }
    keys.into_iter().partition(|key| key.key_id().is_none_or(|id| seen.get(id) == Some(&1)))
}

impl IgnoredKey {
    fn new(key_id: Option<&str>, reason: IgnoredReason) -> Self {
        Self { key_id: key_id.map(|id| id.chars().take(80).collect()), reason }
    }

    /// Why it is not used. [`IgnoredReason::Private`] is worth an alert.
    pub fn reason(&self) -> &IgnoredReason {
        &self.reason
    }
}

impl fmt::Display for IgnoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key_id {
            Some(id) => write!(f, "key {id:?} is ignored: {}", self.reason),
            None => write!(f, "a key without `kid` is ignored: {}", self.reason),
        }
    }
}

fn reasons(ignored: &[IgnoredKey]) -> String {
    let mut text = String::new();
    for key in ignored {
        text.push_str("; ");
        text.push_str(&key.to_string());
    }
    text
}

impl NoKey {
    /// A stable name of the cause, for logs, metrics and the audit trail.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown_key",
            Self::Algorithm { .. } => "key_algorithm",
            Self::Unnamed(_) => "key_id_missing",
        }
    }
}
