//! Codefresh, whose token service wants its credential without a scheme.
//!
//! Source: Codefresh documentation, "OpenID Connect for Pipelines".

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::authorization::whole;
use crate::ids::id_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Codefresh.
pub(crate) struct Codefresh;

impl Platform for Codefresh {
    const PRESET: Preset = Preset::Codefresh;
    const KEY_SET: &'static str = "/jwks";

    fn claims(run: &Run<'_>) -> Value {
        let text = |claim: &str, usual: &str| run.overrides.text_or(claim, usual);
        let (account, pipeline) = (text("account_name", "acme"), text("pipeline_name", "train/publish"));
        let (account_id, pipeline_id) = (id_of(&account), id_of(&format!("{account}/{pipeline}")));
        json!({
            "iss": run.issuer,
            "sub": format!("account:{account_id}:pipeline:{pipeline_id}:initiator:octocat"),
            "iat": run.now,
            "exp": run.now + Duration::from_mins(5),
            "account_id": account_id,
            "account_name": account,
            "initiator": "octocat",
            "pipeline_id": pipeline_id,
            "pipeline_name": pipeline,
            "scm_ref": "main",
            "scm_repo_url": "https://github.com/acme/train",
            "scm_user_name": "octocat",
            "sid": run.token_id,
            "workflow_id": "7",
        })
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        let job = provider.jobs.start(overrides);
        variables([
            ("CI", "true"),
            ("CF_BUILD_ID", "7"),
            ("CF_OIDC_REQUEST_URL", &format!("{}/jobs/{}/token", provider.issuer(), job.id)),
            ("CF_OIDC_REQUEST_TOKEN", &job.credential),
        ])
    }

    fn routes(provider: Arc<Provider<Self>>) -> Router {
        Router::new().route("/jobs/{job}/token", get(handler)).with_state(provider)
    }
}

async fn handler(
    State(provider): State<Arc<Provider<Codefresh>>>,
    Path(job): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    let Some(overrides) = provider.jobs.authorized(&job, whole(&headers)) else {
        let message = "expected `Authorization:` with this job's CF_OIDC_REQUEST_TOKEN and nothing before it";
        return (StatusCode::UNAUTHORIZED, Json(json!({ "message": message })));
    };
    let audience = query.get("audience").map_or("https://g.codefresh.io", String::as_str);
    (StatusCode::OK, Json(json!({ "id_token": provider.mint(&overrides, audience) })))
}
