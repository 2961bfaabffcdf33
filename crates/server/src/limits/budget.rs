//! What one issuer may take of the server.

use std::num::NonZeroU32;
use std::time::Duration;

use super::bucket::{Bucket, Rate};

/// The budget of an issuer, above those of its tenants.
///
/// Whoever runs an issuer can make up as many tenants as they like, each with a budget of its own: without this, all of them
/// together would have none.
#[derive(Debug)]
pub struct IssuerBudget {
    exchanges: Rate,
    exchanged: Bucket,
    recorded: Bucket,
}

/// Refusals on record: a tenth of what all tenants together may have.
const REFUSALS: Rate = Rate::trickle(360, 10);

impl IssuerBudget {
    /// So many exchanges at once, and as many a minute.
    pub fn per_minute(exchanges: NonZeroU32) -> Self {
        let exchanges = Rate::per_minute(exchanges.get());
        Self { exchanges, exchanged: Bucket::default(), recorded: Bucket::default() }
    }

    /// Takes an exchange, or says when there is one; `now` in milliseconds.
    pub(super) fn take(&self, now: u64) -> Result<(), Duration> {
        self.exchanges.take(&self.exchanged, now)
    }

    /// Whether there is one, without taking it.
    pub(super) fn has_room(&self, now: u64) -> Result<(), Duration> {
        self.exchanges.has_room(&self.exchanged, now)
    }

    /// Whether one more refusal of its tokens may be stored: 360 at once, then one in ten seconds.
    pub(crate) fn admits_record(&self, now: u64) -> bool {
        REFUSALS.take(&self.recorded, now).is_ok()
    }
}
