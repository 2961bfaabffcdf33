//! From a JWK (RFC 7517 §4) to a key that may be used, or the reason why it may not.

use countersign_core::Algorithm;
use serde_json::{Map, Value};
use thiserror::Error;

use super::{VerificationKey, elliptic, rsa};
use crate::base64url;

/// Members that only private or shared keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a key of a set is not used. The other keys of the set are, all the same.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnoredReason {
    /// Something that is no JWK, such as a string.
    #[error("it is not a JSON object with a `kty`")]
    NotAKey,
    /// A private or symmetric key: whoever reads the set can sign with it.
    #[error(
        "it is a private or symmetric key, which has been published with the set; the issuer must replace it"
    )]
    Private,
    /// `use` is not `sig`, or `key_ops` lacks `verify`.
    #[error("it is not meant for verifying signatures (`use` or `key_ops`)")]
    NotForSignatures,
    /// A `kty`, `crv` or `alg` that this project does not know, or that do not belong together.
    #[error("its `kty`, `crv` and `alg` are not a combination that is supported")]
    Unsupported,
    /// The key's algorithm is not among the issuer's.
    #[error("its algorithm is not allowed for this issuer")]
    NotAllowed,
    /// A member is missing, not base64url, or has the wrong type or length.
    #[error("its member `{0}` is missing or malformed")]
    Member(&'static str),
    /// A modulus below 2048 or above 8192 bits.
    #[error("its RSA modulus has {0} bits; 2048 to 8192 are accepted")]
    ModulusSize(usize),
    /// An even modulus, or an exponent that is even, 1, or beyond 32 bits.
    #[error("its RSA modulus or exponent is not one of a sound key")]
    UnsoundRsa,
    /// Made by the library whose private keys can be computed from the public ones (CVE-2017-15361).
    #[error("its RSA modulus has the ROCA fingerprint: its private key can be computed (CVE-2017-15361)")]
    Roca,
    /// The cryptographic library refuses it, for instance because the point is not on the curve.
    #[error("it is not a valid public key")]
    Invalid,
    /// Another key of the set has the same `kid`, so that it is unclear which one is meant.
    #[error("another key of the set has the same `kid`")]
    DuplicateKeyId,
}

/// Reads one key of a set for an issuer that may sign with `algorithms`.
pub(crate) fn parse(
    members: &Map<String, Value>,
    algorithms: &[Algorithm],
) -> Result<VerificationKey, IgnoredReason> {
    if PRIVATE.into_iter().any(|name| members.contains_key(name)) {
        return Err(IgnoredReason::Private);
    }
    let key_type = text(members, "kty")?.ok_or(IgnoredReason::NotAKey)?;
    if key_type == "oct" {
        return Err(IgnoredReason::Private);
    }
    if !is_for_signatures(members) {
        return Err(IgnoredReason::NotForSignatures);
    }
    let named = match text(members, "alg")? {
        None => None,
        Some(name) => Some(name.parse::<Algorithm>().map_err(|_| IgnoredReason::Unsupported)?),
    };
    let (algorithm, parsed) = match key_type {
        "RSA" => {
            let algorithm = rsa::algorithm(named, algorithms)?;
            (algorithm, rsa::parse(members, algorithm)?)
        }
        "EC" | "OKP" => {
            let curve = elliptic::curve(key_type, text(members, "crv")?)?;
            if named.is_some_and(|named| named != curve.algorithm) {
                return Err(IgnoredReason::Unsupported);
            }
            (curve.algorithm, curve.parse(members)?)
        }
        _ => return Err(IgnoredReason::Unsupported),
    };
    if !algorithms.contains(&algorithm) {
        return Err(IgnoredReason::NotAllowed);
    }
    // A blank name names nothing.
    let key_id = text(members, "kid")?.filter(|id| !id.is_empty()).map(str::to_owned);
    Ok(VerificationKey { key_id, algorithm, parsed })
}

fn is_for_signatures(members: &Map<String, Value>) -> bool {
    let used = members.get("use").is_none_or(|usage| usage == "sig");
    let operations = members.get("key_ops").is_none_or(|operations| {
        operations
            .as_array()
            .is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    });
    used && operations
}

/// A member that must be a string where it is present.
pub(super) fn text<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, IgnoredReason> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(IgnoredReason::Member(name)),
    }
}

/// A member that must be there and be base64url.
pub(super) fn bytes(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, IgnoredReason> {
    text(members, name)?.and_then(base64url::decode).ok_or(IgnoredReason::Member(name))
}
