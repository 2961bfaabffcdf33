//! One read for all who ask at the same time.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// Reads of one thing, one at a time. Whoever has to wait for another's shares the next with all who wait, so that a flood of
/// questions about one thing is no flood of reads.
///
/// Nobody gets an answer that was read before they asked, but for one that began between: it is as new as their own would be.
#[derive(Debug)]
pub(super) struct SharedRead<T> {
    begun: AtomicU64,
    last: Mutex<Option<(u64, T)>>,
}

impl<T> Default for SharedRead<T> {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), last: Mutex::new(None) }
    }
}

impl<T: Clone> SharedRead<T> {
    /// What a read that began after this was called came to: another's, or this one. Failures are not shared.
    pub(super) async fn read<E>(&self, read: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E> {
        let asked = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if let Some((number, answer)) = &*last
            && *number > asked
        {
            return Ok(answer.clone());
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = read().await?;
        *last = Some((number, answer.clone()));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::*;

    /// Something that changes all the time, and is slow to read.
    #[derive(Default)]
    struct Changing {
        version: AtomicU64,
        reads: AtomicU64,
    }

    impl Changing {
        async fn read(&self) -> Result<u64, &'static str> {
            self.reads.fetch_add(1, Ordering::SeqCst);
            let version = self.version.load(Ordering::SeqCst);
            sleep(Duration::from_millis(3)).await;
            Ok(version)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nobody_gets_what_was_read_before_they_asked_and_many_share_a_read() {
        let (shared, changing) = (Arc::new(SharedRead::default()), Arc::new(Changing::default()));
        let mut callers = JoinSet::new();
        for caller in 0..64 {
            let (shared, changing) = (Arc::clone(&shared), Arc::clone(&changing));
            callers.spawn(async move {
                for _ in 0..20 {
                    sleep(Duration::from_micros(100 * caller)).await;
                    let now = changing.version.fetch_add(1, Ordering::SeqCst) + 1;
                    let read = shared.read(async || changing.read().await).await.unwrap();
                    assert!(read >= now, "{read} is from before {now}");
                }
            });
        }
        while let Some(done) = callers.join_next().await {
            done.unwrap();
        }
        let reads = changing.reads.load(Ordering::SeqCst);
        assert!(reads < 64 * 20 / 4, "{reads} reads for {} questions", 64 * 20);
    }

    #[tokio::test]
    async fn a_read_that_fails_or_is_given_up_is_nobody_elses() {
        let shared = Arc::new(SharedRead::<u64>::default());
        assert_eq!(shared.read(async || Err("broken")).await, Err("broken"));
        let given_up = shared.read(async || {
            sleep(Duration::from_mins(1)).await;
            Ok::<_, &str>(1)
        });
        tokio::time::timeout(Duration::from_millis(1), given_up).await.unwrap_err();
        assert_eq!(shared.read(async || Ok::<_, &str>(2)).await, Ok(2));
        assert_eq!(shared.read(async || Ok::<_, &str>(3)).await, Ok(3), "nobody was waiting");
    }
}
