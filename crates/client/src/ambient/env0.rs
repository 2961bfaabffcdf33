//! env0: a token in a variable.
//!
//! Source: Teleport documentation, joining from env0.

use countersign_core::Provider;

use super::{AmbientProvider, AudienceChoice, JobMark, declared};

/// env0.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Env0,
    sign: "ENV0_OIDC_TOKEN or ENV0_DEPLOYMENT_LOG_ID",
    audience: AudienceChoice::Declared,
    job: JobMark::IdToken,
    remark: Some("one token serves the whole deployment"),
    remedy: |audience| {
        format!(
            "enable OIDC for the organization in env0, for {audience}; or give the audience it has with --audience"
        )
    },
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.has_any(&[VARIABLE, "ENV0_DEPLOYMENT_LOG_ID"]),
    mint: |surroundings, _| declared::first_of(surroundings, &[VARIABLE]),
};

const SNIPPET: &str = "Organization > Settings > Policies: [x] Enable OIDC during deployments";

const VARIABLE: &str = "ENV0_OIDC_TOKEN";
