//! Connections that send requests at a steady pace until they are told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::traffic::Traffic;

/// Connections, each with one request under way.
pub(crate) const WORKERS: u64 = 8;
/// Requests a second of each.
pub(crate) const PACE: u32 = 20;

/// A load on one node, or in equal parts on several.
pub(crate) struct Load {
    stopped: Arc<AtomicBool>,
    workers: JoinSet<anyhow::Result<()>>,
}

impl Load {
    pub(crate) fn start(nodes: &[Arc<Traffic>]) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let nodes = nodes.iter().cycle();
        let workers = (0..WORKERS)
            .zip(nodes)
            .map(|(number, traffic)| work(Arc::clone(traffic), number, Arc::clone(&stopped)));
        Self { workers: workers.collect(), stopped }
    }

    /// Stops it, once everything that is under way has been answered.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stopped.store(true, Ordering::Relaxed);
        while let Some(ended) = self.workers.join_next().await {
            ended??;
        }
        Ok(())
    }
}

async fn work(traffic: Arc<Traffic>, number: u64, stopped: Arc<AtomicBool>) -> anyhow::Result<()> {
    let mut sender = traffic.sender(number).await?;
    let mut ticks = interval(Duration::from_secs(1) / PACE);
    // Who was held up does not catch up: a server that has just come back would meet all of it at once.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stopped.load(Ordering::Relaxed) {
        ticks.tick().await;
        sender.next().await?;
    }
    Ok(())
}
