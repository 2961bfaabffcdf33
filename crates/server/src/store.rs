//! What must outlive the process: publishers, the ledger, signing keys.

use std::fmt;

use async_trait::async_trait;
use countersign_core::publisher::{PublisherId, PublisherIdError, PublisherState, Revision};
use countersign_core::{IssuerUrl, Publisher, ReplayKey, Resource, Rules, UnixTime};
use serde::Serialize;
use thiserror::Error;

pub mod sqlite;

pub use sqlite::SqliteStore;

use crate::admin::AdminToken;

/// The durable state of a server, in operations of the domain. Every implementation passes one conformance suite.
///
/// Correctness rests on constraints and compare-and-swap inside each operation, never on the order in which a caller
/// makes them.
#[async_trait]
pub trait Store: Send + Sync {
    /// The publishers of a resource for an issuer, disabled ones included.
    async fn publishers_of(
        &self,
        resource: &Resource,
        issuer: &IssuerUrl,
    ) -> Result<Vec<Publisher>, StoreError>;

    /// All publishers, or those of one resource, oldest first.
    async fn list_publishers(&self, resource: Option<&Resource>) -> Result<Vec<ListedPublisher>, StoreError>;

    /// Adds a publisher and records the change.
    async fn add_publisher(&self, publisher: Publisher, at: UnixTime) -> Result<(), StoreError>;

    /// Enables or disables a publisher and records the change; `None` if there is none of that id. Disabling it ends its
    /// tokens, and enabling it again does not bring them back.
    async fn set_publisher_state(
        &self,
        id: &PublisherId,
        state: PublisherState,
        at: UnixTime,
    ) -> Result<Option<Publisher>, StoreError>;

    /// Removes a publisher, which ends its tokens, and records the change. Returns its resource; `None` if there is none of
    /// that id.
    async fn remove_publisher(&self, id: &PublisherId, at: UnixTime) -> Result<Option<String>, StoreError>;

    /// Records an exchange. When it returns, the record is on disk; a grant counts only if it says [`Verdict::Recorded`].
    async fn record(&self, exchange: Exchange) -> Result<Verdict, StoreError>;

    /// The latest exchanges, newest first.
    async fn latest_exchanges(&self, limit: u32) -> Result<Vec<RecordedExchange>, StoreError>;

    /// Whether a token that was issued is still good: not revoked, and its publisher has been in force ever since.
    async fn is_live(&self, token: &ExchangeId) -> Result<bool, StoreError>;

    /// Revokes a token; `false` if there is none of that id, or it was revoked before.
    async fn revoke_token(&self, token: &ExchangeId, at: UnixTime) -> Result<bool, StoreError>;

    /// Adds an admin token.
    async fn add_admin_token(&self, token: AdminToken) -> Result<(), StoreError>;

    /// All admin tokens, oldest first.
    async fn admin_tokens(&self) -> Result<Vec<AdminToken>, StoreError>;

    /// The admin token with that hash, if it is in force, noting that it was used.
    async fn use_admin_token(&self, hash: &[u8; 32], now: UnixTime)
    -> Result<Option<AdminToken>, StoreError>;

    /// Removes an admin token; `false` if there is none of that id.
    async fn remove_admin_token(&self, id: &str) -> Result<bool, StoreError>;

    /// The signing keys, in the order in which they sign.
    async fn signing_keys(&self) -> Result<Vec<SealedKey>, StoreError>;

    /// Adds a signing key after `last`, the last one that the caller saw. `false` if another came in between: then nothing
    /// changes, so that of several processes that find a key due only one adds it.
    async fn add_signing_key(&self, key: SealedKey, last: Option<&str>) -> Result<bool, StoreError>;

    /// Revokes a signing key; `false` if there is none of that id, or it was revoked before.
    async fn revoke_signing_key(&self, kid: &str, at: UnixTime) -> Result<bool, StoreError>;

    /// Makes sure that the store can be written to.
    async fn check(&self) -> Result<(), StoreError>;
}

/// One exchange to record: what was asked, and what was decided.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its id, which is also the request id and the `jti` of the token that was issued.
    pub id: ExchangeId,
    /// When.
    pub at: UnixTime,
    /// The resource that was asked for, if the request got that far.
    pub resource: Option<Resource>,
    /// The issuer of the id token, believed only if `outcome` says so.
    pub issuer: Option<String>,
    /// The subject of the id token, once verified.
    pub subject: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// The claims that matter, and the decision in full, as JSON.
    pub detail: String,
}

