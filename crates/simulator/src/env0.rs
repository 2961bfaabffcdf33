//! env0: a token in a variable.
//!
//! Source: Teleport documentation, joining from env0.

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
            "sub": "auth0|env0",
            "iat": run.now,
            "exp": run.now + Duration::from_hours(1),
            "deploymentLogId": uuid_of(run.token_id),
            "deploymentType": "deploy",
            "environmentId": uuid_of("acme/train/prod"),
            "environmentName": "prod",
            "organizationId": uuid_of("acme"),
            "projectId": uuid_of("acme/train"),
            "projectName": "train",
            "templateId": uuid_of("template"),
            "templateName": "template",
            "workspaceName": "train-prod",
        })
    }

    fn environment(
        provider: &Provider<Self>,
        overrides: &Overrides,
        audience: &str,
    ) -> Vec<(String, String)> {
        variables([
            ("ENV0_DEPLOYMENT_LOG_ID", &uuid_of("deployment")),
            ("ENV0_OIDC_TOKEN", &provider.mint(overrides, audience)),
        ])
    }
}
