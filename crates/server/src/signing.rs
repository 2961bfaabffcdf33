//! The keys that access tokens are signed with, and their rotation.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign_core::time::LEEWAY;
use countersign_core::{AccessToken, AccessTokenClaims, Audience, IssuerUrl, UnixTime};
use countersign_verify::{AccessTokenVerifier, KeySetError};
use serde_json::{Value, json};
use thiserror::Error;

mod key;
mod seal;

pub use seal::{EncryptionKey, EncryptionKeyError};

use crate::clock::Randomness;
use crate::clock::fresh_id_at;
use crate::store::{Actor, Author, ExchangeId, SealedKey, Store, StoreError};
use key::SigningKey;

/// How long a new key is published before it signs: twice what registries cache key sets for.
pub const LEAD: Duration = Duration::from_mins(10);

/// How long a key is published after it has stopped signing: no token outlives that.
const LONGEST_TOKEN: Duration = Duration::from_hours(1);

/// Signs access tokens, and knows the keys as they are now.
///
/// A key is published before it signs and until the last token that it signed has ended, so no registry meets a token of
/// a key that it cannot know. A revoked key is gone at once, and its tokens with it.
pub struct Signer {
    encryption: EncryptionKey,
    rotate_after: Duration,
    issuer: IssuerUrl,
    audience: Audience,
    current: ArcSwap<Keys>,
}

