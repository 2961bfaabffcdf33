//! One transaction, on a connection and a chain of its own.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use countersign_core::UnixTime;
use deadpool_postgres::{Object, Pool};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::Stop;
use super::chains::Chains;
use super::connections::{connection, given_up, pool, silent};
use super::hosts::Warnings;
use super::journal::{self, Terms};
use crate::config::PostgresSettings;
use crate::store::audit::{Batch, ChainHead, ChangeRow, Entry, ExchangeRow};
use crate::store::batches::Batches;
use crate::store::database_error::{DatabaseError, Fault};
use crate::store::{Author, Conflict, Issuance, StoreError};

/// What transactions are made with.
pub(super) struct Database {
    pub(super) pool: Pool,
    pub(super) chains: Chains,
    pub(super) batches: Batches,
    foresight: Foresight,
    /// How long an answer is waited for. The server has less: this is for one that hangs as a whole.
    pub(super) patience: Duration,
    warnings: Warnings,
}

/// What makes it likely that a batch is recorded as it is.
#[derive(Default)]
struct Foresight {
    /// Nothing was turned back in the last batch.
    is_calm: AtomicBool,
    /// Issuers whose rows were there to be locked. Nothing removes them.
    issuers: Mutex<BTreeSet<String>>,
}

/// A transaction that is open, or about to be. Dropped before its end, it takes its connection along, and the server rolls it back.
///
/// All is `READ COMMITTED`, and says so, since a database may have another default: each statement sees what was committed
/// before it began, on which the reasons in `batch.rs` rest. Where a database makes `SERIALIZABLE` of it, transactions
/// fail more often, and are tried again.
pub(super) struct Session {
    database: Arc<Database>,
    client: Option<Object>,
    is_opened: AtomicBool,
    /// A statement has failed, or was given up.
    is_failed: AtomicBool,
    is_commit_sent: AtomicBool,
    /// The database has answered the commit: there is no transaction any more, whether it was made or taken back.
    is_over: AtomicBool,
    /// Statements that are being prepared, so not on their way yet.
    preparing: AtomicUsize,
    chain: ChainHead,
    batch: Batch,
    changes: Vec<journal::OwnedChange>,
    at: i64,
}

impl Database {
    /// With no connection and no chain yet, and nobody who watches.
    pub(super) fn new(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let warnings = Warnings::default();
        Ok(Self {
            pool: pool(settings, &warnings)?,
            chains: Chains::default(),
            batches: Batches::default(),
            foresight: Foresight::default(),
            patience: settings.statement_timeout + Duration::from_secs(1),
            warnings,
        })
    }
}

impl Session {
    /// Begins.
    pub(super) async fn begin(database: &Arc<Database>, now: UnixTime) -> Result<Self, StoreError> {
        let session = Self::prepare(database, now).await?;
        session.open().await?;
        Ok(session)
    }

    /// With a connection and a chain; the transaction is to be [opened](Self::open) before anything else is asked.
    pub(super) async fn prepare(database: &Arc<Database>, now: UnixTime) -> Result<Self, StoreError> {
        let client = connection(&database.pool).await?;
        let taken = timeout(database.patience, Box::pin(database.chains.take(&**client, now))).await;
        let chain = match taken {
            Ok(chain) => chain?,
            Err(_) => return Err(given_up(client)),
        };
        Ok(Self {
            database: Arc::clone(database),
            batch: Batch::after(chain.chain, chain.number, chain.hash),
            client: Some(client),
            is_opened: AtomicBool::new(false),
            is_failed: AtomicBool::new(false),
            is_commit_sent: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            preparing: AtomicUsize::new(0),
            chain,
            changes: Vec::new(),
            at: 0,
        })
    }

    /// Opens the transaction. What is asked together with this and after it is in it, on the same way to the server, unless it
    /// cannot be opened: then each is one by itself. What must not be done by itself asks whether the setting is there.
    pub(super) async fn open(&self) -> Result<(), StoreError> {
        self.simply("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL countersign.transaction = 'open'")
            .await?;
        self.is_opened.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.is_opened.load(Ordering::Relaxed) && !self.is_commit_sent.load(Ordering::Relaxed)
    }

    fn client(&self) -> Result<&Object, StoreError> {
        self.client.as_ref().ok_or(StoreError::Closed)
    }

