//! For whoever watches the process.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use countersign_core::UnixTime;
use countersign_core::token_exchange::ErrorCode;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{App, error};

/// The last look at the store. Whoever asks more often than once a second is told what the last look saw: a write costs a
/// flush to the disk, and anybody may ask.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<(UnixTime, bool)>>);

const FRESH: Duration = Duration::from_secs(1);
/// How long the store is waited for: a disk or a database that hangs is as good as none.
const PATIENCE: Duration = Duration::from_secs(5);

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// It can do its work: the ledger can be written, and the last exchange was. Without that it would issue nothing.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    // Held while the store is asked: those who wait find the answer when they get it.
    let mut last = app.readiness.0.lock().await;
    let now = app.exchange.clock.now();
    let seen = last.filter(|(at, _)| now.since(*at) < FRESH && now >= *at).map(|(_, is_ready)| is_ready);
    let is_ready = if let Some(is_ready) = seen {
        is_ready
    } else {
        let is_ready = match timeout(PATIENCE, app.exchange.store.check()).await {
            Ok(Ok(())) => true,
            Ok(Err(failure)) => {
                tracing::error!(%failure, "the store cannot be written");
                false
            }
            Err(_) => {
                tracing::error!("the store was not written within five seconds");
                false
            }
        };
        *last = Some((now, is_ready));
        is_ready
    };
    if is_ready && !app.exchange.recording.fails(now) {
        return "ok\n".into_response();
    }
    error(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TemporarilyUnavailable, "the store cannot be written")
}
