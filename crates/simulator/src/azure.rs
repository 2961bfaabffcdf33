//! Azure managed identities, as App Service gives them.
//!
//! Source: Microsoft, "How to use managed identities for App Service".

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::ids::uuid_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Azure managed identities.
pub(crate) struct Azure;

impl Platform for Azure {
    const PRESET: Preset = Preset::Azure;
    const KEY_SET: &'static str = "/discovery/v2.0/keys";

    fn claims(run: &Run<'_>) -> Value {
        let identity = run.overrides.text_or("oid", uuid_of("publisher"));
        json!({
            "iss": run.issuer,
            "sub": identity,
            "iat": run.now,
            "nbf": run.now,
            "exp": run.now + Duration::from_hours(24),
            "azp": uuid_of("application"),
            "oid": identity,
            "tid": uuid_of("acme"),
            "ver": "2.0",
        })
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        let job = provider.jobs.start(overrides);
        variables([
            ("IDENTITY_ENDPOINT", &format!("{}/jobs/{}/msi/token", provider.issuer(), job.id)),
            ("IDENTITY_HEADER", &job.credential),
        ])
    }

    fn routes(provider: Arc<Provider<Self>>) -> Router {
        Router::new().route("/jobs/{job}/msi/token", get(handler)).with_state(provider)
    }
}

async fn handler(
    State(provider): State<Arc<Provider<Azure>>>,
    Path(job): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    let refuse = |status, message: &str| (status, Json(json!({ "message": message })));
    let credential = headers.get("x-identity-header").and_then(|value| value.to_str().ok());
    let Some(overrides) = provider.jobs.authorized(&job, credential) else {
        return refuse(
            StatusCode::UNAUTHORIZED,
            "expected `X-IDENTITY-HEADER` with this job's IDENTITY_HEADER",
        );
    };
    let (Some(resource), true) = (query.get("resource"), query.contains_key("api-version")) else {
        return refuse(StatusCode::BAD_REQUEST, "expected the parameters `api-version` and `resource`");
    };
    let token = provider.mint(&overrides, resource);
    (StatusCode::OK, Json(json!({ "access_token": token, "resource": resource, "token_type": "Bearer" })))
}