    /// Waits for an answer, but not for ever. After that the session has no connection that is of any use. What waits is boxed:
    /// many of these are part of one future.
    async fn answered<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        let answer = match timeout(self.database.patience, answer).await {
            Ok(answer) => answer.map_err(StoreError::from),
            Err(_) => Err(self.client().map_or_else(|error| error, silent)),
        };
        if answer.is_err() {
            self.is_failed.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// Runs a statement that has no values and no rows.
    async fn simply(&self, statement: &str) -> Result<(), StoreError> {
        self.answered(Box::pin(self.client()?.batch_execute(statement))).await
    }

    /// A statement that the connection knows, from the second time on without asking.
    async fn prepared(&self, client: &Object, statement: &str) -> Result<Statement, tokio_postgres::Error> {
        let _preparing = Preparing::one(&self.preparing);
        client.prepare_cached(statement).await
    }

    /// The rows of a query.
    pub(super) async fn query(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let client = self.client()?;
        let answer = async {
            let statement = self.prepared(client, statement).await?;
            client.query(&statement, values).await
        };
        self.answered(Box::pin(answer)).await
    }

    /// The first row of a query, if there is one.
    pub(super) async fn first(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(statement, values).await?.into_iter().next())
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, StoreError> {
        let client = self.client()?;
        let answer = async {
            let statement = self.prepared(client, statement).await?;
            client.execute(&statement, values).await
        };
        self.answered(Box::pin(answer)).await
    }

    /// The chain that the transaction's rows belong to.
    pub(super) fn chain(&self) -> i64 {
        self.chain.chain
    }

    /// The number of the transaction's batch in it.
    pub(super) fn number(&self) -> i64 {
        self.batch.number
    }

    /// Notes an exchange that is written.
    pub(super) fn note_exchange(&mut self, row: &ExchangeRow<'_>) {
        self.batch.exchange(row);
        self.at = self.at.max(row.at);
    }

    /// Puts an entry into the audit log; it is written with the others when the transaction is committed.
    pub(super) fn note_change(&mut self, author: &Author, entry: &Entry<'_>) {
        let ordinal = u32::try_from(self.changes.len()).unwrap_or(u32::MAX);
        let change = journal::OwnedChange::of(author, ordinal, entry);
        let row: ChangeRow<'_> = change.row();
        self.batch.change(&row);
        self.at = self.at.max(row.at);
        self.changes.push(change);
    }

    /// Writes the log's entries and the link that holds the rows. A transaction that put nothing on record has none.
    ///
    /// The link is what holds everything together: it cannot be written if another process has taken the chain, nor if its terms do
    /// not hold, and then the transaction comes to nothing, whatever is sent after it.
    pub(super) async fn seal(&self, terms: &Terms<'_>) -> Result<(), StoreError> {
        let Some((first, last)) = self.batch.span() else { return Ok(()) };
        let hash = self.batch.hash();
        let (changed, linked) = tokio::join!(
            biased;
            journal::write_changes(self, &self.changes),
            journal::write_batch(self, &self.chain, &hash, self.at, self.batch.rows(), (first, last), terms),
        );
        changed.and(linked)
    }

    /// Seals and commits what was made, or takes it back.
    pub(super) async fn finish<T>(self, made: Result<T, Stop>) -> Result<Result<T, Conflict>, StoreError> {
        let sealed = match made {
            Ok(value) => self.seal(&Terms::default()).await.map(|()| value).map_err(Stop::Store),
            stopped => stopped,
        };
        match sealed {
            Ok(value) => self.commit().await.map(|()| Ok(value)),
            Err(Stop::Conflict(conflict)) => {
                self.roll_back().await;
                Ok(Err(conflict))
            }
            Err(Stop::Store(error)) => {
                self.abandon(&error).await;
                Err(error)
            }
        }
    }

    /// Commits what was sealed. If the connection breaks here, nobody knows what came of it: that is no race, and is not
    /// tried again. Nor is a commit with a [warning](Warnings).
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.send_commit().await?;
        self.committed();
        Ok(())
    }

    /// Sends the commit without waiting for what was asked before. To be joined with that, in the same task and after it: each of
    /// the others asks one thing, which is on its way when the commit is. If the database refuses any of them, it takes everything
    /// back, and says so to the one that failed.
    ///
    /// Nothing is sent if one of them has failed by then: it may never have been on its way.
    ///
    /// Where the commit itself fails, only a race says for sure that nothing was done.
    pub(super) async fn send_commit(&self) -> Result<(), StoreError> {
        self.all_sent().await;
        if self.is_failed.load(Ordering::Relaxed) || self.client()?.is_closed() {
            let error = DatabaseError::new("the transaction failed before its commit", Fault::Connection);
            return Err(StoreError::Database(error));
        }
        // There is nothing left to roll back, whatever comes of it.
        self.is_commit_sent.store(true, Ordering::Relaxed);
        let warnings = self.database.warnings.count();
        self.simply("COMMIT").await.map_err(not_committed)?;
        self.is_over.store(true, Ordering::Relaxed);
        if self.database.warnings.count() != warnings {
            let reason = "the database warned of something while it committed: a standby may not have it";
            return Err(StoreError::Unavailable(reason.to_owned()));
        }
        Ok(())
    }

