//! Forgejo Actions: GitHub's contract, and claims of its own.
//!
//! Source: Forgejo documentation, "OpenID Connect" of Forgejo Actions.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::github::{self, owner_id, repository_id};
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Forgejo Actions.
pub(crate) struct Forgejo;

impl Platform for Forgejo {
    const PRESET: Preset = Preset::Forgejo;
    const KEY_SET: &'static str = "/.well-known/keys";

    fn claims(run: &Run<'_>) -> Value {
        claims(run)
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        let mut environment = provider.start_actions_job(overrides);
        environment.extend(variables([("FORGEJO_ACTIONS", "true")]));
        environment
    }

    fn routes(provider: Arc<Provider<Self>>) -> Router {
        github::mint_route(provider)
    }
}

fn claims(run: &Run<'_>) -> Value {
    let text = |claim: &str, usual: &str| run.overrides.text_or(claim, usual);
    let repository = text("repository", "acme/train");
    let (owner, name) = repository.split_once('/').unwrap_or((&repository, ""));
    let (owner_id, repository_id) = (owner_id(owner), repository_id(owner, name));
    let reference = text("ref", "refs/heads/main");
    let workflow = text("workflow", "publish.yml");
    json!({
        "iss": run.issuer,
        "sub": format!("repo:{owner}-{owner_id}/{name}-{repository_id}:ref:{reference}"),
        "iat": run.now,
        "nbf": run.now,
        "exp": run.now + Duration::from_mins(5),
        "actor": "octocat",
        "actor_id": "12",
        "base_ref": "",
        "event_name": "push",
        "head_ref": "",
        "ref": reference,
        "ref_protected": "true",
        "ref_type": if reference.starts_with("refs/tags/") { "tag" } else { "branch" },
        "repository": repository,
        "repository_id": repository_id,
        "repository_owner": owner,
        "repository_owner_id": owner_id,
        "run_attempt": "1",
        "run_id": "170",
        "run_number": "10",
        "sha": "5b1a0f4e7c9d2e8f6a3b4c5d6e7f8091a2b3c4d5",
        "workflow": workflow,
        "workflow_ref": format!("{repository}/.forgejo/workflows/{workflow}@{reference}"),
    })
}
