//! One valid id token, of which each test changes one thing.

use std::time::Duration;

use countersign_core::{Algorithm, IdToken, UnixTime, VerifiedToken};
use countersign_verify::{IssuerPolicy, KeySet, UnverifiedToken};
use serde_json::{Map, Value, json};

use crate::signer::{RSA, Signer, encode, key_set};

/// The time of every check.
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://token.example.com";
pub(crate) const AUDIENCE: &str = "https://hub.example.com";

/// Header and claims, not yet signed.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Token {
    /// As GitHub makes them: 10 s old, 5 minutes long, `nbf` before `iat`, `x5t` in the header.
    pub(crate) fn valid() -> Self {
        Self {
            header: json!({"alg": "RS256", "kid": "rsa", "typ": "JWT", "x5t": "ykNaY4qM_ta4k2TgZOCEYLkcYlA"}),
            claims: json!({
                "iss": ISSUER, "aud": AUDIENCE, "sub": "repo:octo-org/octo-repo:ref:refs/heads/main", "jti": "3f7a2b",
                "iat": NOW - 10, "nbf": NOW - 610, "exp": NOW + 290,
                "repository": "octo-org/octo-repo", "repository_id": "74",
            }),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        for part in [&mut self.header, &mut self.claims] {
            part.as_object_mut().map(|members: &mut Map<String, Value>| members.remove(name));
        }
        self
    }

    /// Signed with the issuer's usual key.
    pub(crate) fn signed(&self) -> String {
        self.signed_by(&RSA)
    }

    pub(crate) fn signed_by(&self, signer: &Signer) -> String {
        assemble(self.header.to_string(), self.claims.to_string(), signer)
    }
}

/// Signs any bytes as header and payload, with the signer's own algorithm.
pub(crate) fn assemble(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, signer: &Signer) -> String {
    let input = format!("{}.{}", encode(header), encode(payload));
    let signature = signer.sign(signer.algorithm, input.as_bytes());
    format!("{input}.{}", encode(signature))
}

/// Five minutes of lifetime would do; an hour is allowed, and ten minutes of age.
pub(crate) fn policy(algorithms: &[Algorithm], audiences: &[&str]) -> IssuerPolicy {
    let audiences = audiences.iter().map(|audience| audience.parse().unwrap()).collect();
    let (lifetime, age) = (Duration::from_hours(1), Duration::from_mins(10));
    IssuerPolicy::new(ISSUER.parse().unwrap(), audiences, algorithms.to_vec(), lifetime, age).unwrap()
}

/// The whole way of a token: the code and the text of a refusal, or the proof.
pub(crate) fn verify_with(
    token: &str,
    keys: &KeySet,
    policy: &IssuerPolicy,
    now: i64,
) -> Result<VerifiedToken, (&'static str, String)> {
    let token = IdToken::from(token.to_owned());
    let unverified = UnverifiedToken::parse(&token).map_err(|error| (error.code(), error.to_string()))?;
    let key = keys
        .find(unverified.key_id(), unverified.algorithm())
        .map_err(|error| (error.code(), error.to_string()))?;
    unverified
        .verify(&key, policy, UnixTime::from_seconds(now))
        .map_err(|error| (error.code(), error.to_string()))
}

/// Verifies as the usual issuer's tokens are: RS256, one audience.
pub(crate) fn verify(token: &str) -> Result<VerifiedToken, (&'static str, String)> {
    verify_with(token, &key_set(&[RSA.jwk()]), &policy(&[Algorithm::Rs256], &[AUDIENCE]), NOW)
}

/// Checks that a token is refused for the reason `code`, in words that do not give it away.
#[track_caller]
pub(crate) fn check(token: &str, code: &str) {
    let (found, message) = verify(token).expect_err("the token was accepted");
    assert_eq!(found, code, "{message}");
    check_message(&message, token);
}

/// Checks the manners of a message: one line, no full stop, nothing of the token's signature or payload.
#[track_caller]
pub(crate) fn check_message(message: &str, token: &str) {
    assert!(!message.contains('\n') && !message.ends_with('.') && message.len() < 700, "{message}");
    for part in token.split('.').filter(|part| part.len() > 20) {
        assert!(!message.contains(part), "{message}");
    }
}
