//! A bound on what strangers can have stored.

use std::sync::Mutex;

use countersign_core::UnixTime;
use quick_cache::sync::Cache;

/// Which refusals are put on record. All are logged; what is stored stays bounded, whoever sends whatever.
///
/// A tenant of an issuer (a GitHub account, say) can cause refusals that verify, as many as it likes: each has a bucket of
/// its own, so that no one's noise keeps another's refusals off the record, and one bucket over all bounds the sum. What
/// anybody can send without any account has a bucket to itself.
#[derive(Debug)]
pub struct Sampler {
    anybody: Bucket,
    verified: Bucket,
    tenants: Cache<String, std::sync::Arc<Bucket>>,
}

/// Admits a burst, then a steady trickle.
#[derive(Debug)]
struct Bucket {
    burst: u32,
    seconds_each: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    left: u32,
    refilled_at: UnixTime,
}

/// Tenants whose buckets are remembered.
const TENANTS: usize = 10_000;

impl Default for Sampler {
    fn default() -> Self {
        Self { anybody: Bucket::new(60, 1), verified: Bucket::new(3_600, 1), tenants: Cache::new(TENANTS) }
    }
}

impl Sampler {
    /// Whether one more of what anybody can send may be stored: 60 at once, then one a second.
    pub(super) fn admits_anybodys(&self, now: UnixTime) -> bool {
        self.anybody.admits(now)
    }

    /// Whether one more of a tenant's may be stored: 60 at once, then one in ten seconds; of all tenants together 3,600 at
    /// once, then one a second.
    pub(super) fn admits(&self, tenant: &str, now: UnixTime) -> bool {
        let bucket = self.tenants.get(tenant).unwrap_or_else(|| {
            let bucket = std::sync::Arc::new(Bucket::new(60, 10));
            self.tenants.insert(tenant.to_owned(), std::sync::Arc::clone(&bucket));
            bucket
        });
        bucket.admits(now) && self.verified.admits(now)
    }
}

impl Bucket {
    const fn new(burst: u32, seconds_each: u64) -> Self {
        Self {
            burst,
            seconds_each,
            state: Mutex::new(State { left: burst, refilled_at: UnixTime::from_seconds(0) }),
        }
    }

    fn admits(&self, now: UnixTime) -> bool {
        let Ok(mut state) = self.state.lock() else { return false };
        let earned = now.since(state.refilled_at).as_secs() / self.seconds_each;
        if earned > 0 {
            state.left =
                self.burst.min(state.left.saturating_add(u32::try_from(earned).unwrap_or(self.burst)));
            state.refilled_at = now;
        }
        let admits = state.left > 0;
        state.left = state.left.saturating_sub(1);
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> UnixTime {
        UnixTime::from_seconds(1_000 + second)
    }

    fn count(admits: impl Fn() -> bool) -> usize {
        (0..10_000).filter(|_| admits()).count()
    }

    #[test]
    fn admits_a_burst_and_then_one_a_second() {
        let sampler = Sampler::default();
        assert_eq!(count(|| sampler.admits_anybodys(at(0))), 60);
        assert_eq!(count(|| sampler.admits_anybodys(at(3))), 3);
        assert_eq!(count(|| sampler.admits_anybodys(at(2))), 0, "a clock that goes back earns nothing");
    }

    #[test]
    fn one_tenants_noise_is_not_anothers_silence() {
        let sampler = Sampler::default();
        assert_eq!(count(|| sampler.admits("evil", at(0))), 60);
        assert_eq!(count(|| sampler.admits("acme", at(0))), 60);
        assert_eq!(count(|| sampler.admits("evil", at(20))), 2);
        let all: usize = (0..1_000).map(|tenant| count(|| sampler.admits(&tenant.to_string(), at(20)))).sum();
        assert!(all <= 3_600, "{all}");
    }
}
