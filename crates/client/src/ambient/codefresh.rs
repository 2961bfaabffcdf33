//! Codefresh: a token service that wants its credential without a scheme.
//!
//! Source: Codefresh documentation, "OpenID Connect for Pipelines".

use countersign_core::{Audience, Provider};

use super::token_service::{Answer, ask, variable, with_audience};
use super::{AmbientProvider, AudienceChoice, JobMark, Minted};
use crate::http::Request;
use crate::surroundings::Surroundings;

/// Codefresh.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Codefresh,
    sign: "CF_OIDC_REQUEST_URL or CF_BUILD_ID",
    audience: AudienceChoice::Asked,
    job: JobMark::Secret("CF_OIDC_REQUEST_TOKEN"),
    remark: None,
    remedy: |_| {
        "check that OpenID Connect is enabled for the account and that the step runs in a pipeline's build"
            .to_owned()
    },
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.has_any(&[REQUEST_URL, "CF_BUILD_ID"]),
    mint,
};

const SNIPPET: &str = "\
steps:
  obtain_id_token:
    type: obtain-oidc-id-token
    arguments:
      AUDIENCE: {audience}
  publish:
    image: IMAGE
    commands:
      - countersign doctor --id-token-env ID_TOKEN";

const REQUEST_URL: &str = "CF_OIDC_REQUEST_URL";

fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let url = with_audience(variable(surroundings, REQUEST_URL)?, audience);
    let credential = variable(surroundings, "CF_OIDC_REQUEST_TOKEN")?;
    let request = || Request::get(url.clone()).header("authorization", credential.to_owned());
    ask(surroundings, request, Answer::Member("id_token"))
}
