//! The server's memory over time.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::{Instant, sleep};

use crate::process::resident_memory;
use crate::trial::server::Running;

/// What may come in the time after the warm-up without being a leak: bounded tables that are not full yet (`docs/operating.md`
/// says how many counters are kept), pages that the allocator keeps.
const ROOM: u64 = 24 * 1024 * 1024;

/// Resident memory, in bytes.
#[derive(Debug)]
pub(super) struct Memory {
    warm: u64,
    end: u64,
}

impl Memory {
    /// Looks once a second: the most between the warm-up's end and twice that time, and the most in the last quarter.
    pub(super) async fn watch(server: &Running, warm_at: Instant, end: Instant) -> anyhow::Result<Self> {
        let mut samples = Vec::new();
        while Instant::now() < end {
            sleep(Duration::from_millis(500)).await;
            samples.push((Instant::now(), resident_memory(server.process())?));
        }
        let quarter = (end - warm_at) / 3;
        let most = |from: Instant, to: Instant| {
            let within = samples.iter().filter(|(at, _)| (from..to).contains(at));
            within.map(|(_, bytes)| *bytes).max().context("there is no sample of the memory")
        };
        Ok(Self { warm: most(warm_at, warm_at + quarter)?, end: most(end - quarter, end)? })
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        let most = self.warm + self.warm / 10 + ROOM;
        ensure!(self.end <= most, "{self}; expected at most {} MiB", mebibytes(most));
        Ok(())
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory: {} MiB when warm, {} MiB at the end", mebibytes(self.warm), mebibytes(self.end))
    }
}

fn mebibytes(bytes: u64) -> u64 {
    bytes / (1024 * 1024)
}
