//! The keys of one pretend provider: RS256 with RSA-2048, as GitHub and GitLab sign.

use std::sync::{PoisonError, RwLock};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::random;

/// What becomes of the key that was in use when the next one takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldKey {
    /// It stays in the key set, so that tokens it signed still verify.
    Kept,
    /// It leaves the key set, as after a compromise.
    Dropped,
}

/// The published keys; the last one signs.
pub(crate) struct KeyRing {
    keys: RwLock<Vec<SigningKey>>,
}

impl KeyRing {
    /// One fresh key.
    pub(crate) fn new() -> Self {
        Self { keys: RwLock::new(vec![SigningKey::generate()]) }
    }

    /// Has a fresh key with a new `kid` sign from now on.
    pub(crate) fn rotate(&self, old: OldKey) {
        let next = SigningKey::generate();
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if old == OldKey::Dropped {
            keys.clear();
        }
        keys.push(next);
    }

    /// Signs with the current key.
    pub(crate) fn sign(&self, claims: &Map<String, Value>) -> String {
        self.with_current(|key| key.sign(&key.kid, claims))
    }

    /// Signs with a key that nobody published, under the current key's `kid`.
    pub(crate) fn forge(&self, claims: &Map<String, Value>) -> String {
        self.with_current(|key| SigningKey::generate().sign(&key.kid, claims))
    }

    /// The JWK set (RFC 7517 §5).
    pub(crate) fn set(&self) -> Value {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        json!({ "keys": keys.iter().map(SigningKey::jwk).collect::<Vec<_>>() })
    }

    #[expect(clippy::expect_used, reason = "a ring is made with a key, and a rotation pushes one")]
    fn with_current<T>(&self, use_key: impl FnOnce(&SigningKey) -> T) -> T {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        use_key(keys.last().expect("a ring is never empty"))
    }
}

struct SigningKey {
    kid: String,
    pair: RsaKeyPair,
}

impl SigningKey {
    #[expect(
        clippy::expect_used,
        reason = "fails only without memory or entropy, and then nothing can go on"
    )]
    fn generate() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA-2048 key can be made");
        Self { kid: random::id(), pair }
    }

    fn jwk(&self) -> Value {
        let public = self.pair.public_key();
        json!({
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.thumbprint(),
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
        })
    }

    /// Stands for the SHA-1 of a certificate, which GitHub names in its key set and in each token. Nobody should read it.
    fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, self.pair.public_key().as_ref()))
    }

    #[expect(clippy::expect_used, reason = "the buffer has the length of the modulus, as signing demands")]
    fn sign(&self, kid: &str, claims: &Map<String, Value>) -> String {
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5t": self.thumbprint(), "kid": kid });
        let claims = Value::Object(claims.clone()).to_string();
        let message =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .expect("a sound key signs");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
