//! A bound on what strangers can have stored.

use countersign_core::UnixTime;

use crate::limits::{Bucket, Buckets, IssuerBudget, Rate};

/// Which refusals are put on record. All are logged; what is stored stays bounded, whoever sends whatever.
///
/// A tenant of an issuer (a GitHub account, say) can cause refusals that verify, as many as it likes: each has a bucket of
/// its own, so that no one's noise keeps another's refusals off the record, and one bucket over all bounds the sum. Between
/// the two, an issuer with a budget has a bucket of a tenth of all, since whoever runs it can make up tenants without end.
/// What anybody can send without any account has a bucket to itself.
#[derive(Debug)]
pub struct Sampler {
    anybody: Bucket,
    verified: Bucket,
    tenants: Buckets,
}

const ANYBODYS: Rate = Rate::trickle(60, 1);
const VERIFIED: Rate = Rate::trickle(3_600, 1);
const TENANTS: Rate = Rate::trickle(60, 10);

/// Tenants whose buckets are remembered.
const REMEMBERED: usize = 10_000;

impl Default for Sampler {
    fn default() -> Self {
        Self {
            anybody: Bucket::default(),
            verified: Bucket::default(),
            tenants: Buckets::new(TENANTS, REMEMBERED),
        }
    }
}

impl Sampler {
    /// Whether one more of what anybody can send may be stored: 60 at once, then one a second.
    pub(super) fn admits_anybodys(&self, now: UnixTime) -> bool {
        ANYBODYS.take(&self.anybody, millis(now)).is_ok()
    }

    /// Whether one more of a tenant's may be stored: 60 at once, then one in ten seconds; of all tenants together 3,600 at
    /// once, then one a second.
    pub(super) fn admits(&self, tenant: &str, issuer: Option<&IssuerBudget>, now: UnixTime) -> bool {
        let now = millis(now);
        self.tenants.take(tenant, now).is_ok()
            && issuer.is_none_or(|budget| budget.admits_record(now))
            && VERIFIED.take(&self.verified, now).is_ok()
    }
}

fn millis(time: UnixTime) -> u64 {
    u64::try_from(time.as_seconds()).unwrap_or(0).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn at(second: i64) -> UnixTime {
        UnixTime::from_seconds(1_000 + second)
    }

    fn count(admits: impl Fn() -> bool) -> usize {
        (0..200).filter(|_| admits()).count()
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
        assert_eq!(count(|| sampler.admits("evil", None, at(0))), 60);
        assert_eq!(count(|| sampler.admits("acme", None, at(0))), 60);
        assert_eq!(count(|| sampler.admits("evil", None, at(20))), 2);
        let all: usize =
            (0..1_000).map(|tenant| count(|| sampler.admits(&tenant.to_string(), None, at(20)))).sum();
        assert!(all <= 3_600, "{all}");
    }

    #[test]
    fn tenants_that_an_issuer_makes_up_are_not_everybodys_silence() {
        let sampler = Sampler::default();
        let budget = IssuerBudget::per_minute(NonZeroU32::MIN);
        let made_up = |tenant: usize| sampler.admits(&tenant.to_string(), Some(&budget), at(0));
        assert_eq!((0..10_000).filter(|tenant| made_up(*tenant)).count(), 360);
        assert_eq!(count(|| sampler.admits("acme", None, at(0))), 60);
    }
}
