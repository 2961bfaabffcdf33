//! Bitbucket Pipelines: a token in a variable, for the audiences that the step declares.
//!
//! Source: Atlassian support, "Integrate Pipelines with resource servers using OIDC".

use countersign_core::Provider;

use super::{AmbientProvider, AudienceChoice, JobMark, declared};

/// Bitbucket Pipelines.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Bitbucket,
    sign: "BITBUCKET_BUILD_NUMBER or BITBUCKET_STEP_OIDC_TOKEN",
    audience: AudienceChoice::Declared,
    job: JobMark::IdToken,
    remark: Some("one token serves the whole step, and it may be for other audiences too"),
    remedy: |audience| format!("add `oidc: {{ audiences: [\"{audience}\"] }}` to the step"),
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.has_any(&["BITBUCKET_BUILD_NUMBER", VARIABLE]),
    mint: |surroundings, _| declared::first_of(surroundings, &[VARIABLE]),
};

const SNIPPET: &str = "\
pipelines:
  default:
    - step:
        oidc:
          audiences: [{audience}]
        script:
          - countersign doctor";

const VARIABLE: &str = "BITBUCKET_STEP_OIDC_TOKEN";
