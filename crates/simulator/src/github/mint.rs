//! `GET …/jobs/{job}/idtoken?api-version=2.0&audience=…`: how a job gets an id token.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::GitHub;
use crate::overrides::Overrides;
use crate::provider::Provider;

type Answer = (StatusCode, Json<Value>);

/// Mints anew at each request, for whatever audience the job asks. All of the query may be missing: there are clients
/// that replace it by their `audience`, so that `api-version` is lost.
pub(super) async fn handler(
    State(provider): State<Arc<Provider<GitHub>>>,
    Path(job): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Answer {
    let overrides = match authorized(&provider, &job, &headers) {
        Ok(overrides) => overrides,
        Err(message) => return (StatusCode::UNAUTHORIZED, Json(json!({ "message": message }))),
    };
    let asked = query.into_iter().rev().find(|(name, _)| name == "audience").map(|(_, audience)| audience);
    let audience = asked.unwrap_or_else(|| usual_audience(&provider, &overrides));
    let token = provider.mint(&overrides, &audience);
    (StatusCode::OK, Json(json!({ "count": 1, "value": token })))
}

fn authorized(
    provider: &Provider<GitHub>,
    job: &str,
    headers: &HeaderMap,
) -> Result<Overrides, &'static str> {
    let jobs = provider.platform.jobs.read().unwrap_or_else(PoisonError::into_inner);
    let job = jobs.get(job).ok_or("no such job; use the ACTIONS_ID_TOKEN_REQUEST_URL of this run")?;
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token);
    if token == Some(job.token.as_str()) {
        Ok(job.overrides.clone())
    } else {
        Err("expected `Authorization: Bearer` with this job's ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    }
}

fn usual_audience(provider: &Provider<GitHub>, overrides: &Overrides) -> String {
    let claims = provider.claims_of(overrides, provider.now());
    let owner = claims.get("repository_owner").and_then(Value::as_str).unwrap_or_default();
    format!("https://github.com/{owner}")
}
