//! Google Cloud: a machine's metadata server, without impersonation.
//!
//! Source: Google Cloud documentation, "Verifying the identity of instances".

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::ids::id_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Google Cloud.
pub(crate) struct Google;

impl Platform for Google {
    const PRESET: Preset = Preset::Google;
    const KEY_SET: &'static str = "/oauth2/v3/certs";

    fn claims(run: &Run<'_>) -> Value {
        let email = run.overrides.text_or("email", "publisher@acme.iam.gserviceaccount.com");
        let id = id_of(&email);
        json!({
            "iss": run.issuer,
            "sub": id,
            "iat": run.now,
            "exp": run.now + Duration::from_hours(1),
            "azp": id,
            "email": email,
            "email_verified": true,
            "google": {
                "compute_engine": {
                    "instance_id": "7",
                    "instance_name": "runner",
                    "project_id": "acme",
                    "project_number": 42,
                    "zone": "europe-west1-b",
                },
            },
        })
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        let job = provider.jobs.start(overrides);
        let host = provider.issuer().as_str().trim_start_matches("http://");
        variables([("GCE_METADATA_HOST", &format!("{host}/jobs/{}", job.id))])
    }

    fn routes(provider: Arc<Provider<Self>>) -> Router {
        Router::new()
            .route("/jobs/{job}/computeMetadata/v1/instance/service-accounts/default/identity", get(handler))
            .with_state(provider)
    }
}

/// Whoever runs on the machine may ask; a header keeps browsers out. The answer is the bare token.
async fn handler(
    State(provider): State<Arc<Provider<Google>>>,
    Path(job): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> (StatusCode, String) {
    if headers.get("metadata-flavor").is_none_or(|flavor| flavor != "Google") {
        return (StatusCode::FORBIDDEN, "expected the header `Metadata-Flavor: Google`".to_owned());
    }
    let Some(overrides) = provider.jobs.overrides(&job) else {
        return (StatusCode::NOT_FOUND, "expected the GCE_METADATA_HOST of this job".to_owned());
    };
    match query.get("audience") {
        Some(audience) => (StatusCode::OK, provider.mint(&overrides, audience)),
        None => (StatusCode::BAD_REQUEST, "expected the parameter `audience`".to_owned()),
    }
}
