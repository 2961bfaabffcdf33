//! A key of our own, to sign what targets then edit. P-256, because making an RSA key takes seconds.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(crate) const KEY_ID: &str = "fuzz";

pub(crate) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn key_set(&self) -> String {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (encode(x), encode(y));
        let key = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": KEY_ID, "alg": "ES256", "use": "sig" });
        json!({ "keys": [key] }).to_string()
    }

    pub(crate) fn sign(&self, typ: &str, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": KEY_ID, "typ": typ }).to_string();
        let signed = format!("{}.{}", encode(header), encode(claims.to_string()));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature))
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
