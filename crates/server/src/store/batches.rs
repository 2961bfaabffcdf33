//! Who wants to know how the ledger's group commit is doing.

use std::sync::OnceLock;

/// Is told how many exchanges a transaction of the ledger has recorded.
pub type BatchObserver = Box<dyn Fn(usize) + Send + Sync>;

/// The one observer of a store, if there is one.
#[derive(Default)]
pub(super) struct Batches(OnceLock<BatchObserver>);

impl Batches {
    /// Tells `observer` from now on. Only the first counts.
    pub(super) fn watch(&self, observer: BatchObserver) {
        // A second one is turned away: no caller has two.
        let _ = self.0.set(observer);
    }

    /// A transaction was committed.
    pub(super) fn committed(&self, exchanges: usize) {
        if let Some(observer) = self.0.get() {
            observer(exchanges);
        }
    }
}
