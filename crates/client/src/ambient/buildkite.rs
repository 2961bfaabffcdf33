//! Buildkite: the agent's HTTP API, else the agent's command.
//!
//! Ids are asked for, because a token without them names its organization and pipeline by names that can change hands, and
//! our servers refuse it.
//!
//! Source: Buildkite documentation, `buildkite-agent oidc request-token`; the agent's source for the API.

use countersign_core::{Audience, Provider};
use serde_json::json;

use super::token_service::{Answer, ask, variable};
use super::{AmbientProvider, AudienceChoice, JobMark, Minted, Obstacle, printed};
use crate::command::{Command, CommandError};
use crate::http::Request;
use crate::surroundings::Surroundings;

/// Buildkite.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Buildkite,
    sign: "BUILDKITE=true",
    audience: AudienceChoice::Asked,
    job: JobMark::Secret("BUILDKITE_AGENT_JOB_API_TOKEN"),
    remark: None,
    remedy: |audience| {
        format!(
            "let the step see the agent: in the docker plugin set `propagate-environment: true` and \
             `mount-buildkite-agent: true`, or set HF_OIDC_ID_TOKEN to what `buildkite-agent oidc request-token --audience \
             {audience} --claim {CLAIMS}` prints"
        )
    },
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.is_exactly("BUILDKITE", "true"),
    mint,
};

const SNIPPET: &str = "\
steps:
  - command: countersign doctor
    plugins:
      - docker#v5.12.0:
          image: IMAGE
          propagate-environment: true
          mount-buildkite-agent: true";

const CLAIMS: &str = "organization_id,pipeline_id";
const DEFAULT_ENDPOINT: &str = "https://agent-edge.buildkite.com/v3";

/// Where the API gives nothing and there is no command either, the API's reason is the one that is shown.
fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    by_api(surroundings, audience).or_else(|first| match by_command(surroundings, audience) {
        Err(Obstacle::Command(CommandError::NotFound { .. })) => Err(first),
        outcome => outcome,
    })
}

fn by_api(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let job = variable(surroundings, "BUILDKITE_JOB_ID")?;
    let credential = variable(surroundings, "BUILDKITE_AGENT_ACCESS_TOKEN")?;
    let endpoint = surroundings.variables.text("BUILDKITE_AGENT_ENDPOINT").unwrap_or(DEFAULT_ENDPOINT);
    let url = format!("{}/jobs/{job}/oidc/tokens", endpoint.trim_end_matches('/'));
    let claims: Vec<&str> = CLAIMS.split(',').collect();
    let body = json!({ "audience": audience, "claims": claims }).to_string();
    let request = || {
        Request::post_json(url.clone(), body.clone()).header("authorization", format!("Token {credential}"))
    };
    ask(surroundings, request, Answer::Member("token"))
}

fn by_command(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let arguments = ["oidc", "request-token", "--audience", audience.as_str(), "--claim", CLAIMS];
    printed::by(surroundings, &Command::new("buildkite-agent", arguments))
}
