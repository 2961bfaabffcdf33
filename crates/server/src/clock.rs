//! Time and randomness, injected.

use std::time::Duration;

use countersign_core::UnixTime;

/// Where the server takes the time from.
pub trait Clock: Send + Sync {
    /// What has passed since 1970-01-01T00:00:00Z.
    fn since_epoch(&self) -> Duration;

    /// The same in whole milliseconds.
    fn unix_millis(&self) -> u64 {
        u64::try_from(self.since_epoch().as_millis()).unwrap_or(u64::MAX)
    }

    /// The same in whole seconds.
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(i64::try_from(self.since_epoch().as_secs()).unwrap_or(i64::MAX))
    }
}

/// Where the server takes randomness from: ids, keys and nonces.
pub trait Randomness: Send + Sync {
    /// Fills the buffer with bytes that nobody can predict.
    fn fill(&self, buffer: &mut [u8]);
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the edge: everything else takes this clock")]
    fn since_epoch(&self) -> Duration {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
    }
}

/// The random generator of the operating system, through the cryptographic library.
#[derive(Debug)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, buffer: &mut [u8]) {
        // Without randomness every key and id could be guessed; there is nothing sensible to go on with.
        #[expect(
            clippy::expect_used,
            reason = "fails only where the operating system has no random generator"
        )]
        aws_lc_rs::rand::fill(buffer).expect("the operating system gives random bytes");
    }
}

/// An id that nobody has used and that sorts by time: a UUID of version 7 (RFC 9562 §5.7).
///
/// Ids of one millisecond sort by time too, to the quarter of a microsecond (§6.2, method 3): the ledger is written in about the order
/// of its ids, so each goes to the end of its indexes. 62 random bits remain.
pub fn fresh_id(clock: &dyn Clock, randomness: &dyn Randomness) -> String {
    id(clock.since_epoch(), randomness)
}

/// The same where the time has been read already.
pub fn fresh_id_at(now: UnixTime, randomness: &dyn Randomness) -> String {
    id(Duration::from_secs(u64::try_from(now.as_seconds()).unwrap_or(0)), randomness)
}

fn id(since_epoch: Duration, randomness: &dyn Randomness) -> String {
    let millis = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
    let [.., high, low] = (since_epoch.subsec_nanos() % 1_000_000 * 4_096 / 1_000_000).to_be_bytes();
    let mut bytes = [high, low, 0, 0, 0, 0, 0, 0, 0, 0];
    randomness.fill(&mut bytes[2..]);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid();
    id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u8);

    impl Randomness for Always {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn ids_sort_by_time_whatever_chance_has_it() {
        let start = Duration::from_secs(1_790_000_000);
        let moments = [0, 250, 500, 900, 999_500, 1_000_000, 1_000_250, 2_000_000];
        let ids = moments.map(|nanos| {
            let chance = Always(if nanos % 500 == 0 { 0xff } else { 0 });
            id(start + Duration::from_nanos(nanos), &chance)
        });
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        assert_eq!(ids[0], "01a0c450-6c00-7000-bfff-ffffffffffff");
    }

    #[test]
    fn ids_of_one_moment_differ() {
        let ids = [0, 1].map(|chance| id(Duration::from_secs(1), &Always(chance)));
        assert_ne!(ids[0], ids[1]);
    }
}
