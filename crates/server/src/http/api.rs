//! `/api/v1`: administration. Each file is a kind of thing; what a request may do, its [`caller::Caller`] says.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

mod admin_tokens;
mod caller;
mod changes;
mod exchanges;
mod explain;
mod input;
mod issuers;
mod list;
mod page;
mod problem;
mod publishers;
mod signing_keys;
mod tokens;

pub(super) use caller::admin_token;
pub(super) use problem::Problem;

use super::App;

/// Why a request that reads is not answered.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes what `Problem` says")]
enum Reading {
    /// The request is not one that this path takes.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(Problem),
    /// Who asks is not known.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// Who asks may not.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// There is nothing of that name that the caller may see.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// Too many requests.
    #[response(status = 429, content_type = "application/problem+json", headers(("retry-after" = u64, description = "In how many seconds to try again")))]
    TooMany(Problem),
    /// The database does not answer; try again.
    #[response(status = 503, content_type = "application/problem+json", headers(("retry-after" = u64, description = "In how many seconds to try again")))]
    Unavailable(Problem),
}

/// Why a request that changes or explains something is not done.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes what `Problem` says")]
enum Changing {
    /// The request is not one that this path takes.
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(Problem),
    /// Who asks is not known.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Problem),
    /// Who asks may not.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// There is nothing of that name that the caller may see.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// It is there already.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// The body did not come in time.
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(Problem),
    /// It was changed meanwhile.
    #[response(status = 412, content_type = "application/problem+json")]
    PreconditionFailed(Problem),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMediaType(Problem),
    /// What it asks for cannot be.
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
    /// `If-Match` is missing.
    #[response(status = 428, content_type = "application/problem+json")]
    PreconditionRequired(Problem),
    /// Too many requests.
    #[response(status = 429, content_type = "application/problem+json", headers(("retry-after" = u64, description = "In how many seconds to try again")))]
    TooMany(Problem),
    /// The database does not answer; try again.
    #[response(status = 503, content_type = "application/problem+json", headers(("retry-after" = u64, description = "In how many seconds to try again")))]
    Unavailable(Problem),
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Countersign administration",
        description = "Trusted publishers, issuers, exchanges, tokens, the audit log, admin tokens and signing keys of one \
                       server. Every request bears an admin token. Times are Unix seconds. Problems are RFC 9457."
    ),
    components(schemas(Problem)),
    modifiers(&AdminTokens),
    security(("admin_token" = []))
)]
struct Document;

struct AdminTokens;

impl Modify for AdminTokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An admin token: `countersign-server admin-token add`, or `POST /admin-tokens`",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("admin_token", SecurityScheme::Http(scheme));
    }
}

/// Whether a path is the API's, where every error is a problem (RFC 9457).
pub(super) fn has(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// The paths of the API, its description (`OpenAPI` 3.1) and a page to read.
pub(super) fn router() -> Router<Arc<App>> {
    let (router, document) = described();
    let page = Bytes::from(page::written(&document));
    let document = Bytes::from(document.to_json().unwrap_or_default());
    router
        .route(
            "/api/v1/openapi.json",
            get(|| async { ([(header::CONTENT_TYPE, "application/json")], document) }),
        )
        .route("/api/v1", get(|| async { secured(Html(page)) }))
}

fn described() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    let paths = OpenApiRouter::new()
        .merge(publishers::router())
        .merge(exchanges::router())
        .merge(tokens::router())
        .merge(changes::router())
        .merge(issuers::router())
        .merge(admin_tokens::router())
        .merge(signing_keys::router())
        .merge(explain::router());
    OpenApiRouter::with_openapi(Document::openapi()).nest("/api/v1", paths).split_for_parts()
}

/// A page without scripts, frames and anything from elsewhere.
fn secured(page: impl IntoResponse) -> Response {
    let mut response = page.into_response();
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
