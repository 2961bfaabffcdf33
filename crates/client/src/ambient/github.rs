//! GitHub Actions: github.com, GHE.com and GitHub Enterprise Server; and the contract that others share with it.
//!
//! Source: GitHub documentation, "OpenID Connect reference", "Methods for requesting the OIDC token".

use countersign_core::{Audience, Provider};

use super::token_service::{Answer, ask, variable, with_audience};
use super::{AmbientProvider, AudienceChoice, JobMark, Minted};
use crate::http::Request;
use crate::surroundings::Surroundings;

/// GitHub Actions.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Github,
    sign: "GITHUB_ACTIONS=true",
    audience: AudienceChoice::Asked,
    job: JobMark::Secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    remark: None,
    remedy: |_| REMEDY.to_owned(),
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.is_exactly("GITHUB_ACTIONS", "true"),
    mint,
};

pub(super) const SNIPPET: &str = "\
jobs:
  publish:
    permissions:
      id-token: write
      contents: read";

const REMEDY: &str = "add `permissions: id-token: write` to the job (a pull request from a fork never gets one); see \
    https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments";

/// Mints as in a job of GitHub Actions. Forgejo, Gitea and Depot do the same: which of them it was, the issuer says.
pub(super) fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let url = with_audience(variable(surroundings, "ACTIONS_ID_TOKEN_REQUEST_URL")?, audience);
    let credential = variable(surroundings, "ACTIONS_ID_TOKEN_REQUEST_TOKEN")?;
    let request = || Request::get(url.clone()).header("authorization", format!("Bearer {credential}"));
    ask(surroundings, request, Answer::Member("value"))
}
