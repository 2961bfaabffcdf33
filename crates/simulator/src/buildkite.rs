//! Buildkite, with the agent's API that mints id tokens.
//!
//! Source: Buildkite documentation, "OIDC with Buildkite"; the agent's source for the API.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use countersign_core::Provider as Preset;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::authorization::credential;
use crate::ids::uuid_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Buildkite.
pub(crate) struct Buildkite;

impl Platform for Buildkite {
    const PRESET: Preset = Preset::Buildkite;
    const KEY_SET: &'static str = "/.well-known/jwks";

    /// All claims, those included that a job has to ask for.
    fn claims(run: &Run<'_>) -> Value {
        let text = |claim: &str, usual: &str| run.overrides.text_or(claim, usual);
        let organization = text("organization_slug", "acme");
        let pipeline = text("pipeline_slug", "train");
        let branch = text("build_branch", "main");
        let commit = text("build_commit", "9f3182061f1e2cca4702c368cbc039b7dc9d4485");
        json!({
            "iss": run.issuer,
            "sub": format!(
                "organization:{organization}:pipeline:{pipeline}:ref:refs/heads/{branch}:commit:{commit}:step:publish"
            ),
            "iat": run.now,
            "nbf": run.now,
            "exp": run.now + Duration::from_mins(5),
            "organization_id": uuid_of(&organization),
            "organization_slug": organization,
            "pipeline_id": uuid_of(&format!("{organization}/{pipeline}")),
            "pipeline_slug": pipeline,
            "build_number": 5,
            "build_branch": branch,
            "build_commit": commit,
            "build_source": "webhook",
            "step_key": "publish",
            "job_id": uuid_of(run.token_id),
            "agent_id": uuid_of("agent"),
            "runner_environment": "buildkite-hosted",
        })
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        let claims = provider.claims_of(overrides, provider.now());
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str).unwrap_or_default();
        let job = provider.jobs.start(overrides);
        variables([
            ("CI", "true"),
            ("BUILDKITE", "true"),
            ("BUILDKITE_AGENT_ENDPOINT", &format!("{}/v3", provider.issuer())),
            ("BUILDKITE_AGENT_ACCESS_TOKEN", &job.credential),
            ("BUILDKITE_JOB_ID", &job.id),
            ("BUILDKITE_BRANCH", text("build_branch")),
            ("BUILDKITE_COMMIT", text("build_commit")),
            ("BUILDKITE_ORGANIZATION_SLUG", text("organization_slug")),
            ("BUILDKITE_PIPELINE_SLUG", text("pipeline_slug")),
        ])
    }

    fn routes(provider: Arc<Provider<Self>>) -> Router {
        Router::new().route("/v3/jobs/{job}/oidc/tokens", post(handler)).with_state(provider)
    }
}

/// The claims that come only if they are asked for.
const ON_REQUEST: [&str; 2] = ["organization_id", "pipeline_id"];

#[derive(Deserialize)]
struct Asked {
    audience: Option<String>,
    #[serde(default)]
    claims: Vec<String>,
}

async fn handler(
    State(provider): State<Arc<Provider<Buildkite>>>,
    Path(job): Path<String>,
    headers: HeaderMap,
    Json(asked): Json<Asked>,
) -> (StatusCode, Json<Value>) {
    let Some(overrides) = provider.jobs.authorized(&job, credential(&headers, "token")) else {
        let message = "expected `Authorization: Token` with this job's BUILDKITE_AGENT_ACCESS_TOKEN";
        return (StatusCode::UNAUTHORIZED, Json(json!({ "message": message })));
    };
    let mut claims = provider.claims_of(&overrides, provider.now());
    claims.retain(|name, _| !ON_REQUEST.contains(&name.as_str()) || asked.claims.contains(name));
    let usual = || format!("https://buildkite.com/{}", overrides.text_or("organization_slug", "acme"));
    claims.entry("aud").or_insert_with(|| asked.audience.unwrap_or_else(usual).into());
    (StatusCode::OK, Json(json!({ "token": provider.sign(&claims) })))
}
