//! Id tokens: from text to [`VerifiedToken`].

use countersign_core::{Algorithm, IdToken, ReplayKey, UnixTime, VerifiedToken};

use crate::envelope::{Envelope, ParseError, TokenKind};
use crate::key::VerificationKey;
use crate::policy::IssuerPolicy;
use crate::registered::{Times, required_text};

mod claims;
mod error;

pub use error::VerifyError;

/// An id token of which nothing is believed yet.
///
/// It exposes what is needed to find the key that may verify it, and nothing else: no code can act on an unverified claim.
pub struct UnverifiedToken<'token> {
    envelope: Envelope<'token>,
    issuer: String,
}

impl<'token> UnverifiedToken<'token> {
    /// Checks size, shape and header of a token, which may come from anybody.
    pub fn parse(token: &'token IdToken) -> Result<Self, ParseError> {
        let envelope = Envelope::open(token.expose(), TokenKind::IdToken)?;
        let issuer = required_text(envelope.payload(), "iss").map_err(ParseError::Issuer)?.to_owned();
        Ok(Self { envelope, issuer })
    }

    /// `iss`, as claimed: good for finding a configured issuer, and for nothing else.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `alg`, as claimed.
    pub fn algorithm(&self) -> Algorithm {
        self.envelope.algorithm()
    }

    /// `kid`, as claimed: at most 256 bytes of any characters.
    pub fn key_id(&self) -> Option<&str> {
        self.envelope.key_id()
    }

    /// Verifies the token with a key that the caller found among the keys of `policy.issuer()`.
    ///
    /// In this order: the algorithm is allowed and the key's own (RFC 8725 §3.1), the signature is good, and only then the
    /// claims are looked at: issuer, times, lifetime and age, audience, subject, id.
    pub fn verify(
        self,
        key: &VerificationKey,
        policy: &IssuerPolicy,
        now: UnixTime,
    ) -> Result<VerifiedToken, VerifyError> {
        let found = self.algorithm();
        if !policy.algorithms().contains(&found) {
            return Err(VerifyError::algorithm_not_allowed(policy, found));
        }
        if key.algorithm() != found {
            return Err(VerifyError::KeyAlgorithm { key: key.algorithm(), found });
        }
        let signed = self.envelope.signed();
        let claims = self.envelope.verify(key)?;

        if self.issuer != policy.issuer().as_str() {
            return Err(VerifyError::issuer(policy, &self.issuer));
        }
        let members = claims.as_map();
        let times = Times::read(members)?;
        times.check(now)?;
        claims::check_durations(&times, policy, now)?;
        claims::check_audience(members.get("aud"), policy)?;
        let subject = claims::subject(members)?;
        let replay_key = match claims::token_id(members)? {
            Some(id) => ReplayKey::from_jti(id),
            None => hash_of(signed),
        };
        Ok(VerifiedToken::vouched_by_signature(
            policy.issuer().clone(),
            subject,
            times.expires_at,
            replay_key,
            claims,
        ))
    }
}

impl std::fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UnverifiedToken(redacted)")
    }
}

/// Identifies a token without `jti` by what is signed, not by the whole token.
///
/// Whoever holds one ECDSA signature (r, s) can write a second good one (r, −s) without the key; a hash over the signature
/// would make two tokens of one, and invariant 2 would be broken. Base64url is strict, so the signed part has one spelling.
fn hash_of(signed: &[u8]) -> ReplayKey {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, signed);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    ReplayKey::from_sha256(&bytes)
}
