//! What every issuer serves: discovery (OpenID Connect Discovery 1.0 §4) and the key set.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::provider::{Platform, Provider};

/// All of one provider, below its issuer.
pub(crate) fn routes<P: Platform>(provider: &Arc<Provider<P>>) -> Router {
    let issuer = Router::new()
        .route("/.well-known/openid-configuration", get(discovery::<P>))
        .route(P::KEY_SET, get(key_set::<P>))
        .with_state(provider.clone())
        .merge(P::routes(provider.clone()));
    Router::new().nest(&format!("/{}", P::PRESET), issuer)
}

async fn discovery<P: Platform>(State(provider): State<Arc<Provider<P>>>) -> Json<Value> {
    let issuer = provider.issuer();
    let mut claims: Vec<String> = provider.claims(provider.now()).into_iter().map(|(name, _)| name).collect();
    claims.push("aud".to_owned());
    Json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}{}", P::KEY_SET),
        "subject_types_supported": ["public", "pairwise"],
        "response_types_supported": ["id_token"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
        "claims_supported": claims,
    }))
}

async fn key_set<P: Platform>(State(provider): State<Arc<Provider<P>>>) -> Json<Value> {
    Json(provider.serve_key_set())
}
