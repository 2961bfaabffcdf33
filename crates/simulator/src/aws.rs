//! AWS: a role's token (`GetWebIdentityToken`).
//!
//! Source: AWS IAM User Guide, "Outbound identity federation".

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of AWS.
pub(crate) struct Aws;

impl Platform for Aws {
    const PRESET: Preset = Preset::Aws;
    const KEY_SET: &'static str = "/.well-known/jwks.json";

    fn claims(run: &Run<'_>) -> Value {
        json!({
            "iss": run.issuer,
            "sub": "arn:aws:iam::123456789012:role/publisher",
            "jti": run.token_id,
            "iat": run.now,
            "exp": run.now + Duration::from_mins(5),
            "https://sts.amazonaws.com/": {
                "aws_account": "123456789012",
                "source_region": "eu-west-1",
                "org_id": "o-acme",
            },
        })
    }

    fn environment(
        provider: &Provider<Self>,
        overrides: &Overrides,
        audience: &str,
    ) -> Vec<(String, String)> {
        // A role asks AWS, which nobody plays, so the token is handed over.
        variables([("HF_OIDC_ID_TOKEN", &provider.mint(overrides, audience))])
    }
}