/// The keys at one moment.
pub struct Keys {
    active: SigningKey,
    active_from: UnixTime,
    jwks: Value,
    verifier: AccessTokenVerifier,
    /// What they were made of: while it is the same, they are.
    kids: Vec<String>,
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
    /// What was made of them is no key set.
    #[error("the signing keys make no key set")]
    KeySet(#[from] KeySetError),
    /// Another process added a key at the same time.
    #[error("another process has just made a signing key; look with `keys list`")]
    Overtaken,
    /// The cryptographic library refused.
    #[error("the cryptographic library could not {0}")]
    Cryptography(&'static str),
}

impl Signer {
    /// Reads the keys of the store; makes the first one if there is none. Tokens are of `issuer` and for `audience`;
    /// `rotate_after` is the age at which a key is succeeded.
    pub async fn load(
        store: &dyn Store,
        encryption: EncryptionKey,
        issuer: IssuerUrl,
        audience: Audience,
        rotate_after: Duration,
        now: UnixTime,
        randomness: &dyn Randomness,
    ) -> Result<Self, SigningError> {
        let usable = usable(store, &encryption, rotate_after, now, randomness).await?;
        let current = ArcSwap::from_pointee(Keys::open(&usable, &encryption, &issuer, &audience, now)?);
        Ok(Self { encryption, rotate_after, issuer, audience, current })
    }

    /// The keys as they are now.
    pub fn keys(&self) -> Arc<Keys> {
        self.current.load_full()
    }

    /// Rotates if it is time, and takes over what other processes have done. Called once a second.
    pub async fn refresh(
        &self,
        store: &dyn Store,
        now: UnixTime,
        randomness: &dyn Randomness,
    ) -> Result<(), SigningError> {
        let usable = usable(store, &self.encryption, self.rotate_after, now, randomness).await?;
        if self.current.load().kids != kids(&usable, now) {
            let keys = Keys::open(&usable, &self.encryption, &self.issuer, &self.audience, now)?;
            tracing::info!(active = %keys.kids[0], published = usable.len(), "signing keys have changed");
            self.current.store(Arc::new(keys));
        }
        Ok(())
    }
}

impl Signer {
    /// Makes a key that signs after `lead`.
    pub async fn rotate(
        &self,
        store: &dyn Store,
        lead: Duration,
        author: &Author,
        randomness: &dyn Randomness,
    ) -> Result<SealedKey, SigningError> {
        rotate(store, &self.encryption, lead, author, randomness).await
    }
}

impl Keys {
    /// Makes a token: `prefix`, then a JWS of type `at+jwt`.
    pub fn sign(&self, claims: &AccessTokenClaims, prefix: &str) -> Result<AccessToken, SigningError> {
        self.active.sign(claims, prefix)
    }

    /// Makes a status list of its claims: a JWS of type `statuslist+jwt`.
    pub fn sign_status_list(&self, claims: &Value) -> Result<String, SigningError> {
        self.active.sign_status_list(claims)
    }

    /// The JWK set (RFC 7517 §5) with the public keys.
    pub fn jwks(&self) -> &Value {
        &self.jwks
    }

    /// Verifies what this server has signed, as any registry would.
    pub fn verifier(&self) -> &AccessTokenVerifier {
        &self.verifier
    }

    /// Since when the active key signs.
    pub fn active_from(&self) -> UnixTime {
        self.active_from
    }

    fn open(
        usable: &[SealedKey],
        encryption: &EncryptionKey,
        issuer: &IssuerUrl,
        audience: &Audience,
        now: UnixTime,
    ) -> Result<Self, SigningError> {
        let active = active(usable, now).ok_or(SigningError::Cryptography("find a signing key"))?;
        let mut opened =
            usable.iter().map(|key| SigningKey::open(key, encryption)).collect::<Result<Vec<_>, _>>()?;
        let jwks = json!({ "keys": opened.iter().map(SigningKey::jwk).collect::<Vec<_>>() });
        let keys = AccessTokenVerifier::keys(jwks.to_string().as_bytes())?;
        Ok(Self {
            active: opened.swap_remove(active),
            active_from: usable[active].active_from,
            verifier: AccessTokenVerifier::offline(issuer.clone(), audience.clone(), keys),
            kids: kids(usable, now),
            jwks,
        })
    }
}

/// The keys that are neither revoked nor retired, oldest first; makes one where one is due.
async fn usable(
    store: &dyn Store,
    encryption: &EncryptionKey,
    rotate_after: Duration,
    now: UnixTime,
    randomness: &dyn Randomness,
) -> Result<Vec<SealedKey>, SigningError> {
    let all = store.signing_keys().await?;
    let newest = all.iter().rfind(|key| key.revoked_at.is_none());
    let active_from = match newest {
        // Nothing can sign: at once.
        None => now,
        Some(newest) if now.since(newest.active_from) >= rotate_after => now + LEAD,
        Some(_) => return Ok(published(all, now)),
    };
    let author = Author { actor: Actor::Server, at: now, request: ExchangeId(fresh_id_at(now, randomness)) };
    if add_after(&all, store, key::make(encryption, now, active_from, randomness)?, &author).await? {
        tracing::info!(active_from = active_from.as_seconds(), "made a new signing key");
    }
    Ok(published(store.signing_keys().await?, now))
}

/// Makes a key by command: it signs after `lead`.
pub async fn rotate(
    store: &dyn Store,
    encryption: &EncryptionKey,
    lead: Duration,
    author: &Author,
    randomness: &dyn Randomness,
) -> Result<SealedKey, SigningError> {
    let all = store.signing_keys().await?;
    let next = key::make(encryption, author.at, author.at + lead, randomness)?;
    if add_after(&all, store, next.clone(), author).await? { Ok(next) } else { Err(SigningError::Overtaken) }
}

/// Adds a key if those that were seen are still all.
async fn add_after(
    seen: &[SealedKey],
    store: &dyn Store,
    next: SealedKey,
    author: &Author,
) -> Result<bool, StoreError> {
    store.add_signing_key(next, seen.last().map(|key| key.kid.as_str()), author).await
}

/// Of a key that has stopped signing, the last token ends an hour after its successor took over.
fn published(all: Vec<SealedKey>, now: UnixTime) -> Vec<SealedKey> {
    let mut keys: Vec<SealedKey> = all.into_iter().filter(|key| key.revoked_at.is_none()).collect();
    let took_over = |key: &SealedKey| key.active_from + LONGEST_TOKEN + LEEWAY < now;
    let retired = keys.iter().rposition(took_over).unwrap_or(0);
    keys.split_off(retired)
}

/// Where the newest key is whose time has come; the oldest if none's has.
fn active(usable: &[SealedKey], now: UnixTime) -> Option<usize> {
    let newest = usable.iter().rposition(|key| key.active_from <= now);
    newest.or_else(|| (!usable.is_empty()).then_some(0))
}

/// The active key's id, then all.
fn kids(usable: &[SealedKey], now: UnixTime) -> Vec<String> {
    let active = active(usable, now).map(|active| &usable[active]);
    active.into_iter().chain(usable).map(|key| key.kid.clone()).collect()
}
