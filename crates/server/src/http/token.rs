//! `POST /oauth/token`: the Hub's dialect and RFC 8693's, which differ in the encoding of the body only.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_core::token_exchange::{ErrorCode, Parameters, TokenRequest, TokenResponse};

use super::{App, do_not_store, error};
use crate::config::ErrorProfile;
use crate::store::ExchangeId;

/// The largest body: an id token of a kilobyte or two, and room.
const MAX_BODY: usize = 16 * 1024;

pub(super) async fn exchange(
    State(app): State<Arc<App>>,
    Extension(id): Extension<ExchangeId>,
    request: Request,
) -> Response {
    let request = match read(&app, request).await {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    match app.exchange.exchange(&request, &id).await {
        Ok(issued) => answer(&issued),
        Err(refusal) => {
            let code = refusal.oauth(app.error_profile);
            error(status(code), code, &refusal.to_string())
        }
    }
}

async fn read(app: &App, request: Request) -> Result<TokenRequest, Response> {
    let invalid = |description: &str| error(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, description);
    // A token in a URL ends up in logs and histories: refused, even if it would have been ignored.
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(invalid("parameters belong in the body, never in the URL"));
    }
    let (parts, body) = request.into_parts();
    let kind = content_type(&parts.headers);
    let body = bounded(body).await?;
    let parameters = match kind.as_str() {
        "application/json" => {
            Parameters::from_json(&body).map_err(|problem| invalid(&problem.to_string()))?
        }
        "application/x-www-form-urlencoded" => Parameters::from_form(&body),
        _ => {
            let description = "expected content-type application/x-www-form-urlencoded or application/json";
            return Err(error(StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::InvalidRequest, description));
        }
    };
    let target_code = match app.error_profile {
        ErrorProfile::Hub => ErrorCode::InvalidRequest,
        ErrorProfile::Rfc8693 => ErrorCode::InvalidTarget,
    };
    TokenRequest::from_parameters(&parameters, &app.exchange.own).map_err(|problem| {
        let code = problem.code(target_code);
        error(status(code), code, &problem.to_string())
    })
}

/// The media type without its parameters, in lower case.
fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

async fn bounded(body: Body) -> Result<Bytes, Response> {
    to_bytes(body, MAX_BODY).await.map_err(|_| {
        let description = "expected a complete body of at most 16 KiB";
        error(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::InvalidRequest, description)
    })
}

fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::InvalidRequest
        | ErrorCode::InvalidGrant
        | ErrorCode::InvalidTarget
        | ErrorCode::UnsupportedGrantType => StatusCode::BAD_REQUEST,
    }
}

/// Status 200 exactly: some clients take 201 for a failure.
fn answer(issued: &TokenResponse) -> Response {
    let Ok(body) = issued.to_json() else {
        return error(
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::ServerError,
            "the answer cannot be written",
        );
    };
    let mut response = ([(header::CONTENT_TYPE, "application/json")], body).into_response();
    do_not_store(&mut response);
    response
}
