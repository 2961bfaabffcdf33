//! What happens on a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The requests of a connection: whose they are, how many are worked on, and when the last one was.
#[derive(Debug)]
pub struct Activity {
    peer: SocketAddr,
    opened_at: Instant,
    busy: AtomicUsize,
    /// Milliseconds since it was opened.
    last: AtomicU64,
}

/// A request that is worked on, for as long as it is held.
#[derive(Debug)]
pub struct Busy(Arc<Activity>);

impl Activity {
    pub(super) fn begin(peer: SocketAddr) -> Self {
        Self { peer, opened_at: Instant::now(), busy: AtomicUsize::new(0), last: AtomicU64::new(0) }
    }

    /// The other side of the connection.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Notes that a request came.
    pub(super) fn note(&self) {
        let since = u64::try_from(self.opened_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
    }

    /// Works on a request from now on.
    pub fn work(self: Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self)
    }

    /// When there will have been no request for so long, as far as one knows now.
    pub(super) fn idle_at(&self, patience: Duration) -> Instant {
        if self.busy.load(Ordering::Relaxed) > 0 {
            return Instant::now() + patience;
        }
        self.opened_at + Duration::from_millis(self.last.load(Ordering::Relaxed)) + patience
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.note();
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
