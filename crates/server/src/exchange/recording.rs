//! Whether exchanges can be recorded, as those that tried have seen it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_core::UnixTime;

use crate::store::StoreError;

/// How long one failure counts. If nobody tries meanwhile, because this server is left out, it has to be tried again.
const COUNTS_FOR: Duration = Duration::from_secs(5);

/// The last record that failed, if none succeeded since.
///
/// A database can be written to in one place and not in another: on a full disk, rows change that are there, and none comes.
#[derive(Debug, Default)]
pub struct Recording(Mutex<Option<UnixTime>>);

impl Recording {
    /// Takes down how it went. That too many wait is no failure: a server that is busy is not helped by others being as busy.
    pub(super) fn note<T>(&self, recorded: &Result<T, StoreError>, now: UnixTime) {
        let failed = match recorded {
            Ok(_) => None,
            Err(StoreError::Overloaded) => return,
            Err(_) => Some(now),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }

    /// Whether the last that was tried failed, a moment ago.
    pub fn fails(&self, now: UnixTime) -> bool {
        let failed = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|at| now >= at && now.since(at) < COUNTS_FOR)
    }
}
