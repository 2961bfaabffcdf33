//! Key pairs of pretend issuers.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::Algorithm;
use countersign_verify::KeySet;
use serde_json::{Value, json};

/// The issuer's usual key: RS256, named `rsa`.
pub(crate) static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::new("rsa", Algorithm::Rs256));
/// Another RSA key that claims the same name: a forger's, or another issuer's.
pub(crate) static FORGER: LazyLock<Signer> = LazyLock::new(|| Signer::new("rsa", Algorithm::Rs256));
/// An ES256 key, named `ec`.
pub(crate) static EC: LazyLock<Signer> = LazyLock::new(|| Signer::new("ec", Algorithm::Es256));

pub(crate) struct Signer {
    pub(crate) key_id: &'static str,
    pub(crate) algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    pub(crate) fn new(key_id: &'static str, algorithm: Algorithm) -> Self {
        let ec = |algorithm| Pair::Ec(EcdsaKeyPair::generate(algorithm).unwrap());
        let pair = match algorithm {
            Algorithm::Es256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::Es512 => ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDsa => Pair::Ed(Ed25519KeyPair::generate().unwrap()),
            _ => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        };
        Self { key_id, algorithm, pair }
    }

    /// Signs as `algorithm` says, which need not be the key's own.
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let encoding: &'static dyn RsaEncoding = match algorithm {
            Algorithm::Rs384 => &RSA_PKCS1_SHA384,
            Algorithm::Rs512 => &RSA_PKCS1_SHA512,
            Algorithm::Ps256 => &RSA_PSS_SHA256,
            Algorithm::Ps384 => &RSA_PSS_SHA384,
            Algorithm::Ps512 => &RSA_PSS_SHA512,
            _ => &RSA_PKCS1_SHA256,
        };
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The public key with its `alg`.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let (n, e) = rsa_components(pair.public_key().as_ref());
                json!({"kty": "RSA", "n": encode(n), "e": encode(e)})
            }
            Pair::Ec(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = match self.algorithm {
                    Algorithm::Es384 => "P-384",
                    Algorithm::Es512 => "P-521",
                    _ => "P-256",
                };
                json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        };
        jwk["kid"] = self.key_id.into();
        jwk["alg"] = self.algorithm.as_str().into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// The public key with one member changed.
    pub(crate) fn jwk_with(&self, name: &str, value: impl Into<Value>) -> Value {
        let mut jwk = self.jwk();
        jwk[name] = value.into();
        jwk
    }

    /// The public key without one member.
    pub(crate) fn jwk_without(&self, name: &str) -> Value {
        let mut jwk = self.jwk();
        jwk.as_object_mut().unwrap().remove(name);
        jwk
    }
}

/// The bytes of a JWK set.
pub(crate) fn jwk_set(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// The parsed set of an issuer that may sign with anything.
pub(crate) fn key_set(keys: &[Value]) -> KeySet {
    KeySet::parse(&jwk_set(keys), &Algorithm::ALL).unwrap()
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Cuts modulus and exponent 65537 out of the DER of a 2048-bit `RSAPublicKey`.
fn rsa_components(der: &[u8]) -> (&[u8], &[u8]) {
    assert_eq!(der.len(), 270);
    (&der[9..265], &der[267..])
}
