//! SPIFFE: a JWT-SVID with the optional `iss`.
//!
//! Source: SPIFFE, "The JWT SPIFFE Verifiable Identity Document".

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of SPIFFE.
pub(crate) struct Spiffe;

impl Platform for Spiffe {
    const PRESET: Preset = Preset::Spiffe;
    const KEY_SET: &'static str = "/keys";

    fn claims(run: &Run<'_>) -> Value {
        json!({
            "iss": run.issuer,
            "sub": "spiffe://acme.example.com/publisher",
            "iat": run.now,
            "exp": run.now + Duration::from_mins(5),
        })
    }

    /// A list even of one.
    fn audience(audience: &str) -> Value {
        json!([audience])
    }

    fn environment(
        provider: &Provider<Self>,
        overrides: &Overrides,
        audience: &str,
    ) -> Vec<(String, String)> {
        // A workload asks its agent's command; this server has none, so the token is handed over.
        variables([("HF_OIDC_ID_TOKEN", &provider.mint(overrides, audience))])
    }
}
