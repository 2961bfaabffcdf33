//! A bound on what strangers can have stored.

use std::sync::Mutex;

use countersign_core::UnixTime;

/// Admits a burst, then a steady trickle.
#[derive(Debug)]
pub struct Sampler(Mutex<State>);

#[derive(Debug)]
struct State {
    left: u32,
    refilled_at: UnixTime,
}

/// Rows at once.
const BURST: u32 = 60;
/// Seconds for which one more is admitted.
const SECONDS_EACH: u64 = 1;

impl Default for Sampler {
    fn default() -> Self {
        Self(Mutex::new(State { left: BURST, refilled_at: UnixTime::from_seconds(0) }))
    }
}

impl Sampler {
    /// Whether one more may be stored.
    pub(super) fn admits(&self, now: UnixTime) -> bool {
        let Ok(mut state) = self.0.lock() else { return false };
        let earned = now.since(state.refilled_at).as_secs() / SECONDS_EACH;
        if earned > 0 {
            state.left = BURST.min(state.left.saturating_add(u32::try_from(earned).unwrap_or(BURST)));
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

    #[test]
    fn admits_a_burst_and_then_one_a_second() {
        let sampler = Sampler::default();
        let at = |second: i64| UnixTime::from_seconds(1_000 + second);
        assert_eq!((0..1_000).filter(|_| sampler.admits(at(0))).count(), 60);
        assert_eq!((0..1_000).filter(|_| sampler.admits(at(3))).count(), 3);
        assert!(!sampler.admits(at(2)), "a clock that goes back earns nothing");
    }
}
