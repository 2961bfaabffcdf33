//! Forgejo Actions: GitHub's contract, opted in to by a line of its own.
//!
//! Its runners set `GITHUB_ACTIONS` too, so this one is looked for first.
//!
//! Source: Forgejo documentation, "OpenID Connect" of Forgejo Actions.

use countersign_core::Provider;

use super::{AmbientProvider, AudienceChoice, JobMark, github};

/// Forgejo Actions.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Forgejo,
    sign: "FORGEJO_ACTIONS=true",
    audience: AudienceChoice::Asked,
    job: JobMark::Secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    remark: None,
    remedy: |_| {
        "add `enable-openid-connect: true` to the job (Forgejo does not read `permissions`)".to_owned()
    },
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.is_exactly("FORGEJO_ACTIONS", "true"),
    mint: github::mint,
};

const SNIPPET: &str = "\
jobs:
  publish:
    enable-openid-connect: true";
