//! Azure DevOps Pipelines: the token of the pipeline, always for Azure's audience.
//!
//! Source: Microsoft, "Oidctoken - Create" (REST).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::authorization::credential;
use crate::ids::uuid_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Azure DevOps Pipelines.
pub(crate) struct AzureDevops;

impl Platform for AzureDevops {
    const PRESET: Preset = Preset::AzureDevops;
    const KEY_SET: &'static str = "/.well-known/jwks";

    fn claims(run: &Run<'_>) -> Value {
        json!({
            "iss": run.issuer,
            "sub": "p://acme/train/publish",
            "jti": run.token_id,
            "iat": run.now,
            "nbf": run.now,
            "exp": run.now + Duration::from_mins(10),
            "def_id": "7",
            "org_id": uuid_of("acme"),
            "prj_id": uuid_of("acme/train"),
            "rpo_id": uuid_of("acme/train repository"),
            "rpo_ref": "refs/heads/main",
            "rpo_uri": "https://dev.azure.com/acme/train/_git/train",
            "rpo_ver": "5b1a0f4e7c9d2e8f6a3b4c5d6e7f8091a2b3c4d5",
            "run_id": "42",
        })
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        let job = provider.jobs.start(overrides);
        variables([
            ("TF_BUILD", "True"),
            ("SYSTEM_OIDCREQUESTURI", &format!("{}/jobs/{}/oidctoken", provider.issuer(), job.id)),
            ("SYSTEM_ACCESSTOKEN", &job.credential),
        ])
    }

    fn routes(provider: Arc<Provider<Self>>) -> Router {
        Router::new().route("/jobs/{job}/oidctoken", post(handler)).with_state(provider)
    }
}

async fn handler(
    State(provider): State<Arc<Provider<AzureDevops>>>,
    Path(job): Path<String>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    let Some(overrides) = provider.jobs.authorized(&job, credential(&headers, "bearer")) else {
        let message = "expected `Authorization: Bearer` with this job's SYSTEM_ACCESSTOKEN";
        return (StatusCode::UNAUTHORIZED, Json(json!({ "message": message })));
    };
    let token = provider.mint(&overrides, "api://AzureADTokenExchange");
    (StatusCode::OK, Json(json!({ "oidcToken": token })))
}
