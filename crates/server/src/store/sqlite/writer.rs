//! The one thread that writes, and its group commit.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::batch::Batch;
use super::checkpoint::Checkpoints;
use super::file::OpenFile;
use super::replay::{ReplayMemory, Sweep};
use crate::store::batches::Batches;
use crate::store::database_error::Fault;
use crate::store::{Exchange, StoreError, Verdict};

/// Exchanges that may wait for the writer; beyond that a server is overloaded and says so at once.
const QUEUE: usize = 4096;
/// Exchanges that one transaction takes at most: bounds how long the first of them waits for the last.
const BATCH: usize = 256;
/// Exchanges at once from which on a batch waits for more,
const MANY: usize = 4;
/// and how long at most.
pub(super) const WAIT: Duration = Duration::from_millis(4);
/// Uses of id tokens that are looked at for each that comes. At a steady rate, at most a third as many are kept as are good.
const LOOK: usize = 4;

/// The way to the writing thread. When it is dropped, the thread finishes what was submitted and ends.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Something to write.
pub(super) enum Job {
    /// An exchange, which shares its transaction with those that came at the same time.
    Record(Box<Exchange>, Reply),
    /// Anything else, in a transaction of its own.
    Change(Change),
}

type Reply = oneshot::Sender<Result<Verdict, StoreError>>;
type Change = Box<dyn FnOnce(Result<Transaction<'_>, StoreError>) + Send>;

impl Job {
    pub(super) fn record(exchange: Exchange, reply: Reply) -> Self {
        Self::Record(Box::new(exchange), reply)
    }

    pub(super) fn change(change: impl FnOnce(Result<Transaction<'_>, StoreError>) + Send + 'static) -> Self {
        Self::Change(Box::new(change))
    }
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        file: OpenFile,
        checkpoints: Checkpoints,
        batches: Arc<Batches>,
        replay: Arc<ReplayMemory>,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || {
                run(
                    Ledger { connection, file, replay, sweep: Sweep::default(), batches },
                    checkpoints,
                    queue,
                );
            })
            .map_err(|source| StoreError::Open { path: "the ledger's thread".to_owned(), source })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    pub(super) fn submit(&self, job: Job) -> Result<(), StoreError> {
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        Ok(jobs.try_send(job)?)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// What the thread writes with.
struct Ledger {
    connection: Connection,
    file: OpenFile,
    replay: Arc<ReplayMemory>,
    sweep: Sweep,
    batches: Arc<Batches>,
}

/// Writes what is there, and what comes meanwhile together. See [`Ledger::fill`].
fn run(mut ledger: Ledger, mut checkpoints: Checkpoints, mut queue: mpsc::Receiver<Job>) {
    let mut batch = Vec::new();
    let mut postponed = None;
    while let Some(job) = postponed.take().or_else(|| queue.blocking_recv()) {
        match job {
            Job::Change(change) => change(begin(&mut ledger.connection, &ledger.file)),
            Job::Record(exchange, reply) => {
                batch.push((exchange, reply));
                postponed = ledger.fill(&mut batch, &mut queue);
                ledger.commit_batch(&mut batch);
            }
        }
        checkpoints.committed(&ledger.connection);
    }
}

/// Takes exchanges from the queue until it is empty, the batch is full, or something else comes.
fn take(batch: &mut Vec<(Box<Exchange>, Reply)>, queue: &mut mpsc::Receiver<Job>) -> Option<Job> {
    while batch.len() < BATCH {
        match queue.try_recv() {
            Ok(Job::Record(exchange, reply)) => batch.push((exchange, reply)),
            Ok(change) => return Some(change),
            Err(_) => break,
        }
    }
    None
}

/// Begins a transaction with the write lock, for which it may have to wait: so it looks at the file after that.
fn begin<'a>(connection: &'a mut Connection, file: &OpenFile) -> Result<Transaction<'a>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    file.check()?;
    Ok(transaction)
}

impl Ledger {
    /// Adds what else is queued, and where exchanges come close together what is about to come: a commit costs as much as four
    /// exchanges, whether it is of one or of fifty. Returns a change that came between.
    ///
    /// The thread sleeps until one of those that serve requests has nothing to do. That leaves the processor to those who are about to
    /// add to the batch; and where all that were on their way have come, nobody waits for more.
    fn fill(&self, batch: &mut Vec<(Box<Exchange>, Reply)>, queue: &mut mpsc::Receiver<Job>) -> Option<Job> {
        let mut change = take(batch, queue);
        if change.is_none() && batch.len() < MANY {
            // An idle server adds no delay: whoever is about to add something has the processor once.
            std::thread::yield_now();
            change = take(batch, queue);
        }
        if change.is_none() && (MANY..BATCH).contains(&batch.len()) {
            self.batches.wait_for_more(WAIT);
            change = take(batch, queue);
        }
        change
    }

    /// Records a batch in one transaction; if that fails, each exchange in its own, so that none fails for another's sake.
    ///
    /// Whoever has given up waiting is passed over: an id token is not used up for nobody.
    fn commit_batch(&mut self, batch: &mut Vec<(Box<Exchange>, Reply)>) {
        batch.retain(|(_, reply)| !reply.is_closed());
        match self.record_all(batch.iter().map(|(exchange, _)| exchange.as_ref())) {
            Ok(verdicts) => {
                for ((_, reply), verdict) in batch.drain(..).zip(verdicts) {
                    // Whoever asked may have gone: the exchange is on record, its token was never sent.
                    drop(reply.send(Ok(verdict)));
                }
            }
            Err(error) if batch.len() > 1 && is_about_a_row(&error) => {
                tracing::warn!(%error, exchanges = batch.len(), "a batch of exchanges was not recorded; trying each by itself");
                for (exchange, reply) in batch.drain(..).filter(|(_, reply)| !reply.is_closed()) {
                    let verdict = self
                        .record_all(std::iter::once(exchange.as_ref()))
                        .and_then(|verdicts| verdicts.first().copied().ok_or(StoreError::Closed));
                    drop(reply.send(verdict));
                }
            }
            Err(error) => {
                tracing::error!(%error, exchanges = batch.len(), "exchanges were not recorded");
                for (_, reply) in batch.drain(..) {
                    drop(reply.send(Err(StoreError::Unavailable(error.to_string()))));
                }
            }
        }
    }

    fn record_all<'a>(
        &mut self,
        exchanges: impl ExactSizeIterator<Item = &'a Exchange>,
    ) -> Result<Vec<Verdict>, StoreError> {
        self.replay.refresh(&self.connection)?;
        let transaction = begin(&mut self.connection, &self.file)?;
        let mut batch = Batch::begin(&transaction, &self.replay)?;
        let mut verdicts = Vec::with_capacity(exchanges.len());
        for exchange in exchanges {
            verdicts.push(batch.record(exchange)?);
        }
        // A clock that is far ahead finds all id tokens expired and refuses them: refusals must not forget them, too.
        let used = batch.finish()?;
        if let Some((last, _)) = &used {
            self.sweep.advance(&transaction, last, LOOK * verdicts.len())?;
        }
        transaction.commit()?;
        // Once more: with a slow disk, that took a while. What went to a file that is not in its place any more is not answered.
        self.file.check()?;
        if let Some((_, added)) = used {
            self.replay.committed(added);
        }
        self.batches.committed(verdicts.len());
        Ok(verdicts)
    }
}

/// Whether one exchange of the batch may be to blame. A locked or full database fails all of them, one by one only slower.
fn is_about_a_row(error: &StoreError) -> bool {
    match error {
        StoreError::Database(error) => error.fault() == Fault::Row,
        StoreError::Row(_) => true,
        _ => false,
    }
}
