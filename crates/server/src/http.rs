//! The HTTP surface: each endpoint is a file that reads the request, calls, and phrases the answer.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use countersign_core::token_exchange::{ErrorCode, ErrorDescription, ErrorResponse};

#[expect(unused_qualifications, reason = "utoipa's macros write them")]
mod api;
mod body;
mod entrance;
mod health;
mod introspect;
mod metadata;
mod metrics;
mod revoke;
mod status;
mod token;

pub use health::Readiness;
pub use metrics::router as metrics_router;

use crate::config::ErrorProfile;
use crate::exchange::TokenExchange;
use crate::signing::EncryptionKey;
use api::Problem;

/// What the endpoints share.
pub struct App {
    /// The exchange.
    pub exchange: TokenExchange,
    /// How refusals of id tokens are coded.
    pub error_profile: ErrorProfile,
    /// What the places in lists are encrypted with that callers get.
    pub cursors: EncryptionKey,
    /// What was last seen of the store.
    pub readiness: Readiness,
}

/// All endpoints.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/oauth/token", post(token::exchange))
        .route("/oauth/revoke", post(revoke::revoke))
        .route("/oauth/introspect", post(introspect::introspect))
        .route("/status/{list}", get(status::list))
        .route("/.well-known/oauth-authorization-server", get(metadata::authorization_server))
        .route("/.well-known/openid-configuration", get(metadata::openid_configuration))
        .route("/.well-known/jwks.json", get(metadata::jwks))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(api::router())
        .fallback(nothing_here)
        .method_not_allowed_fallback(another_method)
        .layer(from_fn_with_state(Arc::clone(&app), entrance::pass))
        .with_state(app)
}

async fn nothing_here(uri: Uri) -> Response {
    let problem = Problem::no_path();
    if api::has(uri.path()) {
        return problem.into_response();
    }
    error(StatusCode::NOT_FOUND, ErrorCode::InvalidRequest, problem.detail())
}

async fn another_method(uri: Uri) -> Response {
    let problem = Problem::no_method();
    if api::has(uri.path()) {
        return problem.into_response();
    }
    error(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::InvalidRequest, problem.detail())
}

/// An OAuth error answer (RFC 6749 §5.2), never to be cached.
fn error(status: StatusCode, code: ErrorCode, description: &str) -> Response {
    let body = ErrorResponse { error: code, error_description: ErrorDescription::from(description) };
    let mut response = (status, axum::Json(body)).into_response();
    do_not_store(&mut response);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// RFC 6749 §5.1.
fn do_not_store(response: &mut Response) {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
}
