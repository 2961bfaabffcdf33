//! Time and randomness, injected.

use countersign_core::UnixTime;

/// Where the server takes the time from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn unix_millis(&self) -> u64;

    /// The same in whole seconds.
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(i64::try_from(self.unix_millis() / 1000).unwrap_or(i64::MAX))
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
    fn unix_millis(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
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
pub fn fresh_id(clock: &dyn Clock, randomness: &dyn Randomness) -> String {
    id(clock.unix_millis(), randomness)
}

/// The same where the time has been read already.
pub fn fresh_id_at(now: UnixTime, randomness: &dyn Randomness) -> String {
    id(u64::try_from(now.as_seconds()).unwrap_or(0).saturating_mul(1000), randomness)
}

fn id(millis: u64, randomness: &dyn Randomness) -> String {
    let mut random = [0; 10];
    randomness.fill(&mut random);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).to_owned()
}
