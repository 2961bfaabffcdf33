//! Something that is fetched, kept, and fetched anew: the keys of an issuer, a status list.
//!
//! What must hold, and what did not elsewhere: no lock is held across a fetch, so whoever can do with what there is never
//! waits; a failure cools down like a success; a bad answer replaces nothing; a caller that gives up does not abort the fetch
//! that others wait for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::time::Instant;

/// A value with its history.
pub(crate) struct Kept<T, E> {
    current: ArcSwapOption<Fetched<T>>,
    attempts: Mutex<Attempts<E>>,
    /// The shortest time from the end of a fetch, good or bad, to the next.
    cooldown: Duration,
}

/// A value with its age, which counts from the request: when it arrived, it was already as old as the request took.
pub(crate) struct Fetched<T> {
    pub(crate) value: T,
    pub(crate) asked_at: Instant,
}

/// What is known of past and running fetches. Held for a few instructions, never across an `await`.
struct Attempts<E> {
    /// Closed when the running fetch has ended, in whatever way.
    running: Option<watch::Receiver<()>>,
    /// The end of the last fetch.
    last: Option<Instant>,
    /// Failures since the last success.
    failures: u32,
    /// The last failure ever.
    failed: Option<Failed<E>>,
}

/// A failure, and when it came.
pub(crate) struct Failed<E> {
    pub(crate) cause: Arc<E>,
    pub(crate) at: Instant,
}

/// A fetch ended without an answer: it panicked, or the runtime is shutting down.
pub(crate) struct Interrupted;

impl<T, E> Kept<T, E>
where
    T: Send + Sync + 'static,
    E: From<Interrupted> + Send + Sync + 'static,
{
    pub(crate) fn new(cooldown: Duration) -> Self {
        let attempts = Attempts { running: None, last: None, failures: 0, failed: None };
        Self { current: ArcSwapOption::empty(), attempts: Mutex::new(attempts), cooldown }
    }

    /// What the last good fetch brought, however old.
    pub(crate) fn current(&self) -> Option<Arc<Fetched<T>>> {
        self.current.load_full()
    }

    /// The fetch to wait for: the running one, or a new one; none while the last one cools down.
    ///
    /// It runs in a task of its own, so that it ends even if the caller that began it goes away.
    pub(crate) fn refresh<F>(
        self: &Arc<Self>,
        now: Instant,
        fetch: impl FnOnce() -> F,
    ) -> Option<watch::Receiver<()>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let mut attempts = self.attempts();
        if attempts.running.is_some() {
            return attempts.running.clone();
        }
        if attempts.last.is_some_and(|last| now.duration_since(last) < self.cooldown) {
            return None;
        }
        let (ended, running) = watch::channel(());
        attempts.running = Some(running.clone());
        drop(attempts);
        let attempt = Attempt { kept: Arc::clone(self), asked_at: now, outcome: None, _ended: ended };
        let answer = fetch();
        tokio::spawn(async move {
            let mut attempt = attempt;
            attempt.outcome = Some(answer.await);
        });
        Some(running)
    }

    /// Why the last fetch that ended failed; none if it did not.
    pub(crate) fn failure(&self) -> Option<Arc<E>> {
        let attempts = self.attempts();
        attempts.failed.as_ref().filter(|_| attempts.failures > 0).map(|failed| Arc::clone(&failed.cause))
    }

    /// Failures since the last success, and the last one ever.
    pub(crate) fn failures(&self) -> (u32, Option<Failed<E>>) {
        let attempts = self.attempts();
        let failed = attempts.failed.as_ref();
        (attempts.failures, failed.map(|failed| Failed { cause: Arc::clone(&failed.cause), at: failed.at }))
    }

    /// How long no other fetch will begin; at least a second, for who is told to come again.
    pub(crate) fn retry_after(&self, now: Instant) -> Duration {
        let since = self.attempts().last.map_or(Duration::ZERO, |last| now.duration_since(last));
        self.cooldown.saturating_sub(since).max(Duration::from_secs(1))
    }

    /// Takes a good answer as the new value; keeps the old one otherwise.
    fn record(&self, outcome: Result<T, E>, asked_at: Instant) {
        let now = Instant::now();
        let failure = match outcome {
            Ok(value) => {
                self.current.store(Some(Arc::new(Fetched { value, asked_at })));
                None
            }
            Err(cause) => Some(Failed { cause: Arc::new(cause), at: now }),
        };
        let mut attempts = self.attempts();
        attempts.running = None;
        attempts.last = Some(now);
        attempts.failures = if failure.is_some() { attempts.failures.saturating_add(1) } else { 0 };
        attempts.failed = failure.or(attempts.failed.take());
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts<E>> {
        // Nothing that can panic happens while it is held.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running fetch. However it ends, it is recorded, and then those who wait are told.
struct Attempt<T, E>
where
    T: Send + Sync + 'static,
    E: From<Interrupted> + Send + Sync + 'static,
{
    kept: Arc<Kept<T, E>>,
    asked_at: Instant,
    outcome: Option<Result<T, E>>,
    _ended: watch::Sender<()>,
}

impl<T, E> Drop for Attempt<T, E>
where
    T: Send + Sync + 'static,
    E: From<Interrupted> + Send + Sync + 'static,
{
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| Err(Interrupted.into()));
        self.kept.record(outcome, self.asked_at);
    }
}
