//! env0: a token for env0's own address in a variable.
//!
//! Source: env zero documentation, "General OIDC Integrations".

use countersign_core::Provider;

use super::{AmbientProvider, AudienceChoice, JobMark, declared};

/// env0.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Env0,
    sign: "ENV0_OIDC_TOKEN or ENV0_DEPLOYMENT_LOG_ID",
    audience: AudienceChoice::Fixed("https://prod.env0.com"),
    job: JobMark::IdToken,
    remark: Some(
        "one token serves the whole deployment, for 24 hours; in a plan of a pull request it is refused",
    ),
    remedy: |_| {
        "let an administrator of the organization turn on \"Enable OIDC during deployments\" among its policies".to_owned()
    },
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.has_any(&[VARIABLE, "ENV0_DEPLOYMENT_LOG_ID"]),
    mint: |surroundings, _| declared::first_of(surroundings, &[VARIABLE]),
};

const SNIPPET: &str = "Organization > Settings > Policies: [x] Enable OIDC during deployments";

const VARIABLE: &str = "ENV0_OIDC_TOKEN";
