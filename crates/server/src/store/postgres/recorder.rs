//! Group commit: exchanges that arrive together are recorded together, and each caller has its own verdict.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::batch::{self, Answer, Locking};
use super::session::{Database, Session};
use crate::store::database_error::Fault;
use crate::store::{Exchange, IdTokenKey, Outcome, StoreError, Verdict};

/// Exchanges that may wait to be recorded; beyond that a server is overloaded and says so at once.
const QUEUE: usize = 4096;
/// Exchanges that one transaction takes at most: bounds how long the first of them waits for the last.
const BATCH: usize = 256;
/// Exchanges that are not worth two transactions: one costs the database as much as ten of them, whatever is in it.
const FEW: usize = 32;
/// Batches at once: while one is being flushed to disk, the next is on its way.
const LANES: usize = 2;
/// Expired rows of the replay memory that go for each row that comes: more than one, so the table shrinks by itself.
const FORGET: usize = 2;
/// How often a batch is made again that another transaction got in the way of.
const ATTEMPTS: usize = 5;
/// How long a batch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to the ledger. When it is dropped, what was submitted is finished.
pub(super) struct Recorder {
    jobs: mpsc::Sender<Job>,
}

struct Job {
    exchange: Exchange,
    reply: oneshot::Sender<Result<Verdict, StoreError>>,
}

impl Recorder {
    pub(super) fn start(database: Arc<Database>) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        tokio::spawn(run(database, queue));
        Self { jobs }
    }

    /// Records an exchange. Whoever stops waiting is passed over, if it is not too late for that.
    pub(super) async fn record(&self, exchange: Exchange) -> Result<Verdict, StoreError> {
        let (reply, verdict) = oneshot::channel();
        self.jobs.try_send(Job { exchange, reply })?;
        tokio::time::timeout(PATIENCE, verdict)
            .await
            .map_err(|_| too_late())?
            .map_err(|_| StoreError::Closed)?
    }
}

/// Takes what is there as soon as a lane is free; waits for nothing that has not come. So an idle server adds no delay, and
/// where the database is slow the batches grow by themselves.
async fn run(database: Arc<Database>, mut queue: mpsc::Receiver<Job>) {
    let lanes = Arc::new(Semaphore::new(LANES));
    let under_way = UnderWay::default();
    let mut crowd = Crowd::default();
    while let Some(first) = queue.recv().await {
        let Ok(lane) = Arc::clone(&lanes).acquire_owned().await else { return };
        let mut jobs = vec![first];
        fill(&mut jobs, &mut queue, &under_way, &mut crowd).await;
        let (database, counted) = (Arc::clone(&database), under_way.with(jobs.len()));
        tokio::spawn(async move {
            record_all(&database, jobs).await;
            drop((lane, counted));
        });
    }
}

/// Adds what else is queued, up to the batch's share. When the queue is empty, the other tasks get the processor once: on a busy
/// machine they are often about to add to it, and a commit costs the same for one exchange as for fifty.
async fn fill(jobs: &mut Vec<Job>, queue: &mut mpsc::Receiver<Job>, under_way: &UnderWay, crowd: &mut Crowd) {
    crowd.disperse();
    let mut yielded_at = 0;
    loop {
        crowd.see(under_way.count() + jobs.len() + queue.len());
        if jobs.len() >= crowd.share() {
            return;
        }
        match queue.try_recv() {
            Ok(job) => jobs.push(job),
            Err(_) if yielded_at == jobs.len() => return,
            Err(_) => {
                yielded_at = jobs.len();
                tokio::task::yield_now().await;
            }
        }
    }
}

/// How many exchanges were lately waiting at once, in the queue or in a lane.
///
/// A batch takes no more than a lane's share of them, where they are many. Otherwise one takes all that come, and whoever waits for
/// their answers comes back all at once: then the database has nothing to do while the next batch is decided, and this server
/// nothing while it is recorded.
#[derive(Debug, Default)]
struct Crowd(usize);

