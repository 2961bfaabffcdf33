//! Token buckets, each of them one number.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;

/// So many at once, and then one every so often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    burst: u64,
    /// Microseconds.
    each: u64,
}

/// What is left of a [`Rate`]: the time, in microseconds, at which the bucket is full again (GCRA's theoretical arrival time).
#[derive(Debug, Default)]
pub(crate) struct Bucket(AtomicU64);

/// A bucket for each key, of as many keys as fit. Which keys those are is the cache's choice: one that is forgotten starts
/// anew, and one that keeps coming is not forgotten.
///
/// Only a keyed hash of each key is kept, so whatever strangers send takes the same room.
#[derive(Debug)]
pub(crate) struct Buckets {
    rate: Rate,
    of: Cache<u64, Arc<Bucket>>,
    hasher: RandomState,
}

impl Rate {
    /// So many at once, and as many a minute.
    pub(crate) fn per_minute(count: u32) -> Self {
        Self { burst: count.into(), each: (60_000_000 / u64::from(count.max(1))).max(1) }
    }

    /// So many at once, then one every so many seconds.
    pub(crate) const fn trickle(burst: u64, seconds_each: u64) -> Self {
        Self { burst, each: seconds_each * 1_000_000 }
    }

    /// Takes one, or says when there is one; `now` in milliseconds.
    pub(crate) fn take(self, bucket: &Bucket, now: u64) -> Result<(), Duration> {
        let taken = bucket
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| self.after_one(full_at, now).ok());
        taken.map(drop).map_err(|full_at| self.after_one(full_at, now).err().unwrap_or_default())
    }

    /// Whether there is one, without taking it.
    pub(super) fn has_room(self, bucket: &Bucket, now: u64) -> Result<(), Duration> {
        self.after_one(bucket.0.load(Ordering::Relaxed), now).map(drop)
    }

    /// Gives back one that was taken.
    fn give_back(self, bucket: &Bucket) {
        let each = self.each;
        // A bucket that has filled up meanwhile takes no more than it holds: what is before now counts as now.
        let _always_updated = bucket
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| Some(full_at.saturating_sub(each)));
    }

    /// When the bucket will be full if one is taken now; the error is how long there is none to take.
    fn after_one(self, full_at: u64, now: u64) -> Result<u64, Duration> {
        let now = now.saturating_mul(1_000);
        let whole = self.burst.saturating_mul(self.each);
        let empty = now.saturating_add(whole);
        // No bucket is emptier than empty, but the clock of another thread may be a little ahead. One that is far emptier is
        // from before the clock went back: what it says is worth nothing, and nobody is shut out for it.
        let full_at = if full_at > empty.saturating_add(whole) { now } else { full_at };
        let after = full_at.clamp(now, empty).saturating_add(self.each);
        if after <= empty { Ok(after) } else { Err(Duration::from_micros(after - empty)) }
    }
}

impl Buckets {
    /// Full buckets for at most so many keys.
    pub(crate) fn new(rate: Rate, capacity: usize) -> Self {
        Self { rate, of: Cache::new(capacity), hasher: RandomState::new() }
    }

    /// Takes one of a key's, or says when there is one; `now` in milliseconds.
    pub(crate) fn take(&self, key: impl Hash, now: u64) -> Result<(), Duration> {
        self.rate.take(&self.bucket(key), now)
    }

    /// Gives back one that a key has taken.
    pub(super) fn give_back(&self, key: impl Hash) {
        if let Some(bucket) = self.of.get(&self.hasher.hash_one(key)) {
            self.rate.give_back(&bucket);
        }
    }

    /// Whether a key has one, without taking it.
    pub(super) fn has_room(&self, key: impl Hash, now: u64) -> Result<(), Duration> {
        let bucket = self.of.get(&self.hasher.hash_one(key));
        bucket.map_or(Ok(()), |bucket| self.rate.has_room(&bucket, now))
    }

    fn bucket(&self, key: impl Hash) -> Arc<Bucket> {
        let make = || Ok::<_, std::convert::Infallible>(Arc::default());
        let Ok(bucket) = self.of.get_or_insert_with(&self.hasher.hash_one(key), make);
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_800_000_000_000;

    fn taken(buckets: &Buckets, key: &str, now: u64) -> usize {
        (0..10_000).filter(|_| buckets.take(key, now).is_ok()).count()
    }

    #[test]
    fn admits_a_burst_and_then_as_many_a_minute() {
        let buckets = Buckets::new(Rate::per_minute(120), 10);
        assert_eq!(taken(&buckets, "a", START), 120);
        assert_eq!(buckets.take("a", START), Err(Duration::from_millis(500)), "says when there is one again");
        assert_eq!(taken(&buckets, "b", START), 120, "each key has its own");
        assert_eq!(taken(&buckets, "a", START + 499), 0);
        assert_eq!(taken(&buckets, "a", START + 500), 1);
        assert_eq!(taken(&buckets, "a", START + 30_500), 60);
        assert_eq!(taken(&buckets, "a", START + 10_000_000), 120, "never more than the burst");
    }

    #[test]
    fn looking_takes_nothing() {
        let buckets = Buckets::new(Rate::per_minute(1), 10);
        assert!((0..10).all(|_| buckets.has_room("a", START).is_ok()));
        assert!(buckets.take("a", START).is_ok());
        assert_eq!(buckets.has_room("a", START), Err(Duration::from_mins(1)));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_no_more() {
        let buckets = Buckets::new(Rate::per_minute(3), 10);
        for _ in 0..100 {
            assert!(buckets.take("a", START).is_ok());
            buckets.give_back("a");
        }
        assert_eq!(taken(&buckets, "a", START), 3);
        buckets.give_back("a");
        assert_eq!(taken(&buckets, "a", START), 1);
        buckets.give_back("a");
        assert_eq!(taken(&buckets, "a", START + 10_000_000), 3, "never more than the burst");
    }

    #[test]
    fn a_clock_that_goes_back_a_little_gives_nothing_and_one_that_goes_back_far_shuts_nobody_out() {
        let buckets = Buckets::new(Rate::per_minute(60), 10);
        assert_eq!(taken(&buckets, "a", START), 60);
        assert_eq!(taken(&buckets, "a", START - 5_000), 0);
        assert_eq!(buckets.take("a", START - 5_000), Err(Duration::from_secs(1)), "not six");
        assert_eq!(taken(&buckets, "a", START - 86_400_000), 60);
    }

    #[test]
    fn whatever_comes_the_table_keeps_its_size() {
        let buckets = Buckets::new(Rate::per_minute(60), 1_000);
        for stranger in 0..100_000 {
            assert!(buckets.take(stranger, START).is_ok());
        }
        assert!(buckets.of.len() <= 1_000, "{}", buckets.of.len());
    }

    #[test]
    fn takers_at_once_get_no_more_than_there_is() {
        let buckets = Buckets::new(Rate::per_minute(1_000), 10);
        let sum: usize = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..4).map(|_| scope.spawn(|| taken(&buckets, "a", START))).collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).sum()
        });
        assert_eq!(sum, 1_000);
    }
}
