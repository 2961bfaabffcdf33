//! Kubernetes: a pod's service account.
//!
//! Source: Kubernetes documentation, "Managing Service Accounts".

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::ids::uuid_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of Kubernetes.
pub(crate) struct Kubernetes;

impl Platform for Kubernetes {
    const PRESET: Preset = Preset::Kubernetes;
    const KEY_SET: &'static str = "/openid/v1/jwks";

    fn claims(run: &Run<'_>) -> Value {
        let namespace = run.overrides.text_or("namespace", "acme");
        let name = run.overrides.text_or("serviceaccount", "publisher");
        json!({
            "iss": run.issuer,
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
            "iat": run.now,
            "nbf": run.now,
            "exp": run.now + Duration::from_hours(1),
            "kubernetes.io": {
                "namespace": namespace,
                "pod": { "name": "publish-1", "uid": uuid_of("pod") },
                "serviceaccount": { "name": name, "uid": uuid_of(&format!("{namespace}/{name}")) },
                "warnafter": run.now + Duration::from_mins(50),
            },
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
        // A pod has its token in a file; this server writes none, so it is handed over.
        variables([
            ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
            ("HF_OIDC_ID_TOKEN", &provider.mint(overrides, audience)),
        ])
    }
}
