//! Why a request to the API was not done (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_core::token_exchange::ErrorCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::ErrorProfile;
use crate::exchange::ExchangeError;
use crate::http::body::Unread;
use crate::limits::TooMany;
use crate::store::{Conflict, MOST_OF_A_RESOURCE, StoreError};

/// A problem: what was expected, what came, what to do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`: `code` says what it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// A stable code for programs.
    code: &'static str,
    /// A sentence for people.
    detail: String,
    /// In how many seconds to try again, for the header `Retry-After` of 429 and 503.
    #[serde(skip)]
    retry_after: u64,
}

/// The name of RFC 9457 for the media type.
const MEDIA_TYPE: &str = "application/problem+json";

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            code,
            detail: detail.into(),
            retry_after: 1,
        }
    }

    /// The request is not one that this path takes.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// The request can be read, but what it asks for cannot be.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    /// Who asks is not known.
    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "expected Authorization: Bearer with an admin token in force; `countersign-server admin-token add` makes one",
        )
    }

    /// Who asks may not do that, which says nothing about what there is.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// There is no such path.
    pub(in crate::http) fn no_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
    }

    /// The path takes other methods.
    pub(in crate::http) fn no_method() -> Self {
        let detail = "this path takes another method, see the allow header";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    /// There is nothing, or nothing that whoever asks may see: both read the same.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what} of that name"))
    }

    /// It is there already.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// `If-Match` is missing (RFC 6585 §3).
    pub(super) fn precondition_required() -> Self {
        Self::new(
            StatusCode::PRECONDITION_REQUIRED,
            "precondition_required",
            "expected If-Match with the ETag that the publisher was read with, so that nobody's change is lost",
        )
    }

    /// An id token cannot be looked at now, through no fault of its own.
    pub(super) fn not_now(error: &ExchangeError) -> Self {
        let status = match error.oauth(ErrorProfile::Hub) {
            ErrorCode::SlowDown => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        tracing::error!(error = error.for_log(), "an exchange could not be explained");
        Self { retry_after: error.retry_after(), ..Self::new(status, error.code(), error.to_string()) }
    }

    /// It is not the caller's fault.
    pub(super) fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "the server's database does not do it at the moment; try again",
        )
    }

    /// The same problem, about a part of what was sent.
    pub(super) fn about(self, what: &str) -> Self {
        Self { detail: format!("{what}: {}", self.detail), ..self }
    }

    /// The sentence for people.
    pub(in crate::http) fn detail(&self) -> &str {
        &self.detail
    }

    /// The media type of the body.
    pub(super) fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "expected content-type application/json",
        )
    }

    /// The body could not be read.
    pub(super) fn unread(unread: Unread, limit: usize) -> Self {
        let (status, code) = match unread {
            Unread::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Unread::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too_slow"),
        };
        Self::new(status, code, unread.expected(limit))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request to the API was not done");
        Self::unavailable()
    }
}

impl From<TooMany> for Problem {
    fn from(too_many: TooMany) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", too_many.to_string());
        Self { retry_after: too_many.seconds(), ..problem }
    }
}

impl From<Conflict> for Problem {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Missing(_) => Self::not_found("publisher"),
            Conflict::Changed(id) => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                format!(
                    "the publisher {id} was changed meanwhile; read it again and decide on what it is now"
                ),
            ),
            Conflict::Exists(id) => Self::conflict(format!("there is a publisher {id} already")),
            Conflict::TooMany(resource) => Self::new(
                StatusCode::CONFLICT,
                "too_many_publishers",
                format!(
                    "{resource} would have more than {MOST_OF_A_RESOURCE} publishers, which is as many as a resource may have, \
                     disabled and pending ones included; remove those that let nobody in (GET /publishers?unused_since=TIME), or \
                     give one publisher several values"
                ),
            ),
            Conflict::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "this Idempotency-Key was used with another request; take a new one for each creation",
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Texts and a number: nothing that JSON cannot say.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after));
            }
            _ => {}
        }
        response
    }
}
