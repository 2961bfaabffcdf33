//! Bitrise: a token service of the build.
//!
//! It wants its credential twice, both times without a scheme. Its clients may choose `sub`; ours leaves it to Bitrise.
//!
//! Source: the source of Bitrise's step that gets id tokens.

use countersign_core::{Audience, Provider};
use serde_json::json;

use super::token_service::{Answer, ask, variable};
use super::{AmbientProvider, AudienceChoice, JobMark, Minted};
use crate::http::Request;
use crate::surroundings::Surroundings;

/// Bitrise.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Bitrise,
    sign: "BITRISE_BUILD_URL",
    audience: AudienceChoice::Asked,
    job: JobMark::Secret("BITRISE_BUILD_API_TOKEN"),
    remark: Some("whoever starts a job may choose `sub`, so no publisher can trust it"),
    remedy: |_| "check that the step runs in a build on bitrise.io, where both variables are set".to_owned(),
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.has_any(&[BUILD_URL]),
    mint,
};

const SNIPPET: &str = "\
workflows:
  publish:
    steps:
      - script@1:
          inputs:
            - content: countersign doctor";

const BUILD_URL: &str = "BITRISE_BUILD_URL";

fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let url = format!("{}/id_token.json", variable(surroundings, BUILD_URL)?.trim_end_matches('/'));
    let credential = variable(surroundings, "BITRISE_BUILD_API_TOKEN")?;
    let body = json!({ "aud": audience }).to_string();
    let request = || {
        Request::post_json(url.clone(), body.clone())
            .header("build_api_token", credential.to_owned())
            .header("authorization", credential.to_owned())
    };
    ask(surroundings, request, Answer::Member("id_token"))
}
