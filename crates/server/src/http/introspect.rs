//! `POST /oauth/introspect`: token introspection (RFC 7662), for registries that want to know about a token now.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_core::token_exchange::ErrorCode;
use countersign_core::{AccessTokenClaims, UnixTime};
use serde_json::{Value, json};

use super::api::admin_token;
use super::{App, body, do_not_store, error};
use crate::admin::Role;
use crate::store::{ExchangeId, StoreError};

/// Needs an admin token of the role `registry`: §2.1 forbids an open endpoint, which would let anybody try tokens.
pub(super) async fn introspect(State(app): State<Arc<App>>, request: Request) -> Response {
    let now = app.exchange.clock.now();
    match is_registry(&app, request.headers(), now).await {
        Ok(true) => {}
        Ok(false) => return unauthorized(),
        Err(failure) => return unavailable(&failure),
    }
    let token = match body::token(request).await {
        Ok(token) => token,
        Err(refusal) => return refusal,
    };
    let live = match app.exchange.signer.keys().verifier().authenticate(&token, now) {
        Ok(claims) => app
            .exchange
            .store
            .is_live(&ExchangeId(claims.jti.clone()))
            .await
            .map(|live| live.then_some(claims)),
        Err(_) => Ok(None),
    };
    match live {
        Ok(claims) => {
            // Of a token that is not good, nothing is said: neither why, nor whether it ever was (§2.2).
            let document = claims.map_or_else(|| json!({ "active": false }), |claims| describe(&claims));
            let mut response = Json(document).into_response();
            do_not_store(&mut response);
            response
        }
        Err(failure) => unavailable(&failure),
    }
}

async fn is_registry(app: &App, headers: &HeaderMap, now: UnixTime) -> Result<bool, StoreError> {
    let token = admin_token(app, headers, now).await?;
    Ok(token.is_some_and(|token| token.role == Role::Registry))
}

/// The members of RFC 7662 §2.2, and those of the token.
fn describe(claims: &AccessTokenClaims) -> Value {
    let mut document = json!(claims);
    document["active"] = json!(true);
    document["token_type"] = json!("bearer");
    let actions = claims.authorization_details.iter().flat_map(|detail| &detail.actions);
    let scope: Vec<&str> = actions.map(|permission| permission.as_str()).collect();
    document["scope"] = json!(scope.join(" "));
    document
}

fn unauthorized() -> Response {
    let description = "expected Authorization: Bearer with an admin token of the role registry";
    let mut response = error(StatusCode::UNAUTHORIZED, ErrorCode::InvalidClient, description);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn unavailable(failure: &StoreError) -> Response {
    tracing::error!(%failure, "a token could not be introspected");
    error(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::TemporarilyUnavailable,
        "the server cannot look it up at the moment; try again",
    )
}
