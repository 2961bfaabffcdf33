//! `POST /oauth/revoke`: token revocation (RFC 7009). The holder needs nothing but the token.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use countersign_core::token_exchange::ErrorCode;

use super::{App, body, do_not_store, error};
use crate::store::{Actor, Author, ExchangeId};

/// Answers 200 for tokens that are unknown, expired or revoked already, as §2.2 wants: they are as dead as can be.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Extension(request): Extension<ExchangeId>,
    body: Request,
) -> Response {
    let token = match body::token(body).await {
        Ok(token) => token,
        Err(refusal) => return refusal,
    };
    let now = app.exchange.clock.now();
    // Only a token with our signature reaches the database: strangers cannot keep the disk busy.
    if let Ok(claims) = app.exchange.signer.keys().verifier().authenticate(&token, now) {
        let id = ExchangeId(claims.jti);
        let author = Author { actor: Actor::Holder, at: now, request };
        if let Err(failure) = app.exchange.store.revoke_token(&id, &author).await {
            tracing::error!(%failure, token = %id, "a token could not be revoked");
            return error(
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::TemporarilyUnavailable,
                "the token is not revoked yet: the server cannot record it at the moment; try again",
            );
        }
        tracing::info!(token = %id, "token revoked by its holder");
    }
    let mut response = StatusCode::OK.into_response();
    do_not_store(&mut response);
    response
}
