//! Whether a thread that serves requests has nothing to do.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

/// Is told by the threads of a runtime when they come to rest and when they go on (`on_thread_park` and `on_thread_unpark` of its
/// builder), and tells whoever has work that is better done with more of it.
///
/// One that rests is enough: with a single thread, all that was on its way has come then. Of many, one hardly ever has anything
/// to do, and there is little to wait for: what comes while a piece of work is done makes the next one.
#[derive(Clone, Debug, Default)]
pub struct Idleness(Arc<Threads>);

#[derive(Debug, Default)]
struct Threads {
    state: Mutex<State>,
    /// A thread came to rest while somebody waited for that. One waits at a time.
    at_rest: Condvar,
}

#[derive(Debug, Default)]
struct State {
    resting: usize,
    is_awaited: bool,
}

impl Idleness {
    /// A thread has nothing to do any more.
    pub fn rest(&self) {
        let mut state = self.state();
        state.resting += 1;
        // Only then, and once: waking nobody costs a system call.
        if mem::take(&mut state.is_awaited) {
            self.0.at_rest.notify_one();
        }
    }

    /// It has something to do again.
    pub fn go_on(&self) {
        let mut state = self.state();
        state.resting = state.resting.saturating_sub(1);
    }

    /// Waits until a thread has nothing to do, for so long at most, which is how long it takes if nobody tells; whether one has. For
    /// one caller at a time.
    pub fn wait(&self, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        let mut state = self.state();
        loop {
            if state.resting > 0 {
                // A thread rests for a moment, too, before it is given what has come meanwhile: let it have the processor first.
                drop(state);
                thread::yield_now();
                state = self.state();
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.resting > 0 || left.is_zero() {
                return state.resting > 0;
            }
            state.is_awaited = true;
            (state, _) = self.0.at_rest.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state.is_awaited = false;
        }
    }

    /// Whether somebody waits.
    #[cfg(test)]
    pub(crate) fn is_awaited(&self) -> bool {
        self.state().is_awaited
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is whole before anything can panic.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// How long it takes until somebody has nothing to do.
    fn waited(idleness: &Idleness, at_most: Duration) -> Duration {
        let begun = Instant::now();
        idleness.wait(at_most);
        begun.elapsed()
    }

    #[test]
    fn it_waits_for_a_thread_that_has_nothing_to_do() {
        let idleness = Idleness::default();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .on_thread_park({
                let idleness = idleness.clone();
                move || idleness.rest()
            })
            .on_thread_unpark({
                let idleness = idleness.clone();
                move || idleness.go_on()
            })
            .build()
            .unwrap();
        assert!(waited(&idleness, LONG) < LONG, "its only thread has nothing to do");
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        runtime.spawn(async move {
            begun.send(()).unwrap();
            assert!(ends.recv().is_err());
        });
        has_begun.recv().unwrap();
        let short = Duration::from_millis(20);
        assert!(waited(&idleness, short) >= short, "its only thread is busy");
        let waiting = {
            let idleness = idleness.clone();
            thread::spawn(move || waited(&idleness, LONG))
        };
        while !idleness.is_awaited() {
            thread::yield_now();
        }
        drop(end);
        assert!(waiting.join().unwrap() < LONG);
    }

    #[test]
    fn it_waits_no_longer_than_it_is_told_to_where_nobody_tells() {
        let short = Duration::from_millis(1);
        assert!(waited(&Idleness::default(), short) >= short);
    }
}
