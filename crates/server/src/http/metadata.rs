//! What clients and registries can find out by themselves (RFC 8414, OpenID Connect Discovery 1.0).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use countersign_core::token_exchange::GRANT_TYPE;
use serde_json::{Value, json};

use super::App;

/// Clients may keep it this long: short enough for a rotation to be seen.
const CACHE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "public, max-age=300")];

pub(super) async fn authorization_server(State(app): State<Arc<App>>) -> impl IntoResponse {
    (CACHE, Json(metadata(&app)))
}

/// The same for clients that look only here. No id tokens are issued and nobody signs in, so it is no complete OpenID
/// Provider's; the members about id tokens are there because clients insist on them.
pub(super) async fn openid_configuration(State(app): State<Arc<App>>) -> impl IntoResponse {
    let mut document = metadata(&app);
    document["subject_types_supported"] = json!(["public"]);
    document["id_token_signing_alg_values_supported"] = json!(["ES256"]);
    (CACHE, Json(document))
}

pub(super) async fn jwks(State(app): State<Arc<App>>) -> impl IntoResponse {
    (CACHE, Json(app.exchange.signer.keys().jwks().clone()))
}

fn metadata(app: &App) -> Value {
    let issuer = app.exchange.own.as_str();
    json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/oauth/token"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": ["none"],
        "introspection_endpoint": format!("{issuer}/oauth/introspect"),
        "introspection_endpoint_auth_methods_supported": ["Bearer"],
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "grant_types_supported": [GRANT_TYPE],
        "token_endpoint_auth_methods_supported": ["none"],
        // RFC 8414 wants the member, and no empty lists; there is no authorization endpoint to answer at.
        "response_types_supported": ["none"],
        "scopes_supported": ["read", "write"],
        "authorization_details_types_supported": [countersign_core::access_token::AuthorizationDetail::TYPE],
    })
}
