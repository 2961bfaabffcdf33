//! env0: a token of a day for env0's own audience in a variable.
//!
//! Source: env zero documentation, "General OIDC Integrations".

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::ids::uuid_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of env0.
pub(crate) struct Env0;

impl Platform for Env0 {
    const PRESET: Preset = Preset::Env0;
    const KEY_SET: &'static str = "/.well-known/jwks.json";

    fn claims(run: &Run<'_>) -> Value {
        json!({
            "iss": run.issuer,
            "sub": "auth0|63021f2ce98a11d0678ed6fe",
            "iat": run.now,
            "exp": run.now + Duration::from_hours(24),
            "apiKeyType": "oidc",
            "deployerEmail": "octocat@example.com",
            "deploymentLogId": uuid_of(run.token_id),
            "deploymentType": "deploy",
            "environmentId": uuid_of("acme/train/prod"),
            "environmentName": "prod",
            "organization": uuid_of("acme"),
            "organizationId": uuid_of("acme"),
            "projectId": uuid_of("acme/train"),
            "projectName": "train",
            "templateId": uuid_of("template"),
            "templateName": "template",
            "workspaceName": "train-prod",
        })
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        variables([
            ("ENV0_DEPLOYMENT_LOG_ID", &uuid_of("deployment")),
            ("ENV0_OIDC_TOKEN", &provider.mint(overrides, "https://prod.env0.com")),
        ])
    }
}
