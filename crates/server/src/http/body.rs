//! Reading the parameters of an OAuth request.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use countersign_core::AccessToken;
use countersign_core::token_exchange::{ErrorCode, Parameters};

use super::error;

/// The largest body: a token of a kilobyte or two, and room.
const MAX_BODY: usize = 16 * 1024;
/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a form or a JSON object; the error is the answer to send.
pub(super) async fn parameters(request: Request) -> Result<Parameters, Response> {
    let invalid = |description: &str| error(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, description);
    // A token in a URL ends up in logs and histories: refused, even if it would have been ignored.
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(invalid("parameters belong in the body, never in the URL"));
    }
    let (parts, body) = request.into_parts();
    let kind = content_type(&parts.headers);
    let body = bounded(body, MAX_BODY).await.map_err(|unread| {
        let status = match unread {
            Unread::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Unread::TooSlow => StatusCode::REQUEST_TIMEOUT,
        };
        error(status, ErrorCode::InvalidRequest, &unread.expected(MAX_BODY))
    })?;
    match kind.as_str() {
        "application/json" => Parameters::from_json(&body).map_err(|problem| invalid(&problem.to_string())),
        "application/x-www-form-urlencoded" => Ok(Parameters::from_form(&body)),
        _ => {
            let description = "expected content-type application/x-www-form-urlencoded or application/json";
            Err(error(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::InvalidRequest, description))
        }
    }
}

/// Reads the `token` of a revocation or introspection (RFC 7009 §2.1, RFC 7662 §2.1).
pub(super) async fn token(request: Request) -> Result<AccessToken, Response> {
    let invalid = |description: &str| error(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, description);
    match parameters(request).await?.text("token") {
        Ok(Some(token)) => Ok(AccessToken::from(token.to_owned())),
        Ok(None) => Err(invalid("the parameter token is missing")),
        Err(problem) => Err(invalid(&problem.to_string())),
    }
}

/// The media type without its parameters, in lower case.
pub(super) fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Why a body was not read.
#[derive(Clone, Copy)]
pub(super) enum Unread {
    /// It is larger than it may be, or broke off.
    TooLarge,
    /// It did not come.
    TooSlow,
}

impl Unread {
    /// What should have come instead.
    pub(super) fn expected(self, limit: usize) -> String {
        match self {
            Self::TooLarge => format!("expected a complete body of at most {} KiB", limit / 1024),
            Self::TooSlow => "expected the whole body within ten seconds".to_owned(),
        }
    }
}

/// Reads a body of at most so many bytes, which has to come in time: whoever drips it would hold the connection.
pub(super) async fn bounded(body: Body, limit: usize) -> Result<Bytes, Unread> {
    let read = tokio::time::timeout(PATIENCE, to_bytes(body, limit)).await;
    read.map_err(|_| Unread::TooSlow)?.map_err(|_| Unread::TooLarge)
}