    /// Waits until what is asked by others that are joined with the caller, before it and in the same task, is on its way: on a
    /// connection that does not know their statements they have to prepare them first. They are polled before this, so they wake it.
    pub(super) async fn all_sent(&self) {
        let all_sent = || self.preparing.load(Ordering::Relaxed) == 0;
        poll_fn(|_| if all_sent() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Tells whoever watches that exchanges are on record.
    pub(super) fn report(&self, exchanges: usize) {
        if exchanges > 0 {
            self.database.batches.committed(exchanges);
        }
    }

    /// What an error of statements means that were sent together with the commit. Those that the database answered with were refused,
    /// so nothing was done. If the connection broke, nobody knows what came of it.
    pub(super) fn of_commit(&self, error: StoreError) -> StoreError {
        let is_sent = self.is_commit_sent.load(Ordering::Relaxed);
        match error {
            StoreError::Database(error) if is_sent && error.fault() == Fault::Connection => {
                StoreError::Unavailable(error.to_string())
            }
            other => other,
        }
    }

    /// Goes on with its chain and its connection for others, once it is committed.
    pub(super) fn committed(mut self) {
        if !self.batch.is_empty() {
            self.chain.hash = self.batch.hash();
            self.chain.number = self.batch.number;
        }
        self.end();
    }

    /// Whether a batch that issues this is likely to be recorded as it is. What is only refused always is.
    pub(super) fn foresees<'a>(&self, issuances: impl Iterator<Item = &'a Issuance>) -> bool {
        let Foresight { is_calm, issuers } = &self.database.foresight;
        let issuers = issuers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = issuances.map(|issuance| issuers.contains(issuance.issuer.as_str()));
        known.all(|is_known| is_known && is_calm.load(Ordering::Relaxed))
    }

    /// Notes issuers that were there to be locked.
    pub(super) fn has_seen<'a>(&self, issuances: impl Iterator<Item = &'a Issuance>) {
        let issuers = &self.database.foresight.issuers;
        let mut issuers = issuers.lock().unwrap_or_else(PoisonError::into_inner);
        for issuance in issuances {
            let url = issuance.issuer.as_str();
            if !issuers.contains(url) {
                issuers.insert(url.to_owned());
            }
        }
    }

    /// Notes whether the next batch is likely to be recorded as it is.
    pub(super) fn expects(&self, calm: bool) {
        self.database.foresight.is_calm.store(calm, Ordering::Relaxed);
    }

    /// Gives up because of an error: takes everything back, or leaves that to the server.
    pub(super) async fn abandon(self, error: &StoreError) {
        // Where a chain was lost to another process, it is not given back; nor where the connection is of no use.
        let is_usable = matches!(error, StoreError::Database(error) if !error.is_passing());
        if is_usable {
            self.roll_back().await;
        }
    }

    /// Takes everything back, unless the database did that instead of committing it. A connection on which that fails is not used
    /// again, nor one that had nothing open: what was asked together with its opening may still be under way.
    pub(super) async fn roll_back(mut self) {
        if self.is_over.load(Ordering::Relaxed) || (self.is_open() && self.simply("ROLLBACK").await.is_ok()) {
            self.end();
        }
    }

    fn end(&mut self) {
        drop(self.client.take());
        self.database.chains.give_back(self.chain.clone());
    }
}

/// Counts as a statement that is being prepared, as long as somebody waits for that.
struct Preparing<'a>(&'a AtomicUsize);

impl<'a> Preparing<'a> {
    fn one(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Preparing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}

/// What an error of a commit means: only a race says for sure that nothing was done, and may be tried again.
fn not_committed(error: StoreError) -> StoreError {
    match error {
        StoreError::Database(error) if !error.is_race() => StoreError::Unavailable(error.to_string()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::database_error::DatabaseError;

    #[test]
    fn a_commit_of_which_nothing_is_known_is_not_made_again() {
        let error = |fault| StoreError::Database(DatabaseError::new("x", fault));
        assert!(matches!(not_committed(error(Fault::Race)), StoreError::Database(_)));
        for unknown in [Fault::Connection, Fault::Gone, Fault::Other, Fault::Row] {
            assert!(matches!(not_committed(error(unknown)), StoreError::Unavailable(_)), "{unknown:?}");
        }
    }
}
