//! `GET /metrics`, on a listener of its own.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::App;
use crate::connections::Doorkeeper;
use crate::metrics::Levels;

/// What is watched.
#[derive(Clone)]
struct Watched {
    app: Arc<App>,
    doorkeeper: Doorkeeper,
}

/// The one endpoint. It says nothing that is secret, and much that is nobody's business: so it is not among the others.
pub fn router(app: Arc<App>, doorkeeper: Doorkeeper) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(Watched { app, doorkeeper })
}

async fn metrics(State(Watched { app, doorkeeper }): State<Watched>) -> Response {
    let exchange = &app.exchange;
    let levels = Levels {
        connections: doorkeeper.open(),
        in_flight: exchange.limits.in_flight(),
        signing_key_age: exchange.clock.now().since(exchange.signer.keys().active_from()),
    };
    let issuers = exchange.issuers.all();
    exchange.metrics.note_health(issuers.iter().map(|issuer| (&issuer.label, issuer.keys.health())));
    let kind = [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    match exchange.metrics.written(levels) {
        Ok(text) => (kind, text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
