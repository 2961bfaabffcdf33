//! Depot CI: GitHub's contract under Depot's issuer.
//!
//! In the job nothing tells it from GitHub Actions, so it is never detected: a token of its issuer is labelled as its.
//!
//! Source: Depot documentation, "OIDC with Depot CI".

use countersign_core::Provider;

use super::{AmbientProvider, AudienceChoice, JobMark, github};

/// Depot CI.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Depot,
    sign: "a token of the issuer https://identity.depot.dev",
    audience: AudienceChoice::Asked,
    job: JobMark::Secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    remark: None,
    remedy: |_| "add `permissions: id-token: write` to the job".to_owned(),
    snippet: github::SNIPPET,
    detect: |_| false,
    mint: github::mint,
};
