//! One read for all who ask at the same time.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::pace::Pace;
use crate::store::StoreError;

/// Reads of one thing, one at a time, and in a flood [apart](Pace). Whoever has to wait shares the next with all who wait, so that a
/// flood of questions about one thing is no flood of reads.
///
/// Nobody gets an answer that was read before they asked, but for one that began between: what is in it is as new as their own
/// would be. That goes for failures too: of all who wait for a store that hangs, none waits for more than two reads.
#[derive(Debug)]
pub(super) struct SharedRead<T> {
    begun: AtomicU64,
    last: Mutex<Last<T>>,
}

#[derive(Debug)]
struct Last<T> {
    answer: Option<(u64, Result<T, String>)>,
    pace: Pace,
}

impl<T> Default for SharedRead<T> {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), last: Mutex::new(Last { answer: None, pace: Pace::default() }) }
    }
}

impl<T: Clone> SharedRead<T> {
    /// What a read that began after this was called came to: another's, or this one.
    pub(super) async fn read(
        &self,
        read: impl AsyncFnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let asked = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if let Some((number, answer)) = &last.answer
            && *number > asked
        {
            return answer.clone().map_err(StoreError::Unavailable);
        }
        last.pace.step().await;
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = read().await;
        let shared = answer.as_ref().map(T::clone).map_err(ToString::to_string);
        last.answer = Some((number, shared));
        answer
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
        async fn read(&self) -> Result<u64, StoreError> {
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

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_questions_is_no_flood_of_reads_however_fast_they_are() {
        let (shared, reads) = (SharedRead::<u64>::default(), AtomicU64::new(0));
        let begun = tokio::time::Instant::now();
        let one_after_the_other = async || {
            for _ in 0..50 {
                shared.read(async || Ok(reads.fetch_add(1, Ordering::SeqCst))).await.unwrap();
            }
        };
        tokio::join!(one_after_the_other(), one_after_the_other(), one_after_the_other());
        let reads = u32::try_from(reads.into_inner()).unwrap();
        assert!(
            begun.elapsed() >= Duration::from_millis(2) * (reads - 1),
            "{reads} reads in {:?}",
            begun.elapsed()
        );
        assert!(reads <= 101, "those who wait share: {reads} reads for 150 questions");
    }

    #[tokio::test]
    async fn a_read_that_is_given_up_is_nobody_elses() {
        let shared = Arc::new(SharedRead::<u64>::default());
        let given_up = shared.read(async || {
            sleep(Duration::from_mins(1)).await;
            Ok(1)
        });
        tokio::time::timeout(Duration::from_millis(1), given_up).await.unwrap_err();
        assert_eq!(shared.read(async || Ok(2)).await.unwrap(), 2);
        assert_eq!(shared.read(async || Ok(3)).await.unwrap(), 3, "nobody was waiting");
    }

    #[tokio::test]
    async fn of_all_who_wait_for_what_fails_none_waits_for_more_than_two_reads() {
        let (shared, reads) = (Arc::new(SharedRead::<u64>::default()), Arc::new(AtomicU64::new(0)));
        let mut callers = JoinSet::new();
        for _ in 0..100 {
            let (shared, reads) = (Arc::clone(&shared), Arc::clone(&reads));
            callers.spawn(async move {
                let broken = async || {
                    reads.fetch_add(1, Ordering::SeqCst);
                    sleep(Duration::from_millis(20)).await;
                    Err(StoreError::Unavailable("broken".to_owned()))
                };
                assert!(shared.read(broken).await.unwrap_err().to_string().contains("broken"));
            });
        }
        while let Some(done) = callers.join_next().await {
            done.unwrap();
        }
        assert!(reads.load(Ordering::SeqCst) <= 2, "{reads:?}");
        assert_eq!(shared.read(async || Ok(1)).await.unwrap(), 1, "it goes on when the store does");
    }
}
