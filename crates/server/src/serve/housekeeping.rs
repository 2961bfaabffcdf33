//! What a running server does by itself.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::UnixTime;
use tokio::time::{Interval, MissedTickBehavior};

use crate::http::App;
use crate::store::{Actor, Author, ExchangeId, StoreError};

/// Follows what commands and other nodes do to signing keys and issuers, within a second.
pub(super) async fn follow(app: Arc<App>) {
    let exchange = &app.exchange;
    let mut ticks = ticks(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let refreshed =
            exchange.signer.refresh(&*exchange.store, exchange.clock.now(), &*exchange.randomness).await;
        if let Err(error) = refreshed {
            tracing::error!(%error, "the signing keys cannot be refreshed; those in memory stay in use");
        }
        if let Err(error) = exchange.issuers.refresh(&*exchange.store).await {
            tracing::error!(%error, "the issuers cannot be refreshed; those in memory stay in use");
        }
    }
}

/// Removes what has had its time: once a minute, and then a little at a time until nothing is left.
pub(super) async fn tidy(app: Arc<App>, keep_records: Option<Duration>) {
    let exchange = &app.exchange;
    let mut ticks = ticks(Duration::from_mins(1));
    loop {
        ticks.tick().await;
        loop {
            let at = exchange.clock.now();
            let author = Author { actor: Actor::Server, at, request: exchange.fresh_id() };
            let keep_since = keep_records.map(|keep| UnixTime::from_seconds(at.as_seconds() - seconds(keep)));
            match exchange.store.tidy(&author, keep_since).await {
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(%error, "the store cannot be tidied up; trying again in a minute");
                    break;
                }
            }
        }
    }
}

/// Seconds that cover the life of every token: 60 minutes, and what an exchange may have waited.
const LIVE: i64 = 61 * 60;
/// How long after a count the next begins.
const BETWEEN_COUNTS: Duration = Duration::from_secs(5);

/// Counts the live tokens again and again, a part a second: however large the ledger, it costs no more than that. What is
/// counted is what was good when a count began.
pub(super) async fn count_live_tokens(app: Arc<App>) {
    loop {
        match live_tokens(&app).await {
            Ok(count) => app.exchange.metrics.note_live_tokens(count),
            Err(error) => tracing::warn!(%error, "the live tokens cannot be counted; the last count stays"),
        }
        tokio::time::sleep(BETWEEN_COUNTS).await;
    }
}

async fn live_tokens(app: &App) -> Result<u64, StoreError> {
    let at = app.exchange.clock.now();
    let mut from = Some(ExchangeId::earliest_at(UnixTime::from_seconds(at.as_seconds() - LIVE)));
    let mut count = 0;
    let mut ticks = ticks(Duration::from_secs(1));
    while let Some(begin) = from {
        ticks.tick().await;
        let part = app.exchange.store.count_live(&begin, at).await?;
        count += part.count;
        from = part.next;
    }
    Ok(count)
}

/// What was missed while the store was slow is not made up for: that would be all at once.
fn ticks(period: Duration) -> Interval {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
