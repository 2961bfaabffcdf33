//! Why an id token is not what it says.

use countersign_core::{Algorithm, Audience, IssuerUrl};
use thiserror::Error;

use crate::key::BadSignature;
use crate::policy::IssuerPolicy;
use crate::registered::{MalformedClaim, NotCurrent};

/// Why an id token is not what it says, with what was expected of it.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// An algorithm that this issuer is not configured for.
    #[error(
        "the token is signed with {found}, but issuer {issuer} is configured for {allowed} only; allow {found} for this \
         issuer if it really signs with it"
    )]
    AlgorithmNotAllowed {
        /// The issuer whose policy it is.
        issuer: IssuerUrl,
        /// The configured algorithms.
        allowed: String,
        /// The `alg` of the token.
        found: Algorithm,
    },
    /// The key is for another algorithm: a key has exactly one (RFC 8725 §3.1).
    #[error(
        "the token is signed with {found}, but its key is for {key} only; have the issuer sign with {key}"
    )]
    KeyAlgorithm {
        /// The algorithm of the key.
        key: Algorithm,
        /// The `alg` of the token.
        found: Algorithm,
    },
    /// Not signed by this key, or changed since.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// Signed with a key of one issuer, and naming another.
    #[error(
        "expected a token of issuer {expected}, found `iss` {found:?}; an issuer's keys vouch for itself only"
    )]
    Issuer {
        /// The issuer whose key was used.
        expected: IssuerUrl,
        /// The `iss` of the token, shortened.
        found: String,
    },
    /// A registered claim is missing, or not what RFC 7519 says it is.
    #[error(transparent)]
    Claim(#[from] MalformedClaim),
    /// Expired, or not yet valid.
    #[error(transparent)]
    NotCurrent(#[from] NotCurrent),
    /// `exp` − `iat` is zero, negative, or more than the issuer may have.
    #[error(
        "the token is made to live {found} s; issuer {issuer} may issue for 1 to {max} s; shorten its lifetime, or raise the \
         issuer's limit"
    )]
    Lifetime {
        /// The issuer whose policy it is.
        issuer: IssuerUrl,
        /// The configured limit, in seconds.
        max: u64,
        /// What the token has, in seconds.
        found: i64,
    },
    /// Issued too long ago, even if it has not expired.
    #[error(
        "the token was issued {found} s ago; it must be exchanged within {max} s; request it right before it is used"
    )]
    TooOld {
        /// The configured limit, in seconds.
        max: u64,
        /// The age of the token, in seconds.
        found: u64,
    },
    /// Meant for somebody else, or for somebody else too.
    #[error(
        "expected a token for audience {expected}, found `aud` {found}; request the id token for that audience alone"
    )]
    Audience {
        /// The configured audiences.
        expected: String,
        /// The `aud` of the token, shortened.
        found: String,
    },
}

impl VerifyError {
    /// A stable name of the cause, for logs, metrics and the audit trail.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlgorithmNotAllowed { .. } => "algorithm",
            Self::KeyAlgorithm { .. } => "key_algorithm",
            Self::Signature(_) => "signature",
            Self::Issuer { .. } => "issuer",
            Self::Claim(_) => "malformed_claim",
            Self::NotCurrent(cause) => cause.code(),
            Self::Lifetime { .. } => "lifetime",
            Self::TooOld { .. } => "too_old",
            Self::Audience { .. } => "audience",
        }
    }

    pub(super) fn algorithm_not_allowed(policy: &IssuerPolicy, found: Algorithm) -> Self {
        let allowed = list(policy.algorithms().iter().map(|algorithm| algorithm.as_str()));
        Self::AlgorithmNotAllowed { issuer: policy.issuer().clone(), allowed, found }
    }

    pub(super) fn issuer(policy: &IssuerPolicy, found: &str) -> Self {
        Self::Issuer { expected: policy.issuer().clone(), found: found.chars().take(120).collect() }
    }

    pub(super) fn audience(policy: &IssuerPolicy, found: String) -> Self {
        Self::Audience { expected: list(policy.audiences().iter().map(Audience::as_str)), found }
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" or ")
}
