//! The embedded store: one SQLite file in WAL mode, one thread that writes, connections that read.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use countersign_core::publisher::PublisherId;
use countersign_core::{IssuerUrl, Publisher, Resource, UnixTime};
use rusqlite::Transaction;
use tokio::sync::oneshot;

mod admin_tokens;
mod audit;
mod batch;
mod changes;
mod checkpoint;
mod conditions;
mod exchanges;
mod file;
mod idempotency;
mod issuers;
mod journal;
mod keys;
mod publishers;
mod readers;
mod replay;
mod schema;
mod search;
mod writer;

use super::audit::{ChainBreak, ChainHead, Verified};
use super::batches::{BatchObserver, Batches};
use super::{
    Author, Change, ChangeFilter, Conflict, Exchange, ExchangeFilter, ExchangeId, IdTokenKey, IdempotencyKey,
    ListedPublisher, LiveTokens, Page, Part, PublisherChange, PublisherFilter, RecordedExchange, SealedKey,
    Store, StoreError, StoredIssuer, Switch, Verdict,
};
use crate::admin::AdminToken;
use crate::idleness::Idleness;
use changes::Stop;
use checkpoint::Checkpoints;
use journal::Journal;
use readers::Readers;
use replay::ReplayMemory;
pub(super) use schema::BUSY_TIMEOUT;
use writer::{Job, Writer};

/// SQLite behind [`Store`]. Durable when it answers: `synchronous = FULL`.
pub struct SqliteStore {
    writer: Writer,
    batches: Arc<Batches>,
    replay: Arc<ReplayMemory>,
    readers: Readers,
}

/// How long an exchange waits to be recorded.
const PATIENCE: Duration = Duration::from_secs(10);
/// What one call of `tidy` removes of each kind at most.
const TIDY: u32 = 100;

impl SqliteStore {
    /// Opens a file that is there already.
    pub fn open_existing(path: &Path) -> Result<Self, StoreError> {
        if path.exists() {
            Self::open(path)
        } else {
            Err(StoreError::Missing { path: path.display().to_string() })
        }
    }

