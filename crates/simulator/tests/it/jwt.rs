//! Reads and checks tokens independently of the product's own verifier.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The JWT's header.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

/// The JWT's claims, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// Whether the key of the token's `kid` is in the set and made its signature.
pub(crate) fn verifies(token: &str, key_set: &Value) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let kid = &header(token)["kid"];
    let keys = key_set["keys"].as_array().unwrap();
    let Some(key) = keys.iter().find(|key| &key["kid"] == kid) else { return false };
    let component = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let public = RsaPublicKeyComponents { n: component("n"), e: component("e") };
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature).is_ok()
}

fn part(token: &str, index: usize) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
