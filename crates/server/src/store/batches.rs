//! Who has to do with the ledger's group commit.

use std::sync::OnceLock;
use std::time::Duration;

use crate::idleness::Idleness;

/// Is told how many exchanges a transaction of the ledger has recorded.
pub type BatchObserver = Box<dyn Fn(usize) + Send + Sync>;

/// The one observer of a store, if there is one, and those whose exchanges it may wait for.
#[derive(Default)]
pub(super) struct Batches {
    observer: OnceLock<BatchObserver>,
    idleness: OnceLock<Idleness>,
}

impl Batches {
    /// Tells `observer` from now on. Only the first counts.
    pub(super) fn watch(&self, observer: BatchObserver) {
        // A second one is turned away: no caller has two.
        let _ = self.observer.set(observer);
    }

    /// Knows from now on whether there may be more to come. Only the first counts.
    pub(super) fn heed(&self, idleness: Idleness) {
        let _ = self.idleness.set(idleness);
    }

    /// Waits as long as exchanges may be on their way, but no longer than that; not at all where nobody would know.
    pub(super) fn wait_for_more(&self, at_most: Duration) {
        if let Some(idleness) = self.idleness.get() {
            idleness.wait(at_most);
        }
    }

    /// A transaction was committed.
    pub(super) fn committed(&self, exchanges: usize) {
        if let Some(observer) = self.observer.get() {
            observer(exchanges);
        }
    }
}
