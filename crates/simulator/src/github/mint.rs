//! `GET …/jobs/{job}/idtoken?api-version=2.0&audience=…`: how a job gets an id token.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::authorization::credential;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider};

type Answer = (StatusCode, Json<Value>);

/// Mints anew at each request, for whatever audience the job asks. All of the query may be missing: there are clients
/// that replace it by their `audience`, so that `api-version` is lost.
pub(super) async fn handler<P: Platform>(
    State(provider): State<Arc<Provider<P>>>,
    Path(job): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Answer {
    let Some(overrides) = provider.jobs.authorized(&job, credential(&headers, "bearer")) else {
        let message = "expected `Authorization: Bearer` with this job's ACTIONS_ID_TOKEN_REQUEST_TOKEN";
        return (StatusCode::UNAUTHORIZED, Json(json!({ "message": message })));
    };
    let asked = query.into_iter().rev().find(|(name, _)| name == "audience").map(|(_, audience)| audience);
    let audience = asked.unwrap_or_else(|| usual_audience(&provider, &overrides));
    let token = provider.mint(&overrides, &audience);
    (StatusCode::OK, Json(json!({ "count": 1, "value": token })))
}

fn usual_audience<P: Platform>(provider: &Provider<P>, overrides: &Overrides) -> String {
    let claims = provider.claims_of(overrides, provider.now());
    let owner = claims.get("repository_owner").and_then(Value::as_str).unwrap_or_default();
    format!("https://github.com/{owner}")
}
