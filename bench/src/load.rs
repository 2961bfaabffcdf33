//! The load generator.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::bail;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::Instant;

use crate::connection::Connection;

/// How long before a steady rate begins its connections are there: a server still has to accept what its kernel has opened.
const SETTLE: Duration = Duration::from_millis(200);
/// One in so many requests comes before the rate is steady: a server that had nothing to do is behind at first.
const LEAD_IN: usize = 8;
/// How long whoever keeps the pace sleeps at least.
const TICK: Duration = Duration::from_micros(500);

/// A request that is ready for the wire, and what has to come of it.
pub(crate) struct Request {
    bytes: Vec<u8>,
    /// The status of the right answer.
    expected: u16,
}

impl Request {
    /// One that gets a token.
    pub(crate) fn good(bytes: Vec<u8>) -> Self {
        Self { bytes, expected: 200 }
    }

    /// One that is refused.
    pub(crate) fn bad(bytes: Vec<u8>) -> Self {
        Self { bytes, expected: 400 }
    }
}

/// How a load went. Every answer was the right one, otherwise there is none of this.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// How many requests were answered.
    pub(crate) answered: usize,
    /// From when each request that got a token was due to its answer, in ascending order. At a steady rate without the first
    /// [few](LEAD_IN).
    pub(crate) latencies: Vec<Duration>,
}

/// Sends requests as fast as they are answered, each connection its next one when it has its answer, until there are no more
/// or the time is up. Connections are spread over the addresses.
pub(crate) async fn closed_loop(
    addresses: &[SocketAddr],
    connections: u16,
    requests: Vec<Request>,
    at_most: Duration,
) -> anyhow::Result<Outcome> {
    let begin = |start| Mode::Closed { until: start + at_most };
    run(addresses, connections, requests, Duration::ZERO, begin).await
}

/// Sends all requests at a steady rate, whether earlier ones have been answered or not, over as few of the connections as that
/// takes.
///
/// Latency counts from when a request was due, not from when a connection was free to send it: a server that stalls makes
/// those behind wait, and that is what their callers would see. The first eighth of the requests is not in it.
pub(crate) async fn paced(
    addresses: &[SocketAddr],
    connections: u16,
    requests: Vec<Request>,
    per_second: f64,
) -> anyhow::Result<Outcome> {
    let interval = Duration::from_secs_f64(1.0 / per_second);
    let begin = |start| Mode::Open(Pace { start, interval, line: Mutex::new(Line::default()) });
    run(addresses, connections, requests, SETTLE, begin).await
}

struct Load {
    requests: Vec<Request>,
    next: AtomicUsize,
    mode: Mode,
}

/// A request that is to be sent.
struct Due<'a> {
    request: &'a Request,
    since: Instant,
    /// Whether its latency is one of a steady rate.
    counts: bool,
}

enum Mode {
    /// A connection that has its answer sends the next request, until then.
    Closed {
        until: Instant,
    },
    Open(Pace),
}

struct Pace {
    start: Instant,
    interval: Duration,
    line: Mutex<Line>,
}

/// Either requests wait for a connection, or connections for a request. The one that was used last goes first, as in a proxy's pool:
/// in turns, they would all have to be in the processor's caches.
#[derive(Default)]
struct Line {
    due: usize,
    idle: Vec<oneshot::Sender<()>>,
}

async fn run(
    addresses: &[SocketAddr],
    connections: u16,
    requests: Vec<Request>,
    settle: Duration,
    begin: impl FnOnce(Instant) -> Mode,
) -> anyhow::Result<Outcome> {
    let mut opened = Vec::new();
    for address in addresses.iter().cycle().take(usize::from(connections)) {
        opened.push(Connection::open(*address).await?);
    }
    tokio::time::sleep(settle).await;
    let start = Instant::now();
    let load = Arc::new(Load { requests, next: AtomicUsize::new(0), mode: begin(start) });
    let mut senders = JoinSet::new();
    for connection in opened {
        senders.spawn(send(connection, Arc::clone(&load)));
    }
    let pacing = Arc::clone(&load);
    let pacer = spawn_blocking(move || {
        if let Mode::Open(pace) = &pacing.mode {
            pace.run(pacing.requests.len(), usize::from(connections));
        }
    });
    let (mut answered, mut latencies) = (0, Vec::with_capacity(load.requests.len()));
    while let Some(ended) = senders.join_next().await {
        let (also_answered, more) = ended??;
        answered += also_answered;
        latencies.extend(more);
    }
    let took = start.elapsed();
    pacer.await?;
    latencies.sort_unstable();
    Ok(Outcome { took, answered, latencies })
}

