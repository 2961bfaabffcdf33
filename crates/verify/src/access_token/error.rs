//! Why an access token does not permit what is asked.

use countersign_core::{Algorithm, Audience, IssuerUrl, Permission, Resource};
use thiserror::Error;

use crate::envelope::ParseError;
use crate::issuer_keys::KeyError;
use crate::key::BadSignature;
use crate::key_set::NoKey;
use crate::registered::{MalformedClaim, NotCurrent};
#[cfg(feature = "fetch")]
use crate::status_list::follow::StatusError;

/// Why an access token does not permit what is asked. Only [`AccessTokenError::is_temporary`] is not the token's fault.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AccessTokenError {
    /// Neither a JWT nor one behind a scannable prefix.
    #[error(
        "expected an access token: a JWT, or one behind a prefix such as `hf_jwt_`; found something else; send the access token as it was issued"
    )]
    Prefix,
    /// Not a signed JWT, or not one of `typ` at+jwt: an id token, for instance.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// Not signed as the server signs.
    #[error("expected an access token signed with ES256, found {0}; send one that the server issued")]
    Algorithm(Algorithm),
    /// The server has no such key, or its keys cannot be fetched.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Not signed by the server, or changed since.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// Issued by another server.
    #[error("expected an access token of {expected}, found `iss` {found:?}; exchange the id token there")]
    Issuer {
        /// The server that is trusted.
        expected: IssuerUrl,
        /// The `iss` of the token, shortened.
        found: String,
    },
    /// Expired, or not yet valid.
    #[error(transparent)]
    NotCurrent(#[from] NotCurrent),
    /// Meant for another registry.
    #[error(
        "expected an access token for {expected}, found `aud` {found:?}; exchange the id token for this registry"
    )]
    Audience {
        /// This registry.
        expected: Audience,
        /// The `aud` of the token, shortened.
        found: String,
    },
    /// A claim that every access token has is missing or malformed.
    #[error(transparent)]
    Claim(#[from] MalformedClaim),
    /// The claims are not those of an access token of this project.
    #[error("expected the claims of a trusted publishing access token (RFC 9068), found others: {0}")]
    Claims(String),
    /// Good, but revoked; or it cannot be found out whether it was.
    #[cfg(feature = "fetch")]
    #[error(transparent)]
    Status(#[from] StatusError),
    /// For another resource (threat J1).
    #[error("the access token is for {found} only; exchange the id token for {expected}")]
    Resource {
        /// What was asked for.
        expected: Box<Resource>,
        /// What the token is for.
        found: Box<Resource>,
    },
    /// For the right resource, but not for this.
    #[error("the access token does not permit to {} {resource}; only a publisher with that permission can get one that does", expected.as_str())]
    Permission {
        /// What was asked for.
        expected: Permission,
        /// What the token is for.
        resource: Box<Resource>,
    },
}

impl AccessTokenError {
    /// A stable name of the cause, for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::Malformed(cause) => cause.code(),
            Self::Algorithm(_) => "algorithm",
            Self::Key(cause) => cause.code(),
            Self::Signature(_) => "signature",
            Self::Issuer { .. } => "issuer",
            Self::NotCurrent(cause) => cause.code(),
            Self::Audience { .. } => "audience",
            Self::Claim(_) | Self::Claims(_) => "malformed_claim",
            #[cfg(feature = "fetch")]
            Self::Status(cause) => cause.code(),
            Self::Resource { .. } => "resource",
            Self::Permission { .. } => "permission",
        }
    }

    /// Whether the same token may succeed later (HTTP 503), because the keys or the status list could not be fetched.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Key(KeyError::Unavailable { .. }) => true,
            #[cfg(feature = "fetch")]
            Self::Status(StatusError::Unavailable { .. }) => true,
            _ => false,
        }
    }

    pub(super) fn issuer(expected: &IssuerUrl, found: &str) -> Self {
        Self::Issuer { expected: expected.clone(), found: shorten(found) }
    }

    pub(super) fn audience(expected: &Audience, found: &str) -> Self {
        Self::Audience { expected: expected.clone(), found: shorten(found) }
    }
}

impl From<NoKey> for AccessTokenError {
    fn from(cause: NoKey) -> Self {
        Self::Key(cause.into())
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(120).collect()
}
