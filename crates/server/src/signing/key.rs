//! One signing key.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::{AccessToken, AccessTokenClaims, UnixTime};
use serde::Serialize;
use serde_json::{Value, json};

use super::{EncryptionKey, SigningError};
use crate::clock::Randomness;
use crate::store::SealedKey;

/// Room for the claims of an access token.
const USUAL_PAYLOAD: usize = 1024;
/// A dot, and 64 bytes in base64url.
const SIGNATURE: usize = 1 + 86;

/// An ES256 key, ready to sign.
pub(super) struct SigningKey {
    pair: EcdsaKeyPair,
    /// The encoded header with the dot behind it: the same for every token.
    header: String,
    /// The same for status lists.
    status_list_header: String,
    jwk: Value,
}

/// Makes a key that signs from `active_from` on.
pub(super) fn make(
    encryption: &EncryptionKey,
    now: UnixTime,
    active_from: UnixTime,
    randomness: &dyn Randomness,
) -> Result<SealedKey, SigningError> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(|_| SigningError::Cryptography("make a signing key"))?;
    let key = SigningKey::from_pkcs8(document.as_ref())?;
    let kid = key.jwk["kid"].as_str().unwrap_or_default().to_owned();
    let sealed = encryption.seal(document.as_ref(), kid.as_bytes(), randomness)?;
    Ok(SealedKey { kid, sealed, created_at: now, active_from, revoked_at: None })
}

impl SigningKey {
    pub(super) fn open(sealed: &SealedKey, encryption: &EncryptionKey) -> Result<Self, SigningError> {
        Self::from_pkcs8(&encryption.open(&sealed.sealed, sealed.kid.as_bytes())?)
    }

    /// The public half (RFC 7517).
    pub(super) fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Makes a token: `prefix`, then a JWS (RFC 7515) of type `at+jwt` (RFC 9068 §2.1).
    pub(super) fn sign(&self, claims: &AccessTokenClaims, prefix: &str) -> Result<AccessToken, SigningError> {
        self.jws(prefix, &self.header, claims).map(AccessToken::from)
    }

    /// Makes a status list: a JWS of type `statuslist+jwt`.
    pub(super) fn sign_status_list(&self, claims: &Value) -> Result<String, SigningError> {
        self.jws("", &self.status_list_header, claims)
    }

    fn jws(&self, prefix: &str, header: &str, claims: &impl Serialize) -> Result<String, SigningError> {
        let mut payload = Vec::with_capacity(USUAL_PAYLOAD);
        serde_json::to_writer(&mut payload, claims)
            .map_err(|_| SigningError::Cryptography("write a token"))?;
        // Exactly as much as is needed: what becomes a secret must not be moved for want of room, nor for too much of it.
        let encoded = (payload.len() * 4).div_ceil(3);
        let mut token = String::with_capacity(prefix.len() + header.len() + encoded + SIGNATURE);
        token.push_str(prefix);
        token.push_str(header);
        URL_SAFE_NO_PAD.encode_string(&payload, &mut token);
        let signature = self
            .pair
            .sign(&SystemRandom::new(), &token.as_bytes()[prefix.len()..])
            .map_err(|_| SigningError::Cryptography("sign a token"))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Ok(token)
    }

    fn from_pkcs8(document: &[u8]) -> Result<Self, SigningError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document)
            .map_err(|_| SigningError::Cryptography("read a signing key"))?;
        // An uncompressed point: 0x04, x, y (SEC 1 §2.3.3).
        let point = pair.public_key().as_ref();
        let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        // RFC 7638 §3: the thumbprint is over exactly these members in this order.
        let thumbprint = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, thumbprint.as_bytes());
        let kid = URL_SAFE_NO_PAD.encode(digest);
        let header = |typ: &str| {
            let header = json!({ "alg": "ES256", "kid": kid, "typ": typ }).to_string();
            format!("{}.", URL_SAFE_NO_PAD.encode(header))
        };
        let (header, status_list_header) = (header("at+jwt"), header("statuslist+jwt"));
        let jwk =
            json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "alg": "ES256", "use": "sig" });
        Ok(Self { pair, header, status_list_header, jwk })
    }
}
