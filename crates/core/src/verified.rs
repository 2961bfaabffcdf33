//! An id token whose signature and times have been checked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::claims::{Claims, FoldedClaims};
use crate::issuer::IssuerUrl;
use crate::json::JsonError;
use crate::statement::Statement;
use crate::time::UnixTime;

/// An id token that is what it says: signed by its issuer, meant for us, current.
///
/// A proof: whoever holds one need not check again. The fields that every token has stand beside its claims.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    statement: Statement,
    subject: String,
    expires_at: UnixTime,
    replay_key: ReplayKey,
}

impl VerifiedToken {
    /// The one constructor, named so that a search finds every use: `countersign-verify` calls it after signature, times,
    /// audience and lifetime have been checked, and nothing else outside of tests may (`cargo xtask ci` looks).
    pub fn vouched_by_signature(
        issuer: IssuerUrl,
        subject: String,
        expires_at: UnixTime,
        replay_key: ReplayKey,
        claims: Claims,
    ) -> Self {
        Self { statement: Statement::new(issuer, claims), subject, expires_at, replay_key }
    }

    /// Puts it away until its claims are read again, which may be never.
    pub fn fold(self) -> FoldedToken {
        let Self { statement, subject, expires_at, replay_key } = self;
        let (issuer, claims) = statement.into_parts();
        FoldedToken { issuer, claims: claims.fold(), subject, expires_at, replay_key }
    }

    /// What it says, with nothing to vouch for it.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// `iss`: one of the configured issuers.
    pub fn issuer(&self) -> &IssuerUrl {
        self.statement.issuer()
    }

    /// `sub`: never read by presets, since providers let it be templated.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `exp`.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// What identifies this token among its issuer's.
    pub fn replay_key(&self) -> &ReplayKey {
        &self.replay_key
    }

    /// All claims, the registered ones included.
    pub fn claims(&self) -> &Claims {
        self.statement.claims()
    }
}

/// A [`VerifiedToken`] that is put away: as much of a proof, and in a few pieces of memory, since its claims are the text that was
/// signed. Exchanges that wait for the ledger are many, and what they keep meanwhile falls out of the processor's caches.
pub struct FoldedToken {
    issuer: IssuerUrl,
    claims: FoldedClaims,
    subject: String,
    expires_at: UnixTime,
    replay_key: ReplayKey,
}

impl FoldedToken {
    /// The token as it was. Reads the claims again as they were read before, so it fails only where memory does.
    pub fn unfold(self) -> Result<VerifiedToken, JsonError> {
        let Self { issuer, claims, subject, expires_at, replay_key } = self;
        let statement = Statement::new(issuer, claims.unfold()?);
        Ok(VerifiedToken { statement, subject, expires_at, replay_key })
    }
}

impl fmt::Debug for FoldedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FoldedToken").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What identifies an id token among the tokens of its issuer: its `jti`, or the SHA-256 of its signed part where the
/// provider gives none. The two kinds never collide, whatever a `jti` looks like.
///
/// Not of the whole token: whoever holds one can turn an ECDSA signature into a second valid one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReplayKey(String);

impl ReplayKey {
    /// For a token with a `jti`.
    pub fn from_jti(jti: &str) -> Self {
        Self(format!("jti:{jti}"))
    }

    /// For a token without one.
    pub fn from_sha256(digest: &[u8; 32]) -> Self {
        let mut key = "sha256:".to_owned();
        for byte in digest {
            key.extend(
                [byte >> 4, byte & 15].map(|nibble| char::from(b"0123456789abcdef"[usize::from(nibble)])),
            );
        }
        Self(key)
    }

    /// The text under which the ledger keeps it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
