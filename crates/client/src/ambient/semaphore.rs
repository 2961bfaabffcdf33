//! Semaphore: a token for the organization's URL in a variable.
//!
//! Source: Semaphore documentation, "OpenID Connect".

use countersign_core::Provider;

use super::{AmbientProvider, AudienceChoice, JobMark, declared};

/// Semaphore.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Semaphore,
    sign: "SEMAPHORE=true or SEMAPHORE_OIDC_TOKEN",
    audience: AudienceChoice::Fixed("the URL of the Semaphore organization"),
    job: JobMark::IdToken,
    remark: Some("one token serves the whole job; in a debug job it is refused"),
    remedy: |_| {
        "check that the organization's plan has OpenID Connect, and that the job is not a debug job"
            .to_owned()
    },
    snippet: SNIPPET,
    detect: |surroundings| {
        surroundings.variables.has_any(&[VARIABLE]) || surroundings.variables.is_exactly("SEMAPHORE", "true")
    },
    mint: |surroundings, _| declared::first_of(surroundings, &[VARIABLE]),
};

const SNIPPET: &str = "\
blocks:
  - name: publish
    task:
      jobs:
        - name: publish
          commands:
            - countersign doctor --audience \"$SEMAPHORE_ORGANIZATION_URL\"";

const VARIABLE: &str = "SEMAPHORE_OIDC_TOKEN";
