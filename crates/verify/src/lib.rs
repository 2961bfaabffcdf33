//! From bytes to a verified token: strict JWS, claims, JWK sets, discovery and the key cache.
//!
//! An id token goes [`UnverifiedToken::parse`] → [`IssuerKeys::find`] → [`UnverifiedToken::verify`], and comes out as the
//! one proof that the rest of the workspace accepts, [`countersign_core::VerifiedToken`]. Registries check the access
//! tokens issued in exchange with [`AccessTokenVerifier`]; both kinds of token share one envelope, so no strictness can
//! be missing from one of them.
//!
//! The feature `fetch` (on by default) adds discovery over HTTPS. Without it the crate does no I/O at all.

mod access_token;
mod base64url;
mod envelope;
#[cfg(feature = "fetch")]
mod fetch;
mod id_token;
mod issuer_keys;
mod key;
mod key_set;
mod policy;
mod registered;
mod status_list;

#[cfg(feature = "fetch")]
pub use access_token::Online;
pub use access_token::{AccessTokenError, AccessTokenVerifier, AuthorizedAccess};
pub use envelope::ParseError;
#[cfg(feature = "fetch")]
pub use fetch::{
    Fetch, FetchError, FetchFuture,
    http::{HttpFetch, HttpFetchError, HttpSettings},
    network::{Network, NotPublic, Resolve, ResolveFuture, SystemResolver},
};
pub use id_token::{UnverifiedToken, VerifyError};
pub use issuer_keys::{IssuerKeys, KeyError};
#[cfg(feature = "fetch")]
pub use issuer_keys::{
    discovery::{DiscoveryError, DiscoverySettings},
    health::{FetchFailure, IssuerHealth},
};
pub use key::{BadSignature, IgnoredReason, VerificationKey};
pub use key_set::{IgnoredKey, KeySet, KeySetError, NoKey};
pub use policy::{IssuerPolicy, PolicyError};
pub use registered::{MalformedClaim, NotCurrent};
pub use status_list::{StatusList, StatusListContentError};
#[cfg(feature = "fetch")]
pub use status_list::{
    follow::{StatusError, StatusSettings, WhenUnavailable},
    published::StatusListError,
};
