//! What every request passes: it gets an id, is let in or told to come later, and leaves one line in the log.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use countersign_core::token_exchange::ErrorCode;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{App, api, error};
use crate::connections::Activity;
use crate::limits::{Purpose, TooMany};
use crate::store::ExchangeId;
use crate::traces;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every request an id, which every answer carries and every record of it has, and asks whether its address may send
/// one more before anything is done for it.
pub(super) async fn pass(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let exchange = &app.exchange;
    let id = exchange.fresh_id();
    let connection = request.extensions().get::<Arc<Activity>>().cloned();
    let peer = connection.as_ref().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |from| from.peer().ip());
    // A request in flight keeps its connection from being idle.
    let _busy = connection.map(Activity::work);
    let client = exchange.limits.forwarding.client(peer, request.headers());
    let method = method(request.method());
    let route = Route::of(&request);
    let span = traces::of_request(method, route.text(), &id, request.headers());
    request.extensions_mut().insert::<ExchangeId>(id.clone());

    let is_api = api::has(request.uri().path());
    let purpose = route.purpose(request.headers());
    let admitted = purpose
        .map_or(Ok(()), |purpose| exchange.limits.admit(client, purpose, exchange.clock.unix_millis()));
    let mut response = match admitted {
        Ok(()) => next.run(request).instrument(span.clone()).await,
        Err(too_many) => {
            exchange.metrics.limited(too_many.what);
            slow_down(too_many, is_api)
        }
    };
    let status = response.status();
    if purpose == Some(Purpose::Exchange) && status == StatusCode::OK {
        // It came to a token.
        exchange.limits.forgive(client);
    }
    if purpose == Some(Purpose::Proven) && matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    {
        exchange.limits.count_failure(client, exchange.clock.unix_millis());
    }
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    traces::note_status(&span, status.as_u16());
    let took = started.elapsed();
    exchange.metrics.answered(method, route.text(), status.as_u16(), took);
    let milliseconds = took.as_secs_f64() * 1_000.0;
    tracing::info!(target: "countersign_server::access", %id, method, route = route.text(), status = status.as_u16(), milliseconds, %client, "request");
    response
}

/// The pattern of the path. Never the path itself, in which anything may stand: also a token, by mistake.
struct Route(Option<MatchedPath>);

impl Route {
    fn of(request: &Request) -> Self {
        Self(request.extensions().get::<MatchedPath>().cloned())
    }

    fn text(&self) -> &str {
        self.0.as_ref().map_or("none", MatchedPath::as_str)
    }

    /// What a request counts as; health checks count as nothing. Where an admin token is looked at, what is written in its
    /// place is believed for now: if it is none, the answer says so, and is counted. Explanations cost as much as an exchange
    /// and need no admin token.
    fn purpose(&self, headers: &HeaderMap) -> Option<Purpose> {
        let route = self.text();
        let asks_for_proof = route == "/oauth/introspect" || route.starts_with("/api/");
        match route {
            "/healthz" | "/readyz" => None,
            "/oauth/token" => Some(Purpose::Exchange),
            "/api/v1/explain" | "/api/v1" | "/api/v1/openapi.json" => Some(Purpose::Anybodys),
            _ if asks_for_proof && headers.contains_key(header::AUTHORIZATION) => Some(Purpose::Proven),
            _ => Some(Purpose::Anybodys),
        }
    }
}

/// The method, if it is one of those that somebody uses: others are any text of the client's.
fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// In the form that the path's own errors have.
fn slow_down(too_many: TooMany, is_api: bool) -> Response {
    if is_api {
        return api::Problem::from(too_many).into_response();
    }
    let mut response = error(StatusCode::TOO_MANY_REQUESTS, ErrorCode::SlowDown, &too_many.to_string());
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(too_many.seconds()));
    response
}
