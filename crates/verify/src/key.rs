//! One public key, and the one algorithm that it verifies.

use std::fmt;

use aws_lc_rs::signature::ParsedPublicKey;
use countersign_core::Algorithm;
use thiserror::Error;

mod elliptic;
mod jwk;
mod roca;
mod rsa;
#[cfg(test)]
mod tests;

pub use jwk::IgnoredReason;
pub(crate) use jwk::parse;

/// A public key of an issuer, parsed once, bound to exactly one algorithm (RFC 8725 §3.1).
///
/// Only a [`crate::KeySet`] makes one. It does not know its issuer: whoever looks it up does (see [`crate::IssuerKeys`]).
pub struct VerificationKey {
    key_id: Option<String>,
    algorithm: Algorithm,
    parsed: ParsedPublicKey,
}

/// The signature is not this key's over these bytes.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the token's signature does not verify with the issuer's key; send the token unchanged, as it was issued"
)]
pub struct BadSignature;

impl VerificationKey {
    /// `kid`, if the issuer named the key.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The one algorithm that it verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks a signature as JWS encodes it: for ECDSA the fixed-length `r || s` of RFC 7518 §3.4.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.parsed.verify_sig(message, signature).map_err(|_| BadSignature)
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("key_id", &self.key_id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
