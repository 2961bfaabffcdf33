//! `POST /oauth/token`: the Hub's dialect and RFC 8693's, which differ in the encoding of the body only.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_core::token_exchange::{ErrorCode, TokenRequest, TokenResponse};

use super::{App, body, do_not_store, error};
use crate::config::ErrorProfile;
use crate::store::ExchangeId;

pub(super) async fn exchange(
    State(app): State<Arc<App>>,
    Extension(id): Extension<ExchangeId>,
    request: Request,
) -> Response {
    let request = match read(&app, request).await {
        Ok(request) => request,
        Err(refusal) => {
            tracing::info!(%id, status = refusal.status().as_u16(), "a request that is no token request was refused");
            return refusal;
        }
    };
    match app.exchange.exchange(request, &id).await {
        Ok(issued) => answer(&issued),
        Err(refusal) => {
            let code = refusal.oauth(app.error_profile);
            let mut response = error(status(code), code, &refusal.to_string());
            if matches!(code, ErrorCode::TemporarilyUnavailable | ErrorCode::SlowDown) {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(refusal.retry_after()));
            }
            response
        }
    }
}

async fn read(app: &App, request: Request) -> Result<TokenRequest, Response> {
    let parameters = body::parameters(request).await?;
    let target_code = match app.error_profile {
        ErrorProfile::Hub => ErrorCode::InvalidRequest,
        ErrorProfile::Rfc8693 => ErrorCode::InvalidTarget,
    };
    TokenRequest::from_parameters(&parameters, &app.exchange.own).map_err(|problem| {
        let code = problem.code(target_code);
        error(status(code), code, &problem.to_string())
    })
}

fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::SlowDown => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::InvalidClient => StatusCode::UNAUTHORIZED,
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