/// What came of an exchange.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A token, if the ledger agrees.
    Issued(Box<Issuance>),
    /// Nothing was issued; the reason's stable code.
    Refused(&'static str),
}

/// Everything that has to hold at the moment a token is recorded.
#[derive(Clone, Debug)]
pub struct Issuance {
    /// The publisher that trusts the run, in exactly this revision.
    pub publisher: PublisherId,
    /// See above.
    pub revision: Revision,
    /// The publisher's rules with ids that this run teaches.
    pub learned: Option<Rules>,
    /// The issuer of the id token.
    pub issuer: IssuerUrl,
    /// The id token.
    pub id_token: ReplayKey,
    /// How many tokens the id token may buy.
    pub max_exchanges: u32,
    /// Until when the id token must be remembered: its `exp` plus the leeway.
    pub forget_at: UnixTime,
    /// When the access token ends.
    pub expires_at: UnixTime,
}

/// What the ledger says to an issuance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is on record.
    Recorded,
    /// The id token has bought all that it may; nothing is recorded.
    Replayed,
    /// The id token ended while the exchange waited, and its uses may have been forgotten; nothing is recorded.
    TooLate,
    /// The publisher is gone or not what the decision was made on; nothing is recorded.
    PublisherChanged,
}

/// An exchange's id: a UUID of version 7.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ExchangeId(pub String);

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A publisher with its history.
#[derive(Clone, Debug, Serialize)]
pub struct ListedPublisher {
    /// The publisher, or what is known of one that this version cannot read.
    #[serde(flatten, serialize_with = "either")]
    pub publisher: Result<Publisher, UnreadablePublisher>,
    /// When it was added.
    pub created_at: UnixTime,
    /// When it last let a run in.
    pub last_used_at: Option<UnixTime>,
    /// How often it let a run in.
    pub exchanges: u64,
}

/// A publisher that this version refuses to read: it trusts nobody, and can be removed.
#[derive(Clone, Debug, Serialize)]
pub struct UnreadablePublisher {
    /// Its id.
    pub id: String,
    /// Its resource.
    pub resource: String,
    /// What is wrong with it.
    pub problem: String,
}

fn either<S: serde::Serializer>(
    publisher: &Result<Publisher, UnreadablePublisher>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match publisher {
        Ok(publisher) => publisher.serialize(serializer),
        Err(unreadable) => unreadable.serialize(serializer),
    }
}

/// An exchange as the ledger has it.
#[derive(Clone, Debug, Serialize)]
pub struct RecordedExchange {
    /// Its id.
    pub id: ExchangeId,
    /// When.
    pub at: UnixTime,
    /// `issued`, or the reason's code.
    pub outcome: String,
    /// The resource.
    pub resource: Option<String>,
    /// The issuer.
    pub issuer: Option<String>,
    /// The subject.
    pub subject: Option<String>,
    /// The publisher that let it in.
    pub publisher: Option<String>,
    /// When the issued token ends.
    pub expires_at: Option<UnixTime>,
    /// Claims and decision.
    pub detail: serde_json::Value,
}

/// A signing key as it is stored: the private half encrypted (invariant 9: the database holds no usable secret).
#[derive(Clone)]
pub struct SealedKey {
    /// Its key id.
    pub kid: String,
    /// The private key, encrypted.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it begins to sign.
    pub active_from: UnixTime,
    /// When it was revoked.
    pub revoked_at: Option<UnixTime>,
}

/// Why the store did not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database did not answer, or not in time; nothing was changed.
    #[error("the database did not do it: {0}")]
    Database(#[from] rusqlite::Error),
    /// More is waiting to be written than can be soon.
    #[error("the database is too busy")]
    Overloaded,
    /// A transaction that others shared failed.
    #[error("the database did not do it: {0}")]
    Unavailable(String),
    /// The store is shutting down.
    #[error("the database is closed")]
    Closed,
    /// A row that this version cannot read.
    #[error("a row of the database cannot be read: {0}")]
    Row(String),
    /// The schema is newer than this program, or cannot be brought up to date.
    #[error("the database's schema cannot be used: {0}")]
    Schema(String),
    /// There is no database.
    #[error(
        "there is no database {path}; run this in the server's folder or with its --config, or start the server, which makes it"
    )]
    Missing {
        /// The file.
        path: String,
    },
    /// The folder or file cannot be made.
    #[error("cannot open the database {path}")]
    Open {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl From<PublisherIdError> for StoreError {
    fn from(error: PublisherIdError) -> Self {
        Self::Row(error.to_string())
    }
}
