//! Modal: a token of two days for Modal's own audience in a variable.
//!
//! Source: Modal documentation, "Using OIDC to authenticate with external services".

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Modal.
pub(crate) struct Modal;

impl Platform for Modal {
    const PRESET: Preset = Preset::Modal;
    const KEY_SET: &'static str = "/jwks.json";

    fn claims(run: &Run<'_>) -> Value {
        let workspace = run.overrides.text_or("workspace_id", "ac-acme");
        json!({
            "iss": run.issuer,
            "sub": format!("modal:workspace_id:{workspace}:environment_name:main:app_name:train:function_name:publish"),
            "jti": run.token_id,
            "iat": run.now,
            "exp": run.now + Duration::from_hours(48),
            "app_id": "ap-train",
            "app_name": "train",
            "container_id": "ta-1",
            "environment_id": "en-main",
            "environment_name": "main",
            "function_id": "fu-publish",
            "function_name": "publish",
            "workspace_id": workspace,
            "workspace_name": "acme",
        })
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        variables([
            ("MODAL_TASK_ID", "ta-1"),
            ("MODAL_IDENTITY_TOKEN", &provider.mint(overrides, "oidc.modal.com")),
        ])
    }
}
