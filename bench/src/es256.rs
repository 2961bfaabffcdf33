//! A key that signs as our servers do, and as some issuers do.

use anyhow::Context as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};

const KID: &str = "rB0ELzGwA9SHyX-4Tn0Vd4NlYtXC8vrxkPqM1nZ2ahU";

/// A fresh key.
pub(crate) struct SigningKey(EcdsaKeyPair);

impl SigningKey {
    pub(crate) fn generate() -> anyhow::Result<Self> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map(Self)
            .context("cannot make a signing key")
    }

    /// A JWS in compact form.
    pub(crate) fn sign(&self, typ: &str, claims: &impl Serialize) -> anyhow::Result<String> {
        let mut signed = Self::header(typ);
        self.sign_claims(&mut signed, claims)?;
        Ok(signed)
    }

    /// The encoded header with the dot behind it, for those who sign often.
    pub(crate) fn header(typ: &str) -> String {
        let header = json!({ "alg": "ES256", "kid": KID, "typ": typ }).to_string();
        format!("{}.", URL_SAFE_NO_PAD.encode(header))
    }

    /// Adds claims and signature to a header.
    pub(crate) fn sign_claims(&self, signed: &mut String, claims: &impl Serialize) -> anyhow::Result<()> {
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims)?, signed);
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).context("cannot sign")?;
        signed.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, signed);
        Ok(())
    }

    /// The key set that it is published in (RFC 7517 §5).
    pub(crate) fn key_set(&self) -> Value {
        let (x, y) = self.0.public_key().as_ref().get(1..).unwrap_or_default().split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": KID, "alg": "ES256", "use": "sig", "x": x, "y": y }] })
    }

    /// What verifies its signatures and nothing else.
    pub(crate) fn public_key(&self) -> anyhow::Result<ParsedPublicKey> {
        let point = self.0.public_key().as_ref();
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).context("cannot read the key")
    }
}
