//! For whoever watches the process.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use countersign_core::token_exchange::ErrorCode;

use super::{App, error};

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// It can do its work: the ledger can be written. Without that it would issue nothing.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.exchange.store.check().await {
        Ok(()) => "ok\n".into_response(),
        Err(failure) => {
            tracing::error!(%failure, "the store cannot be written");
            error(
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::TemporarilyUnavailable,
                "the store cannot be written",
            )
        }
    }
}
