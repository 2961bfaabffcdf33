//! Bitbucket Pipelines: UUIDs in braces, and a token for several audiences in a variable.
//!
//! Whether the workspace stays among the audiences when a step declares others is not documented; it does here, since a
//! server that takes such a token takes one without it too.
//!
//! Source: Atlassian support, "Integrate Pipelines with resource servers using OIDC".

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::ids::uuid_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Bitbucket Pipelines.
pub(crate) struct Bitbucket;

impl Platform for Bitbucket {
    const PRESET: Preset = Preset::Bitbucket;
    const KEY_SET: &'static str = "/keys.json";

    fn claims(run: &Run<'_>) -> Value {
        let braced = |name: &str| format!("{{{}}}", uuid_of(name));
        let repository = run.overrides.text_or("repositoryUuid", braced("acme/train"));
        let step = braced(run.token_id);
        json!({
            "iss": run.issuer,
            "sub": format!("{repository}:{step}"),
            "iat": run.now,
            "exp": run.now + Duration::from_hours(1),
            "branchName": "main",
            "pipelineRunUuid": braced("run"),
            "pipelineUuid": braced("pipeline"),
            "repositoryUuid": repository,
            "stepUuid": step,
            "workspaceUuid": braced("acme"),
        })
    }

    fn audience(audience: &str) -> Value {
        json!([format!("ari:cloud:bitbucket::workspace/{}", uuid_of("acme")), audience])
    }

    fn environment(
        provider: &Provider<Self>,
        overrides: &Overrides,
        audience: &str,
    ) -> Vec<(String, String)> {
        let claims = provider.claims_of(overrides, provider.now());
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str).unwrap_or_default();
        variables([
            ("CI", "true"),
            ("BITBUCKET_BUILD_NUMBER", "7"),
            ("BITBUCKET_BRANCH", text("branchName")),
            ("BITBUCKET_REPO_UUID", text("repositoryUuid")),
            ("BITBUCKET_STEP_OIDC_TOKEN", &provider.mint(overrides, audience)),
        ])
    }
}
