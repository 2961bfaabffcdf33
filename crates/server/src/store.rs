//! What must outlive the process: publishers, the ledger, signing keys, and who changed what.

use std::time::Duration;

use async_trait::async_trait;
use countersign_core::publisher::PublisherId;
use countersign_core::{IssuerUrl, Publisher, Resource, UnixTime};
use thiserror::Error;
use tokio::sync::mpsc::error::TrySendError;

pub mod audit;
mod batches;
mod column;
pub mod copy;
mod database_error;
mod exchange;
mod issuer;
mod open;
mod page;
mod postgres;
mod publisher;
pub mod sqlite;

pub use audit::{Actor, Author, Change, ChangeFilter};
pub use batches::BatchObserver;
pub use database_error::DatabaseError;
pub use exchange::{
    Exchange, ExchangeFilter, ExchangeId, IdTokenKey, Issuance, LiveTokens, Outcome, RecordedExchange,
    StatusEntry, Verdict,
};
pub use issuer::StoredIssuer;
pub use open::{IfMissing, open};
pub use page::{Page, Part, go_through};
pub use postgres::PostgresStore;
pub use publisher::{
    Conflict, IdempotencyKey, ListedPublisher, MOST_OF_A_RESOURCE, PublisherChange, PublisherFilter,
    UnreadablePublisher,
};
pub use sqlite::SqliteStore;

use crate::admin::AdminToken;
use crate::idleness::Idleness;
use audit::{ChainBreak, ChainHead, Verified};

/// The durable state of a server, in operations of the domain. Every implementation passes one conformance suite.
///
/// Correctness rests on constraints and compare-and-swap inside each operation, never on the order in which a caller
/// makes them. Whatever changes something but the ledger takes an [`Author`], and is in the audit log when it returns.
#[async_trait]
pub trait Store: Send + Sync {
    /// The publishers of a resource for an issuer, disabled ones included; without those whose time was up at `now`.
    async fn publishers_of(
        &self,
        resource: &Resource,
        issuer: &IssuerUrl,
        now: UnixTime,
    ) -> Result<Vec<Publisher>, StoreError>;

    /// A publisher with its history.
    async fn publisher(&self, id: &PublisherId) -> Result<Option<ListedPublisher>, StoreError>;

    /// The publishers that fit, oldest first.
    async fn publishers(
        &self,
        filter: &PublisherFilter,
        page: &Page,
    ) -> Result<Part<ListedPublisher>, StoreError>;

    /// Makes all of the changes or none. Returns the publishers as they are then, without the removed ones; those of the
    /// first call if `once` was used before for the same request.
    async fn change_publishers(
        &self,
        changes: Vec<PublisherChange>,
        author: &Author,
        once: Option<IdempotencyKey>,
    ) -> Result<Result<Vec<ListedPublisher>, Conflict>, StoreError>;

    /// What a request with that key came to when it was made before: what [`Store::change_publishers`] would return for it,
    /// whatever it asks for; `None` if it was not made.
    async fn repeated(
        &self,
        author: &Author,
        once: &IdempotencyKey,
    ) -> Result<Option<Result<Vec<ListedPublisher>, Conflict>>, StoreError>;

    /// Records an exchange. When it returns, the record is on disk; a grant counts only if it says [`Verdict::Recorded`].
    async fn record(&self, exchange: Exchange) -> Result<Verdict, StoreError>;

    /// How many tokens an id token that is good now has bought at least, as far as this process knows without asking. Never too many:
    /// what has none left by this has none.
    fn known_uses_of(&self, id_token: &IdTokenKey, now: UnixTime) -> u32;

    /// How many tokens an id token has bought, as far as that is remembered: until it has ended. For a refusal that would explain
    /// itself, not for a decision: what another process has just recorded may be missing for a second.
    async fn uses_of(&self, id_token: &IdTokenKey) -> Result<u32, StoreError>;

    /// An exchange.
    async fn exchange(&self, id: &ExchangeId) -> Result<Option<RecordedExchange>, StoreError>;

    /// The exchanges that fit, newest first. A long search comes back with what it has, and goes on with the next part.
    async fn exchanges(
        &self,
        filter: &ExchangeFilter,
        page: &Page,
    ) -> Result<Part<RecordedExchange>, StoreError>;

    /// Whether a token that was issued was neither revoked nor lost its publisher since. Says nothing of its expiry.
    async fn is_live(&self, token: &ExchangeId) -> Result<bool, StoreError>;

    /// Revokes a token; `false` if there is none of that id, or it was revoked before.
    async fn revoke_token(&self, token: &ExchangeId, author: &Author) -> Result<bool, StoreError>;

    /// Counts the tokens among the next exchanges after `from` that were issued by `at` and are good then. Looks at a bounded number of rows: a
    /// large ledger is counted in many calls, each from where the one before ended.
    async fn count_live(&self, from: &ExchangeId, at: UnixTime) -> Result<LiveTokens, StoreError>;

    /// The indices of the revoked tokens in a status list, in order.
    async fn revoked_in(&self, status_list: &str) -> Result<Vec<u32>, StoreError>;