/// How many requests were answered on a connection, and the times of those that got a token.
async fn send(mut connection: Connection, load: Arc<Load>) -> anyhow::Result<(usize, Vec<Duration>)> {
    let (mut answered, mut latencies) = (0, Vec::new());
    while let Some(Due { request, since, counts }) = load.next().await? {
        let answer = connection.send(&request.bytes).await?;
        if answer.status != request.expected {
            let body = String::from_utf8_lossy(&answer.body);
            bail!("expected {}, got {}: {body}", request.expected, answer.status);
        }
        answered += 1;
        if answer.status == 200 && counts {
            latencies.push(since.elapsed());
        }
    }
    Ok((answered, latencies))
}

impl Load {
    /// The next request once it is due.
    async fn next(&self) -> anyhow::Result<Option<Due<'_>>> {
        let take = || self.next.fetch_add(1, Ordering::Relaxed);
        let (index, since, counts) = match &self.mode {
            Mode::Closed { until } => {
                let now = Instant::now();
                if now >= *until {
                    return Ok(None);
                }
                (take(), now, true)
            }
            Mode::Open(pace) => {
                pace.turn().await?;
                let index = take();
                (index, pace.due_at(index), index >= self.requests.len() / LEAD_IN)
            }
        };
        Ok(self.requests.get(index).map(|request| Due { request, since, counts }))
    }
}

impl Pace {
    fn due_at(&self, index: usize) -> Instant {
        self.start + self.interval.mul_f64(f64::from(u32::try_from(index).unwrap_or(u32::MAX)))
    }

    /// Lets each request go when it is due, and at the end every connection, so that it finds nothing left.
    ///
    /// Sleeps on a thread of its own: the runtime's timer counts whole milliseconds, and who spins instead takes the core from a database
    /// that shares it. So does who wakes up for each of ten thousand requests a second: those go together that are due within a
    /// [tick](TICK), which counts for their latency.
    fn run(&self, requests: usize, connections: usize) {
        for index in 0..requests {
            let wait = self.due_at(index).saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                thread::sleep(wait.max(TICK));
            }
            self.line().advance();
        }
        (0..connections).for_each(|_| self.line().advance());
    }

    /// Waits until it is this connection's turn to send a request that is due.
    async fn turn(&self) -> anyhow::Result<()> {
        let called = {
            let mut line = self.line();
            if line.due > 0 {
                line.due -= 1;
                return Ok(());
            }
            let (call, called) = oneshot::channel();
            line.idle.push(call);
            called
        };
        Ok(called.await?)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// One more request is due.
    fn advance(&mut self) {
        if self.idle.pop().is_none_or(|call| call.send(()).is_err()) {
            self.due += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::{Request, closed_loop, paced};

    /// Answers whatever comes with the request itself.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut bytes = [0; 1_024];
                    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
                        stream.write_all(&bytes[..length]).await.unwrap();
                    }
                });
            }
        });
        address
    }

    fn answer(status: u16) -> Vec<u8> {
        format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n").into_bytes()
    }

    #[tokio::test]
    async fn only_right_answers_count_and_only_tokens_have_a_latency() {
        let address = [echo().await];
        let requests =
            || vec![Request::good(answer(200)), Request::bad(answer(400)), Request::good(answer(200))];
        let hour = Duration::from_hours(1);
        let outcome = closed_loop(&address, 2, requests(), hour).await.unwrap();
        assert_eq!((outcome.answered, outcome.latencies.len()), (3, 2));
        let outcome = paced(&address, 2, requests(), 1_000.0).await.unwrap();
        assert_eq!((outcome.answered, outcome.latencies.len()), (3, 2));
        let many = (0..16).map(|_| Request::good(answer(200))).collect();
        let outcome = paced(&address, 2, many, 1_000.0).await.unwrap();
        assert_eq!((outcome.answered, outcome.latencies.len()), (16, 14));
        assert!(closed_loop(&address, 2, vec![Request::good(answer(400))], hour).await.is_err());
        assert!(closed_loop(&address, 2, vec![Request::bad(answer(200))], hour).await.is_err());
        let none = closed_loop(&address, 2, requests(), Duration::ZERO).await.unwrap();
        assert_eq!(none.answered, 0);
    }
}