    /// Opens the file, makes it if there is none (readable by its owner only), and brings its schema up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (connection, file) = file::open(path)?;
        let (batches, replay) = (Arc::<Batches>::default(), Arc::<ReplayMemory>::default());
        let checkpoints = Checkpoints::start(file.clone())?;
        let readers = Readers::new(file.clone());
        let writer = Writer::start(connection, file, checkpoints, Arc::clone(&batches), Arc::clone(&replay))?;
        Ok(Self { writer, batches, replay, readers })
    }

    /// Runs a change in a transaction of its own on the writing thread.
    async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::change(move |transaction| {
            let result = transaction.and_then(|transaction| {
                let value = change(&transaction)?;
                transaction.commit()?;
                Ok(value)
            });
            // Whoever asked may have gone; the change stands all the same.
            drop(reply.send(result));
        });
        self.writer.submit(job)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// The same for a change that goes to the audit log. An error of `change` leaves neither.
    async fn change<T: Send + 'static>(
        &self,
        author: &Author,
        change: impl FnOnce(&Transaction<'_>, &mut Journal, &Author) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let author = author.clone();
        self.write(move |transaction| {
            let mut journal = Journal::open(transaction)?;
            let value = change(transaction, &mut journal, &author)?;
            journal.seal(transaction)?;
            Ok(value)
        })
        .await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn publishers_of(
        &self,
        resource: &Resource,
        issuer: &IssuerUrl,
        now: UnixTime,
    ) -> Result<Vec<Publisher>, StoreError> {
        let (resource, issuer) = (resource.to_string(), issuer.to_string());
        self.readers.read(move |connection| publishers::of(connection, &resource, &issuer, now)).await
    }

    async fn publisher(&self, id: &PublisherId) -> Result<Option<ListedPublisher>, StoreError> {
        let id = id.clone();
        self.readers.read(move |connection| publishers::one(connection, &id)).await
    }

    async fn publishers(
        &self,
        filter: &PublisherFilter,
        page: &Page,
    ) -> Result<Part<ListedPublisher>, StoreError> {
        let (filter, page) = (filter.clone(), page.clone());
        self.readers.search(move |connection| publishers::list(connection, &filter, &page)).await
    }

    async fn change_publishers(
        &self,
        changes: Vec<PublisherChange>,
        author: &Author,
        once: Option<IdempotencyKey>,
    ) -> Result<Result<Vec<ListedPublisher>, Conflict>, StoreError> {
        let author = author.clone();
        let (reply, answer) = oneshot::channel();
        let job = Job::change(move |transaction| {
            let made = transaction.map_err(Stop::Store).and_then(|transaction| {
                let mut journal = Journal::open(&transaction)?;
                let made = changes::make(&transaction, &mut journal, &author, &changes, once.as_ref())?;
                journal.seal(&transaction)?;
                transaction.commit()?;
                Ok(made)
            });
            drop(reply.send(match made {
                Ok(made) => Ok(Ok(made)),
                Err(Stop::Conflict(conflict)) => Ok(Err(conflict)),
                Err(Stop::Store(error)) => Err(error),
            }));
        });
        self.writer.submit(job)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    async fn repeated(
        &self,
        author: &Author,
        once: &IdempotencyKey,
    ) -> Result<Option<Result<Vec<ListedPublisher>, Conflict>>, StoreError> {
        let (author, once) = (author.clone(), once.clone());
        self.readers.read(move |connection| changes::repeated(connection, &author, &once)).await
    }

    async fn record(&self, exchange: Exchange) -> Result<Verdict, StoreError> {
        let (reply, verdict) = oneshot::channel();
        self.writer.submit(Job::record(exchange, reply))?;
        // When the wait is over, `verdict` is dropped, and the writer passes the exchange over.
        tokio::time::timeout(PATIENCE, verdict)
            .await
            .map_err(|_| StoreError::not_on_record_within(PATIENCE))?
            .map_err(|_| StoreError::Closed)?
    }

    /// From the table that the ledger goes by, too, whatever the time.
    fn known_uses_of(&self, id_token: &IdTokenKey, _now: UnixTime) -> u32 {
        self.replay.known_uses_of(id_token).unwrap_or_default()
    }

    async fn uses_of(&self, id_token: &IdTokenKey) -> Result<u32, StoreError> {
        if let Some(uses) = self.replay.known_uses_of(id_token) {
            return Ok(uses);
        }
        let (id_token, replay) = (*id_token, Arc::clone(&self.replay));
        self.readers.read(move |connection| replay.uses_of(connection, &id_token)).await
    }

    async fn exchange(&self, id: &ExchangeId) -> Result<Option<RecordedExchange>, StoreError> {
        let id = id.0.clone();
        self.readers.read(move |connection| search::one(connection, &id)).await
    }

    async fn exchanges(
        &self,
        filter: &ExchangeFilter,
        page: &Page,
    ) -> Result<Part<RecordedExchange>, StoreError> {
        let (filter, page) = (filter.clone(), page.clone());
        self.readers.search(move |connection| search::all(connection, &filter, &page)).await
    }

    async fn is_live(&self, token: &ExchangeId) -> Result<bool, StoreError> {
        let id = token.0.clone();
        self.readers.read(move |connection| exchanges::is_live(connection, &id)).await
    }

    async fn revoke_token(&self, token: &ExchangeId, author: &Author) -> Result<bool, StoreError> {
        let id = token.clone();
        self.change(author, move |transaction, journal, author| {
            exchanges::revoke(transaction, journal, author, &id)
        })
        .await
    }

    async fn count_live(&self, from: &ExchangeId, at: UnixTime) -> Result<LiveTokens, StoreError> {
        let from = from.0.clone();
        self.readers.search(move |connection| exchanges::count_live(connection, &from, at)).await
    }

    async fn revoked_in(&self, status_list: &str) -> Result<Vec<u32>, StoreError> {
        let list = status_list.to_owned();
        self.readers.read(move |connection| exchanges::revoked_in(connection, &list)).await
    }

    async fn add_admin_token(&self, token: AdminToken, author: &Author) -> Result<(), StoreError> {
        self.change(author, move |transaction, journal, author| {
            admin_tokens::add(transaction, journal, author, &token)
        })
        .await
    }

    async fn admin_tokens(&self) -> Result<Vec<AdminToken>, StoreError> {
        self.readers.read(admin_tokens::list).await
    }

    async fn use_admin_token(
        &self,
        hash: &[u8; 32],
        now: UnixTime,
    ) -> Result<Option<AdminToken>, StoreError> {
        let hash = *hash;
        let Some(token) =
            self.readers.read(move |connection| admin_tokens::find(connection, &hash, now)).await?
        else {
            return Ok(None);
        };
        if token.use_is_news(now) {
            let id = token.id.clone();
            // A ledger that is overloaded must not keep out those who could do something about it.
            if let Err(error) =
                self.write(move |transaction| admin_tokens::note_use(transaction, &id, now)).await
            {
                tracing::warn!(%error, "the use of an admin token was not noted");
            }
        }
        Ok(Some(token))
    }

    async fn remove_admin_token(&self, id: &str, author: &Author) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.change(author, move |transaction, journal, author| {
            admin_tokens::remove(transaction, journal, author, &id)
        })
        .await
    }

    async fn signing_keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        self.readers.read(keys::all).await
    }

    async fn add_signing_key(
        &self,
        key: SealedKey,
        last: Option<&str>,
        author: &Author,
    ) -> Result<bool, StoreError> {
        let last = last.map(str::to_owned);
        self.change(author, move |transaction, journal, author| {
            keys::add(transaction, journal, author, &key, last.as_deref())
        })
        .await
    }

    async fn revoke_signing_key(&self, kid: &str, author: &Author) -> Result<bool, StoreError> {
        let kid = kid.to_owned();
        self.change(author, move |transaction, journal, author| {
            keys::revoke(transaction, journal, author, &kid)
        })
        .await
    }

    async fn issuers(&self) -> Result<Vec<StoredIssuer>, StoreError> {
        self.readers.read(issuers::all).await
    }

    async fn add_issuer(&self, issuer: StoredIssuer, author: &Author) -> Result<bool, StoreError> {
        self.change(author, move |transaction, journal, author| {
            issuers::add(transaction, journal, author, &issuer)
        })
        .await
    }

    async fn remove_issuer(&self, url: &IssuerUrl, author: &Author) -> Result<bool, StoreError> {
        let url = url.clone();
        self.change(author, move |transaction, journal, author| {
            issuers::remove(transaction, journal, author, &url)
        })
        .await
    }

    async fn switch_issuer(
        &self,
        url: &IssuerUrl,
        switch: Switch,
        author: &Author,
    ) -> Result<bool, StoreError> {
        let url = url.clone();
        self.change(author, move |transaction, journal, author| {
            issuers::switch(transaction, journal, author, &url, switch)
        })
        .await
    }

    async fn changes(&self, filter: &ChangeFilter, page: &Page) -> Result<Part<Change>, StoreError> {
        let (filter, page) = (filter.clone(), page.clone());
        self.readers.search(move |connection| audit::changes(connection, &filter, &page)).await
    }

    async fn verify_audit_log(
        &self,
        noted: Vec<ChainHead>,
    ) -> Result<Result<Verified, ChainBreak>, StoreError> {
        self.readers.search(move |connection| audit::verify(connection, &noted)).await
    }

    async fn tidy(&self, author: &Author, keep_since: Option<UnixTime>) -> Result<bool, StoreError> {
        self.change(author, move |transaction, journal, author| {
            let expired = changes::remove_expired(transaction, journal, author, TIDY)?;
            let forgotten = idempotency::forget(transaction, author, TIDY)?;
            let pruned =
                keep_since.map(|since| audit::prune(transaction, journal, author, since)).transpose()?;
            Ok(expired == TIDY || forgotten == TIDY as usize || pruned == Some(true))
        })
        .await
    }

    fn watch_batches(&self, observer: BatchObserver) {
        self.batches.watch(observer);
    }

    fn heed(&self, idleness: Idleness) {
        self.batches.heed(idleness);
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.write(|transaction| Ok(transaction.execute("UPDATE health SET checks = checks + 1", [])?))
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests;
