//! The keys that access tokens are signed with.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::{AccessToken, AccessTokenClaims};
use serde_json::{Value, json};
use thiserror::Error;

mod seal;

pub use seal::{EncryptionKey, EncryptionKeyError};

use crate::clock::{Clock, Randomness};
use crate::store::{SealedKey, Store, StoreError};

/// Signs access tokens with the newest key and publishes the public halves of all.
pub struct Signer {
    active: SigningKey,
    jwks: Value,
}

struct SigningKey {
    pair: EcdsaKeyPair,
    /// The encoded header with the dot behind it: the same for every token.
    header: String,
    jwk: Value,
}

/// Why there is no signer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The keys cannot be read or stored.
    #[error("the signing keys cannot be read")]
    Store(#[from] StoreError),
    /// The key that encrypts them is not the one they were encrypted with.
    #[error(transparent)]
    Encryption(#[from] EncryptionKeyError),
    /// The cryptographic library refused.
    #[error("the cryptographic library could not {0}")]
    Cryptography(&'static str),
}

impl Signer {
    /// Reads the keys of the store; makes the first one if there is none.
    pub async fn load(
        store: &dyn Store,
        encryption: &EncryptionKey,
        clock: &dyn Clock,
        randomness: &dyn Randomness,
    ) -> Result<Self, SigningError> {
        let mut sealed = store.signing_keys().await?;
        if sealed.is_empty() {
            store.add_first_signing_key(make(encryption, clock, randomness)?).await?;
            sealed = store.signing_keys().await?;
        }
        let mut keys = sealed
            .iter()
            .map(|key| SigningKey::from_pkcs8(&encryption.open(&key.sealed, key.kid.as_bytes())?))
            .collect::<Result<Vec<_>, SigningError>>()?;
        let jwks = json!({ "keys": keys.iter().map(|key| key.jwk.clone()).collect::<Vec<_>>() });
        let active = keys.pop().ok_or(SigningError::Cryptography("find the key it has just made"))?;
        Ok(Self { active, jwks })
    }

    /// The JWK set (RFC 7517) with the public keys.
    pub fn jwks(&self) -> &Value {
        &self.jwks
    }

    /// Makes a token: `prefix`, then a JWS (RFC 7515) of type `at+jwt` (RFC 9068 §2.1).
    pub fn sign(&self, claims: &AccessTokenClaims, prefix: &str) -> Result<AccessToken, SigningError> {
        let failed = SigningError::Cryptography("sign an access token");
        let payload =
            serde_json::to_vec(claims).map_err(|_| SigningError::Cryptography("write an access token"))?;
        let mut token =
            String::with_capacity(prefix.len() + self.active.header.len() + payload.len() * 4 / 3 + 96);
        token.push_str(prefix);
        token.push_str(&self.active.header);
        URL_SAFE_NO_PAD.encode_string(&payload, &mut token);
        let signature = self
            .active
            .pair
            .sign(&SystemRandom::new(), &token.as_bytes()[prefix.len()..])
            .map_err(|_| failed)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Ok(AccessToken::from(token))
    }
}

fn make(
    encryption: &EncryptionKey,
    clock: &dyn Clock,
    randomness: &dyn Randomness,
) -> Result<SealedKey, SigningError> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(|_| SigningError::Cryptography("make a signing key"))?;
    let key = SigningKey::from_pkcs8(document.as_ref())?;
    let kid = key.jwk["kid"].as_str().unwrap_or_default().to_owned();
    let sealed = encryption.seal(document.as_ref(), kid.as_bytes(), randomness)?;
    Ok(SealedKey { kid, sealed, created_at: clock.now() })
}

impl SigningKey {
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
        let header = json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" }).to_string();
        let jwk =
            json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "alg": "ES256", "use": "sig" });
        Ok(Self { pair, header: format!("{}.", URL_SAFE_NO_PAD.encode(header)), jwk })
    }
}
