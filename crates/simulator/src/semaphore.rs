//! Semaphore: a token for the organization's URL in a variable.
//!
//! Source: Semaphore documentation, "OIDC Tokens", and its source.

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::ids::uuid_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Semaphore.
pub(crate) struct Semaphore;

impl Platform for Semaphore {
    const PRESET: Preset = Preset::Semaphore;
    const KEY_SET: &'static str = "/.well-known/jwts";

    fn claims(run: &Run<'_>) -> Value {
        let text = |claim: &str, usual: &str| run.overrides.text_or(claim, usual);
        let (organization, project) = (text("org", "acme"), text("prj", "train"));
        let branch = text("branch", "main");
        let reference = text("ref", &format!("refs/heads/{branch}"));
        let project_id = uuid_of(&format!("{organization}/{project}"));
        json!({
            "iss": run.issuer,
            "sub": format!("org:{organization}:project:{project_id}:repo:{project}:ref_type:branch:ref:{reference}"),
            "jti": run.token_id,
            "iat": run.now,
            "nbf": run.now,
            "exp": run.now + Duration::from_hours(24),
            "branch": branch,
            "job_id": uuid_of(run.token_id),
            "job_type": "pipeline_job",
            "org": organization,
            "org_id": uuid_of(&organization),
            "ppl_id": uuid_of("pipeline"),
            "pr": "",
            "pr_branch": "",
            "prj": project,
            "prj_id": project_id,
            "ref": reference,
            "ref_type": "branch",
            "repo": project,
            "repo_slug": format!("{organization}/{project}"),
            "tag": "",
            "trg": "h:f-i:f",
            "wf_id": uuid_of("workflow"),
        })
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        let own_url = provider.issuer().as_str();
        variables([
            ("CI", "true"),
            ("SEMAPHORE", "true"),
            ("SEMAPHORE_OIDC_TOKEN", &provider.mint(overrides, own_url)),
        ])
    }
}
