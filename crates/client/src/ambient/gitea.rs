//! Gitea Actions: GitHub's contract, in versions of Gitea that have it; no release does yet.
//!
//! Its runners set `GITHUB_ACTIONS` too, so this one is looked for first. Source: Gitea's proposed change,
//! "add OIDC workload identity support".

use countersign_core::Provider;

use super::{AmbientProvider, AudienceChoice, JobMark, github};

/// Gitea Actions.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Gitea,
    sign: "GITEA_ACTIONS=true",
    audience: AudienceChoice::Asked,
    job: JobMark::Secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    remark: None,
    remedy: |_| {
        "add `permissions: id-token: write` to the job, and check that this version of Gitea has id tokens for Actions"
            .to_owned()
    },
    snippet: github::SNIPPET,
    detect: |surroundings| surroundings.variables.is_exactly("GITEA_ACTIONS", "true"),
    mint: github::mint,
};