    /// Adds an admin token.
    async fn add_admin_token(&self, token: AdminToken, author: &Author) -> Result<(), StoreError>;

    /// All admin tokens, oldest first.
    async fn admin_tokens(&self) -> Result<Vec<AdminToken>, StoreError>;

    /// The admin token with that hash, if it is in force, noting that it was used.
    async fn use_admin_token(&self, hash: &[u8; 32], now: UnixTime)
    -> Result<Option<AdminToken>, StoreError>;

    /// Removes an admin token; `false` if there is none of that id.
    async fn remove_admin_token(&self, id: &str, author: &Author) -> Result<bool, StoreError>;

    /// The signing keys, in the order in which they sign.
    async fn signing_keys(&self) -> Result<Vec<SealedKey>, StoreError>;

    /// Adds a signing key after `last`, the last one that the caller saw. `false` if another came in between: then nothing
    /// changes, so that of several processes that find a key due only one adds it.
    async fn add_signing_key(
        &self,
        key: SealedKey,
        last: Option<&str>,
        author: &Author,
    ) -> Result<bool, StoreError>;

    /// Revokes a signing key; `false` if there is none of that id, or it was revoked before.
    async fn revoke_signing_key(&self, kid: &str, author: &Author) -> Result<bool, StoreError>;

    /// The issuers that were added to the configured ones, and those that are switched off.
    async fn issuers(&self) -> Result<Vec<StoredIssuer>, StoreError>;

    /// Adds an issuer; `false` if it is there already.
    async fn add_issuer(&self, issuer: StoredIssuer, author: &Author) -> Result<bool, StoreError>;

    /// Removes an issuer that was added, and ends the tokens that were issued for its runs; `false` if there is none.
    async fn remove_issuer(&self, url: &IssuerUrl, author: &Author) -> Result<bool, StoreError>;

    /// Switches an issuer off, which ends the tokens that were issued for its runs, or on again. `false` if it was so.
    async fn switch_issuer(
        &self,
        url: &IssuerUrl,
        switch: Switch,
        author: &Author,
    ) -> Result<bool, StoreError>;

    /// The changes on record that fit, newest first.
    async fn changes(&self, filter: &ChangeFilter, page: &Page) -> Result<Part<Change>, StoreError>;

    /// Follows the audit log's chains from the beginning, and makes sure that `noted`, heads that were noted down earlier,
    /// are part of them.
    async fn verify_audit_log(
        &self,
        noted: Vec<ChainHead>,
    ) -> Result<Result<Verified, ChainBreak>, StoreError>;

    /// Removes pending publishers whose time was up, and, if `keep_since` is set, the oldest rows from before it; each call
    /// does so much that nothing else waits for long. `true` if there is more to do.
    async fn tidy(&self, author: &Author, keep_since: Option<UnixTime>) -> Result<bool, StoreError>;

    /// Tells `observer` from now on of each transaction of the ledger. Only the first call of a store counts.
    fn watch_batches(&self, observer: BatchObserver);

    /// Knows from now on when a thread that serves requests has nothing to do, so that a transaction can wait until then for more
    /// exchanges. Only the first call of a store counts, and a store that would gain nothing by it does not listen.
    fn heed(&self, _: Idleness) {}

    /// Makes sure that the store can be written to.
    async fn check(&self) -> Result<(), StoreError>;
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

/// Whether an issuer's tokens are exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// They are.
    On,
    /// They are not, and those that were are worth nothing any more.
    Off,
}

/// Why the store did not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database did not answer, or not in time; nothing was changed.
    #[error("the database did not do it: {0}")]
    Database(DatabaseError),
    /// More is waiting to be written than can be soon.
    #[error("the database is too busy")]
    Overloaded,
    /// It was not put on record, or not in time, or nobody knows.
    #[error("the database did not confirm it: {0}")]
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
    /// The settings of the database do not work.
    #[error("the database cannot be used as it is set up: {0}")]
    Settings(String),
    /// There is no database.
    #[error(
        "there is no database {path}; run this in the server's folder or with its --config, or start the server, which makes it"
    )]
    Missing {
        /// The file.
        path: String,
    },
    /// The file is not where it was.
    #[error(
        "the database {path} was moved, removed or replaced while it was in use; put it back, or restart the server on what is there now"
    )]
    Moved {
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

/// A queue takes no more.
impl<T> From<TrySendError<T>> for StoreError {
    fn from(error: TrySendError<T>) -> Self {
        match error {
            TrySendError::Full(_) => Self::Overloaded,
            TrySendError::Closed(_) => Self::Closed,
        }
    }
}

impl StoreError {
    /// A row with a value that this version cannot read.
    pub(crate) fn unreadable(problem: impl std::fmt::Display) -> Self {
        Self::Row(problem.to_string())
    }

    /// An exchange was not on record in time. Not that too many wait: the database takes too long for one, which `/readyz` has to
    /// know of.
    fn not_on_record_within(wait: Duration) -> Self {
        Self::Unavailable(format!("it was not on record within {} s", wait.as_secs()))
    }
}
