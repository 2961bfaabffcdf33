//! Gitea Actions: GitHub's contract, and claims of its own.
//!
//! Source: Gitea's proposed change, "add OIDC workload identity support"; it is not released.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::github::{self, owner_id, repository_id};
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Gitea Actions.
pub(crate) struct Gitea;

impl Platform for Gitea {
    const PRESET: Preset = Preset::Gitea;
    const KEY_SET: &'static str = "/.well-known/keys";

    fn claims(run: &Run<'_>) -> Value {
        let text = |claim: &str, usual: &str| run.overrides.text_or(claim, usual);
        let repository = text("repository", "acme/train");
        let (owner, name) = repository.split_once('/').unwrap_or((&repository, ""));
        let (owner_id, repository_id) = (owner_id(owner), repository_id(owner, name));
        let reference = text("ref", "refs/heads/main");
        json!({
            "iss": run.issuer,
            "sub": format!("repo:{owner_id}/{repository_id}:ref:{reference}"),
            "jti": run.token_id,
            "iat": run.now,
            "nbf": run.now,
            "exp": run.now + Duration::from_mins(5),
            "actor": "octocat",
            "actor_id": "12",
            "event_name": "push",
            "job_id": "publish",
            "ref": reference,
            "ref_type": if reference.starts_with("refs/tags/") { "tag" } else { "branch" },
            "repository": repository,
            "repository_id": repository_id,
            "repository_owner": owner,
            "repository_owner_id": owner_id,
            "repository_visibility": "private",
            "run_attempt": "1",
            "run_id": "170",
            "run_number": "10",
            "runner_environment": "self-hosted",
            "sha": "5b1a0f4e7c9d2e8f6a3b4c5d6e7f8091a2b3c4d5",
            "workflow": "Publish",
            "workflow_ref": format!("{repository}/.gitea/workflows/publish.yml@{reference}"),
            "workflow_repository": repository,
            "workflow_repository_id": repository_id,
            "workflow_sha": "5b1a0f4e7c9d2e8f6a3b4c5d6e7f8091a2b3c4d5",
        })
    }

    /// An array even of one.
    fn audience(audience: &str) -> Value {
        json!([audience])
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        let mut environment = provider.start_actions_job(overrides);
        environment.extend(variables([("GITEA_ACTIONS", "true")]));
        environment
    }

    fn routes(provider: Arc<Provider<Self>>) -> Router {
        github::mint_route(provider)
    }
}
