//! Vercel: a token in a build's variable.
//!
//! Source: Vercel documentation, "OIDC Federation Reference".

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Vercel.
pub(crate) struct Vercel;

impl Platform for Vercel {
    const PRESET: Preset = Preset::Vercel;
    const KEY_SET: &'static str = "/.well-known/jwks";

    fn claims(run: &Run<'_>) -> Value {
        let environment = run.overrides.text_or("environment", "production");
        json!({
            "iss": run.issuer,
            "sub": format!("owner:acme:project:train:environment:{environment}"),
            "iat": run.now,
            "nbf": run.now,
            "exp": run.now + Duration::from_hours(1),
            "environment": environment,
            "owner": "acme",
            "owner_id": "team_acme",
            "project": "train",
            "project_id": "prj_train",
        })
    }

    fn environment(
        provider: &Provider<Self>,
        overrides: &Overrides,
        audience: &str,
    ) -> Vec<(String, String)> {
        variables([("CI", "1"), ("VERCEL", "1"), ("VERCEL_OIDC_TOKEN", &provider.mint(overrides, audience))])
    }
}
