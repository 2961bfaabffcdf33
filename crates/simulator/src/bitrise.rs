//! Bitrise, whose clients may choose `sub`.
//!
//! Not all that is in its tokens is documented; `app_slug` and `build_slug` stand for it.
//!
//! Source: Bitrise documentation, "OIDC authentication overview"; the source of Bitrise's step that gets id tokens.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use countersign_core::Provider as Preset;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Bitrise.
pub(crate) struct Bitrise;

impl Platform for Bitrise {
    const PRESET: Preset = Preset::Bitrise;
    const KEY_SET: &'static str = "/.well-known/jwks";

    fn claims(run: &Run<'_>) -> Value {
        json!({
            "iss": run.issuer,
            "sub": "build",
            "iat": run.now,
            "exp": run.now + Duration::from_mins(10),
            "app_slug": "train",
            "build_slug": run.token_id,
            "repository_owner": "acme",
            "repository_slug": "train",
            "repository_url": "https://github.com/acme/train",
        })
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        let job = provider.jobs.start(overrides);
        variables([
            ("CI", "true"),
            ("BITRISE_BUILD_URL", &format!("{}/build/{}", provider.issuer(), job.id)),
            ("BITRISE_BUILD_API_TOKEN", &job.credential),
        ])
    }

    fn routes(provider: Arc<Provider<Self>>) -> Router {
        Router::new().route("/build/{job}/id_token.json", post(handler)).with_state(provider)
    }
}

#[derive(Deserialize)]
struct Asked {
    aud: String,
    sub: Option<String>,
}

async fn handler(
    State(provider): State<Arc<Provider<Bitrise>>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    Json(asked): Json<Asked>,
) -> (StatusCode, Json<Value>) {
    let credential = headers.get("build_api_token").and_then(|value| value.to_str().ok());
    let Some(overrides) = provider.jobs.authorized(&job, credential) else {
        let message = "expected the header `BUILD_API_TOKEN` with this job's BITRISE_BUILD_API_TOKEN";
        return (StatusCode::UNAUTHORIZED, Json(json!({ "message": message })));
    };
    let overrides = match asked.sub {
        Some(sub) => overrides.set("sub", sub),
        None => overrides,
    };
    let token = provider.mint(&overrides, &asked.aud);
    (StatusCode::OK, Json(json!({ "id_token": token, "token_type": "Bearer", "expires_in": 600 })))
}