impl Crowd {
    /// So many are waiting now.
    fn see(&mut self, waiting: usize) {
        self.0 = self.0.max(waiting);
    }

    /// Time passes: where fewer come, that is known some batches later.
    fn disperse(&mut self) {
        self.0 -= self.0.div_ceil(8);
    }

    /// How many one batch takes.
    fn share(&self) -> usize {
        self.0.div_ceil(LANES).clamp(FEW, BATCH)
    }
}

/// How many exchanges are in a lane.
#[derive(Clone, Debug, Default)]
struct UnderWay(Arc<AtomicUsize>);

/// Some of them, until dropped.
struct Counted(UnderWay, usize);

impl UnderWay {
    fn with(&self, exchanges: usize) -> Counted {
        self.0.fetch_add(exchanges, Ordering::Relaxed);
        Counted(self.clone(), exchanges)
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

/// Records exchanges in as few transactions as they allow: one for all; one more for each further use of an id token; one more,
/// after one that was taken back, where some had to be turned back; one for each that changes its publisher. If a transaction
/// fails because of a row, each of its exchanges is tried by itself, so that none fails for another's sake.
///
/// Whoever has given up waiting is passed over: an id token is not used up for nobody.
async fn record_all(database: &Arc<Database>, mut jobs: Vec<Job>) {
    let mut alone = Vec::new();
    while !jobs.is_empty() {
        jobs.retain(|job| !job.reply.is_closed());
        match record(database, &jobs, Locking::Shared).await {
            Ok(answers) => jobs = answer(jobs, &answers, &mut alone),
            Err(StoreError::Database(error)) if jobs.len() > 1 && error.fault() == Fault::Row => {
                tracing::warn!(%error, exchanges = jobs.len(), "a batch of exchanges was not recorded; trying each by itself");
                alone.append(&mut jobs);
            }
            Err(error) => return fail(jobs.into_iter().chain(alone), &error),
        }
    }
    for job in alone {
        if job.reply.is_closed() {
            continue;
        }
        match record(database, std::slice::from_ref(&job), Locking::Alone).await.as_deref() {
            Ok([Answer::Verdict(verdict)]) => drop(job.reply.send(Ok(*verdict))),
            Ok(_) => drop(job.reply.send(Err(StoreError::Closed))),
            Err(error) => fail([job], error),
        }
    }
}

/// Gives out the verdicts. What is to be tried again comes back, but for those whose id token was found used up: every
/// other use of it is a replay as well.
fn answer(jobs: Vec<Job>, answers: &[Answer], alone: &mut Vec<Job>) -> Vec<Job> {
    let (mut again, mut used_up) = (Vec::new(), Vec::new());
    for (job, answer) in jobs.into_iter().zip(answers) {
        match answer {
            Answer::Verdict(verdict) => {
                if *verdict == Verdict::Replayed {
                    used_up.extend(use_of(&job));
                }
                // Whoever asked may have gone: the exchange is on record, its token was never sent.
                drop(job.reply.send(Ok(*verdict)));
            }
            Answer::Alone => alone.push(job),
            Answer::Again => again.push(job),
        }
    }
    let is_used_up = |job: &Job| use_of(job).is_some_and(|one| used_up.contains(&one));
    let (replayed, again): (Vec<Job>, Vec<Job>) = again.into_iter().partition(is_used_up);
    for job in replayed {
        drop(job.reply.send(Ok(Verdict::Replayed)));
    }
    again
}

/// The id token that an exchange uses, and how often that may be.
fn use_of(job: &Job) -> Option<(IdTokenKey, u32)> {
    match &job.exchange.outcome {
        Outcome::Issued(issuance) => Some((issuance.id_token, issuance.max_exchanges)),
        Outcome::Refused(_) => None,
    }
}

fn fail(jobs: impl IntoIterator<Item = Job>, error: &StoreError) {
    let mut exchanges = 0;
    for job in jobs {
        exchanges += 1;
        drop(job.reply.send(Err(StoreError::Unavailable(error.to_string()))));
    }
    tracing::error!(%error, exchanges, "exchanges were not recorded");
}

/// One transaction; made again where another one was in the way, or a connection broke before the commit was sent.
async fn record(database: &Arc<Database>, jobs: &[Job], locking: Locking) -> Result<Vec<Answer>, StoreError> {
    let exchanges: Vec<&Exchange> = jobs.iter().map(|job| &job.exchange).collect();
    let Some(first) = exchanges.first() else { return Ok(Vec::new()) };
    let attempts = async {
        for _ in 1..ATTEMPTS {
            match try_record(database, &exchanges, locking, first).await {
                Err(StoreError::Database(error)) if error.is_passing() => {
                    tracing::debug!(%error, exchanges = exchanges.len(), "a batch of exchanges is tried again");
                }
                ended => return ended,
            }
        }
        try_record(database, &exchanges, locking, first).await
    };
    // When the time is over, the session goes, and its connection with it.
    tokio::time::timeout(PATIENCE, attempts).await.unwrap_or_else(|_| Err(too_late()))
}

async fn try_record(
    database: &Arc<Database>,
    exchanges: &[&Exchange],
    locking: Locking,
    first: &Exchange,
) -> Result<Vec<Answer>, StoreError> {
    let session = Session::prepare(database, first.at).await?;
    batch::record(session, exchanges, locking, FORGET * exchanges.len()).await
}

fn too_late() -> StoreError {
    StoreError::not_on_record_within(PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::exchange::refused;

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_too_long_says_that_the_database_is_slow_and_not_busy() {
        // Nobody takes anything from the queue, as where both lanes are with a server that hangs.
        let (jobs, mut queue) = mpsc::channel(1);
        let recorder = Recorder { jobs };
        let error = recorder.record(refused("slow")).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        // Whoever has given up is passed over.
        assert!(queue.recv().await.unwrap().reply.is_closed());
    }

    /// What a batch takes of a queue, where so many are in the lanes.
    async fn taken(queue: &mut mpsc::Receiver<Job>, in_lanes: usize, crowd: &mut Crowd) -> usize {
        let under_way = UnderWay::default();
        let _counted = under_way.with(in_lanes);
        let mut batch = vec![queue.recv().await.unwrap()];
        fill(&mut batch, queue, &under_way, crowd).await;
        batch.len()
    }

    #[tokio::test]
    async fn a_batch_leaves_their_share_to_the_other_lanes() {
        let (jobs, mut queue) = mpsc::channel(1_024);
        let come = |exchanges: usize| {
            for _ in 0..exchanges {
                let (reply, _) = oneshot::channel();
                jobs.try_send(Job { exchange: refused("one of many"), reply }).unwrap();
            }
        };
        let mut crowd = Crowd::default();
        come(FEW);
        assert_eq!(taken(&mut queue, 0, &mut crowd).await, FEW, "few are not divided");
        come(100);
        assert_eq!(taken(&mut queue, 0, &mut crowd).await, 50, "half of those who wait");
        assert_eq!(taken(&mut queue, 50, &mut crowd).await, 50, "the others, while those are recorded");
        come(64);
        assert_eq!(taken(&mut queue, 128, &mut crowd).await, 64, "all that came while the database was slow");
        come(1_000);
        assert_eq!(taken(&mut queue, 0, &mut crowd).await, BATCH, "no more than a transaction takes");
    }

    #[test]
    fn a_crowd_that_is_gone_is_forgotten() {
        let mut crowd = Crowd::default();
        crowd.see(LANES * BATCH);
        for _ in 0..50 {
            crowd.disperse();
            crowd.see(1);
        }
        assert_eq!(crowd.share(), FEW);
    }
}
