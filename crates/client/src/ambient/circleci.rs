//! CircleCI: its command mints for any audience; the variables hold tokens for the organization's id.
//!
//! Source: CircleCI documentation, "OIDC tokens with custom claims".

use countersign_core::{Audience, Provider};
use serde_json::json;

use super::{AmbientProvider, AudienceChoice, JobMark, Minted, declared, printed};
use crate::command::Command;
use crate::surroundings::Surroundings;

/// CircleCI.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Circleci,
    sign: "CIRCLECI=true",
    audience: AudienceChoice::Asked,
    job: JobMark::Secret("CIRCLE_OIDC_TOKEN"),
    remark: Some(
        "a job that was started again with SSH is refused, and CircleCI does not mask these tokens in its logs",
    ),
    remedy: |audience| {
        let claims = json!({ "aud": audience });
        format!(
            "check that `circleci run oidc get --claims '{claims}'` works in this step, or run it in one where it does and \
             set HF_OIDC_ID_TOKEN to what it prints"
        )
    },
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.is_exactly("CIRCLECI", "true"),
    mint,
};

const SNIPPET: &str = "\
steps:
  - run: |
      HF_OIDC_ID_TOKEN=$(circleci run oidc get --claims '{\"aud\":{audience}}')
      export HF_OIDC_ID_TOKEN
      countersign doctor";

const VARIABLES: [&str; 2] = ["CIRCLE_OIDC_TOKEN_V2", "CIRCLE_OIDC_TOKEN"];

/// Where the command fails, a token in a variable may be for this audience after all: a registry can ask for the
/// organization's id.
fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let claims = json!({ "aud": audience }).to_string();
    let command = Command::new("circleci", ["run", "oidc", "get", "--claims", &claims]);
    printed::by(surroundings, &command).or_else(|obstacle| {
        declared::first_for(&surroundings.variables, audience, VARIABLES.into_iter()).ok_or(obstacle)
    })
}
