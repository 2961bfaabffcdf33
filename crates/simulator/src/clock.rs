//! The time that the running server goes by.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use countersign_core::UnixTime;

/// Tells the time. A test brings a frozen one.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// The clock of the machine: the one place where the simulator reads it.
pub fn system_clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "the edge: everything else takes this clock or a time")]
    Arc::new(|| {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        UnixTime::from_seconds(0) + since_epoch
    })
}
