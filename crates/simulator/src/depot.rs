//! Depot CI: GitHub's contract and repositories under an issuer of its own.
//!
//! Source: Depot documentation, "OIDC with Depot CI".

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::github::{self, owner_id, repository_id};
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run};

/// The marker of Depot CI.
pub(crate) struct Depot;

impl Platform for Depot {
    const PRESET: Preset = Preset::Depot;
    const KEY_SET: &'static str = "/keys";

    fn claims(run: &Run<'_>) -> Value {
        let text = |claim: &str, usual: &str| run.overrides.text_or(claim, usual);
        let repository = text("repository", "acme/train");
        let (owner, name) = repository.split_once('/').unwrap_or((&repository, ""));
        let reference = text("ref", "refs/heads/main");
        let organization = text("org_id", "org_acme");
        json!({
            "iss": run.issuer,
            "sub": format!("spiffe://identity.depot.dev/org/{organization}/ci/github/{repository}/ref/{reference}"),
            "iat": run.now,
            "exp": run.now + Duration::from_mins(5),
            "actor": "octocat",
            "actor_id": "12",
            "base_ref": "",
            "event_name": "push",
            "head_ref": "",
            "job_id": "job_publish",
            "org_id": organization,
            "ref": reference,
            "ref_type": if reference.starts_with("refs/tags/") { "tag" } else { "branch" },
            "repository": repository,
            "repository_id": repository_id(owner, name),
            "repository_owner": owner,
            "repository_owner_id": owner_id(owner),
        })
    }

    /// An array even of one.
    fn audience(audience: &str) -> Value {
        json!([audience])
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        provider.start_actions_job(overrides)
    }

    fn routes(provider: Arc<Provider<Self>>) -> Router {
        github::mint_route(provider)
    }
}
