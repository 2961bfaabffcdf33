//! Spacelift: a token for the account's host in a variable.
//!
//! Source: Spacelift documentation, "OpenID Connect".

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Spacelift.
pub(crate) struct Spacelift;

impl Platform for Spacelift {
    const PRESET: Preset = Preset::Spacelift;
    const KEY_SET: &'static str = "/.well-known/jwks";

    fn claims(run: &Run<'_>) -> Value {
        let text = |claim: &str, usual: &str| run.overrides.text_or(claim, usual);
        let (space, stack) = (text("spaceId", "acme"), text("callerId", "train"));
        let (kind, scope) = (text("runType", "TRACKED"), text("scope", "write"));
        json!({
            "iss": run.issuer,
            "sub": format!("space:{space}:stack:{stack}:run_type:{kind}:scope:{scope}"),
            "jti": run.token_id,
            "iat": run.now,
            "nbf": run.now,
            "exp": run.now + Duration::from_hours(1),
            "callerId": stack,
            "callerType": "stack",
            "runId": "01HXYZRUN",
            "runType": kind,
            "scope": scope,
            "spaceId": space,
        })
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        let host = provider.issuer().authority();
        variables([
            ("CI", "true"),
            ("TF_VAR_spacelift_run_id", "01HXYZRUN"),
            ("SPACELIFT_OIDC_TOKEN", &provider.mint(overrides, host)),
        ])
    }
}
