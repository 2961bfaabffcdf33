//! The load generator.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::bail;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::connection::Connection;

/// How a load went. Every answer was a token, otherwise there is none of this.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// From when each request was due to its answer, in ascending order.
    pub(crate) latencies: Vec<Duration>,
}

/// Sends all requests as fast as they are answered: each connection sends its next one when it has its answer.
pub(crate) async fn closed_loop(
    address: SocketAddr,
    connections: u16,
    requests: Vec<Vec<u8>>,
) -> anyhow::Result<Outcome> {
    run(address, connections, Load { requests, next: AtomicUsize::new(0), pace: None }).await
}

/// Sends all requests at a steady rate, whether earlier ones have been answered or not.
///
/// Latency counts from when a request was due, not from when a connection was free to send it: a server that stalls makes
/// those behind wait, and that is what their callers would see.
pub(crate) async fn paced(
    address: SocketAddr,
    connections: u16,
    requests: Vec<Vec<u8>>,
    per_second: f64,
) -> anyhow::Result<Outcome> {
    let interval = Duration::from_secs_f64(1.0 / per_second);
    // Connections are opened first; that takes no longer than this.
    let start = Instant::now() + Duration::from_millis(200);
    let pace = Pace { start, interval, due: Semaphore::new(0) };
    run(address, connections, Load { requests, next: AtomicUsize::new(0), pace: Some(pace) }).await
}

struct Load {
    requests: Vec<Vec<u8>>,
    next: AtomicUsize,
    pace: Option<Pace>,
}

struct Pace {
    start: Instant,
    interval: Duration,
    /// One permit for each request that is due.
    due: Semaphore,
}

async fn run(address: SocketAddr, connections: u16, load: Load) -> anyhow::Result<Outcome> {
    let mut opened = Vec::new();
    for _ in 0..connections {
        opened.push(Connection::open(address).await?);
    }
    let load = Arc::new(load);
    let start = load.pace.as_ref().map_or_else(Instant::now, |pace| pace.start);
    let mut senders = JoinSet::new();
    for connection in opened {
        senders.spawn(send(connection, Arc::clone(&load)));
    }
    if let Some(pace) = &load.pace {
        pace.run(load.requests.len(), usize::from(connections)).await;
    }
    let mut latencies = Vec::with_capacity(load.requests.len());
    while let Some(ended) = senders.join_next().await {
        latencies.extend(ended??);
    }
    let took = start.elapsed();
    latencies.sort_unstable();
    Ok(Outcome { took, latencies })
}

async fn send(mut connection: Connection, load: Arc<Load>) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while let Some((request, due)) = load.next().await? {
        let answer = connection.send(request).await?;
        if answer.status != 200 {
            bail!("expected 200, got {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        latencies.push(due.elapsed());
    }
    Ok(latencies)
}

impl Load {
    /// The next request once it is due, and when that was.
    async fn next(&self) -> anyhow::Result<Option<(&[u8], Instant)>> {
        if let Some(pace) = &self.pace {
            pace.due.acquire().await?.forget();
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let due = self.pace.as_ref().map_or_else(Instant::now, |pace| pace.due_at(index));
        Ok(self.requests.get(index).map(|request| (request.as_slice(), due)))
    }
}

impl Pace {
    fn due_at(&self, index: usize) -> Instant {
        self.start + self.interval.mul_f64(f64::from(u32::try_from(index).unwrap_or(u32::MAX)))
    }

    /// Lets each request go when it is due, and at the end every connection, so that it finds nothing left.
    ///
    /// The runtime's timer counts whole milliseconds, in which several requests are due: the last stretch is spun.
    async fn run(&self, requests: usize, connections: usize) {
        for index in 0..requests {
            let due = self.due_at(index);
            if due.saturating_duration_since(Instant::now()) > Duration::from_millis(2) {
                sleep_until(due - Duration::from_millis(1)).await;
            }
            while Instant::now() < due {
                tokio::task::yield_now().await;
            }
            self.due.add_permits(1);
        }
        self.due.add_permits(connections);
    }
}
