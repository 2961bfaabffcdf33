//! Fly.io machines.
//!
//! Source: Fly.io documentation, "OpenID Connect" of Machines.

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::ids::id_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Fly.io.
pub(crate) struct Fly;

impl Platform for Fly {
    const PRESET: Preset = Preset::Fly;
    const KEY_SET: &'static str = "/.well-known/jwks";

    fn claims(run: &Run<'_>) -> Value {
        let app = run.overrides.text_or("app_name", "train");
        json!({
            "iss": run.issuer,
            "sub": format!("acme:{app}:publisher"),
            "jti": run.token_id,
            "iat": run.now,
            "nbf": run.now,
            "exp": run.now + Duration::from_mins(15),
            "app_id": id_of(&app),
            "app_name": app,
            "image": "registry.example.com/train:1",
            "image_digest": "sha256:0",
            "machine_id": "1",
            "machine_name": "publisher",
            "machine_version": "1",
            "org_id": id_of("acme"),
            "org_name": "acme",
        })
    }

    fn environment(
        provider: &Provider<Self>,
        overrides: &Overrides,
        audience: &str,
    ) -> Vec<(String, String)> {
        // A machine asks a Unix socket; this server has none, so the token is handed over.
        variables([
            ("FLY_APP_NAME", "train"),
            ("FLY_MACHINE_ID", "1"),
            ("HF_OIDC_ID_TOKEN", &provider.mint(overrides, audience)),
        ])
    }
}
