//! GitHub Actions.
//!
//! Source: GitHub documentation, "OpenID Connect reference"; token lifetimes as observed.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use countersign_core::Provider as Preset;
use serde_json::{Value, json};

mod job;
mod mint;

use crate::ids::id_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run};

/// The marker of GitHub Actions.
pub struct GitHub;

impl Provider<GitHub> {
    /// Starts a job: the environment variables that its steps see, with which they mint id tokens.
    pub fn job(&self, overrides: &Overrides) -> Vec<(String, String)> {
        self.start_actions_job(overrides)
    }
}

impl<P: Platform> Provider<P> {
    /// Starts a job of GitHub Actions or of one of those who keep its contract.
    pub(crate) fn start_actions_job(&self, overrides: &Overrides) -> Vec<(String, String)> {
        let job = self.jobs.start(overrides);
        let url = format!("{}/jobs/{}/idtoken?api-version=2.0", self.issuer(), job.id);
        job::environment(&self.claims_of(overrides, self.now()), &url, &job.credential)
    }
}

/// The endpoint that mints id tokens in such jobs.
pub(crate) fn mint_route<P: Platform>(provider: Arc<Provider<P>>) -> Router {
    Router::new().route("/jobs/{job}/idtoken", get(mint::handler::<P>)).with_state(provider)
}

impl Platform for GitHub {
    const PRESET: Preset = Preset::Github;
    const KEY_SET: &'static str = "/.well-known/jwks";

    fn claims(run: &Run<'_>) -> Value {
        claims(run)
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        provider.job(overrides)
    }

    fn routes(provider: Arc<Provider<Self>>) -> Router {
        mint_route(provider)
    }
}

fn claims(run: &Run<'_>) -> Value {
    let overrides = run.overrides;
    let text = |claim: &str, usual: &str| overrides.text_or(claim, usual);
    let repository = text("repository", "acme/train");
    let (owner, name) = repository.split_once('/').unwrap_or((&repository, ""));
    let owner = &text("repository_owner", owner);
    let event = text("event_name", "push");
    let reference = text("ref", usual_ref(&event));
    let sha = text("sha", "5b1a0f4e7c9d2e8f6a3b4c5d6e7f8091a2b3c4d5");
    let workflow_ref =
        text("workflow_ref", &format!("{repository}/.github/workflows/publish.yml@{reference}"));
    let (head, base) = if event.starts_with("pull_request") { ("patch-1", "main") } else { ("", "") };
    let mut claims = json!({
        "jti": run.token_id,
        "sub": subject(run, &repository, &reference, &event),
        "iss": run.issuer,
        "iat": run.now,
        "nbf": run.now - Duration::from_mins(10),
        "exp": run.now + Duration::from_mins(5),
        "actor": "octocat",
        "actor_id": "12",
        "base_ref": base,
        "check_run_id": "48211553709",
        "event_name": event,
        "head_ref": head,
        "job_workflow_ref": workflow_ref,
        "job_workflow_sha": sha,
        "ref": reference,
        "ref_protected": "true",
        "ref_type": if reference.starts_with("refs/tags/") { "tag" } else { "branch" },
        "repository": repository,
        "repository_id": repository_id(owner, name),
        "repository_owner": owner,
        "repository_owner_id": owner_id(owner),
        "repository_visibility": "private",
        "run_attempt": "1",
        "run_id": "17055194271",
        "run_number": "10",
        "runner_environment": "github-hosted",
        "sha": sha,
        "workflow": "Publish",
        "workflow_ref": workflow_ref,
        "workflow_sha": sha,
    });
    if overrides.value("environment").is_some() {
        claims["environment_node_id"] = "EN_kwDOABCD1s8AAAABJ0Tk2Q".into();
    }
    claims
}

fn usual_ref(event: &str) -> &'static str {
    match event {
        "pull_request" | "pull_request_review" => "refs/pull/7/merge",
        "release" => "refs/tags/v1.0.0",
        // pull_request_target runs on the base branch: that is what makes it dangerous.
        _ => "refs/heads/main",
    }
}

fn subject(run: &Run<'_>, repository: &str, reference: &str, event: &str) -> String {
    let (owner, name) = repository.split_once('/').unwrap_or((repository, ""));
    let repository = if run.overrides.has_immutable_subject() {
        let owner_id = run.overrides.text_or("repository_owner_id", owner_id(owner));
        let repository_id = run.overrides.text_or("repository_id", repository_id(owner, name));
        format!("{owner}@{owner_id}/{name}@{repository_id}")
    } else {
        repository.to_owned()
    };
    let context = match run.overrides.value("environment").and_then(Value::as_str) {
        Some(environment) => format!("environment:{}", environment.replace(':', "%3A")),
        None if event == "pull_request" => "pull_request".to_owned(),
        None => format!("ref:{}", reference.replace(':', "%3A")),
    };
    format!("repo:{repository}:{context}")
}

/// 65 for `acme`, and another id for each other owner.
pub(crate) fn owner_id(owner: &str) -> String {
    if owner.eq_ignore_ascii_case("acme") { "65".to_owned() } else { id_of(owner) }
}

/// 74 for `acme/train`, and another id for each other repository.
pub(crate) fn repository_id(owner: &str, name: &str) -> String {
    let full = format!("{owner}/{name}");
    if full.eq_ignore_ascii_case("acme/train") { "74".to_owned() } else { id_of(&full) }
}
