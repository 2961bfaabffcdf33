//! `GET /status/{list}`: a Token Status List (draft-ietf-oauth-status-list-21 §8), for registries that verify by themselves.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_core::token_exchange::ErrorCode;

use super::{App, error};
use crate::status::ListId;

/// The one representation there is, whatever `Accept` says (RFC 9110 §12.5.1). It has no validators: a list is signed anew
/// every second, and an old one must not be called fresh.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    list: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(list) = list.ok().and_then(|Path(list)| ListId::parse(&list)) else {
        return error(
            StatusCode::NOT_FOUND,
            ErrorCode::InvalidRequest,
            "there is no status list at this path",
        );
    };
    // §8.4: who asks for another time must not be answered with now.
    let is_time = |pair: &str| pair.split('=').next() == Some("time");
    if query.is_some_and(|query| query.split('&').any(is_time)) {
        let description = "status lists of other times are not kept; ask without time";
        return error(StatusCode::NOT_IMPLEMENTED, ErrorCode::InvalidRequest, description);
    }
    let exchange = &app.exchange;
    let (store, now) = (&*exchange.store, exchange.clock.now());
    match exchange.status_lists.signed(&list, &exchange.own, store, &exchange.signer, now).await {
        Ok(jwt) => {
            let mut response = jwt.to_string().into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/statuslist+jwt"));
            let cache = format!("public, max-age={}", exchange.status_lists.ttl().as_secs());
            headers.extend(HeaderValue::try_from(cache).ok().map(|value| (header::CACHE_CONTROL, value)));
            response
        }
        Err(failure) => {
            tracing::error!(%failure, "a status list cannot be made");
            let description = "the status list cannot be made at the moment; try again";
            error(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::TemporarilyUnavailable, description)
        }
    }
}
