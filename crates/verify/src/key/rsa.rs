//! RSA keys (RFC 7518 §6.3.1).

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
};
use countersign_core::Algorithm;
use serde_json::{Map, Value};

use super::jwk::{IgnoredReason, bytes};
use super::roca;

/// The algorithm of an RSA key: its own, or the issuer's first for RSA. Never more than one, whatever the issuer allows.
pub(super) fn algorithm(
    named: Option<Algorithm>,
    algorithms: &[Algorithm],
) -> Result<Algorithm, IgnoredReason> {
    let is_rsa = |algorithm: &Algorithm| parameters(*algorithm).is_some();
    match named {
        Some(named) if is_rsa(&named) => Ok(named),
        Some(_) => Err(IgnoredReason::Unsupported),
        None => algorithms.iter().copied().find(is_rsa).ok_or(IgnoredReason::NotAllowed),
    }
}

/// Reads modulus and exponent, and refuses those that no sound key has.
pub(super) fn parse(
    members: &Map<String, Value>,
    algorithm: Algorithm,
) -> Result<ParsedPublicKey, IgnoredReason> {
    let modulus = integer(members, "n")?;
    let exponent = integer(members, "e")?;
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(IgnoredReason::ModulusSize(bits));
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    if !is_odd(&modulus) || !is_odd(&exponent) || exponent.len() > 4 || exponent == [1] {
        return Err(IgnoredReason::UnsoundRsa);
    }
    if roca::has_fingerprint(&modulus) {
        return Err(IgnoredReason::Roca);
    }
    let parameters = parameters(algorithm).ok_or(IgnoredReason::Unsupported)?;
    let components = PublicKeyComponents { n: modulus, e: exponent };
    components.to_parsed_public_key(parameters).map_err(|_| IgnoredReason::Invalid)
}

/// A big-endian number. Leading zeros are forbidden by RFC 7518 §2, but harmless, and some issuers write one.
fn integer(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, IgnoredReason> {
    let mut number = bytes(members, name)?;
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    Ok(number.split_off(zeros))
}

fn parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 | Algorithm::EdDsa => None,
    }
}
