//! Azure DevOps Pipelines: the job's token for the pipeline's own identity.
//!
//! Source: Microsoft, "Oidctoken - Create" (REST).

use countersign_core::{Audience, Provider};

use super::token_service::{Answer, ask, variable, with_parameter};
use super::{AmbientProvider, AudienceChoice, JobMark, Minted};
use crate::http::Request;
use crate::surroundings::Surroundings;

/// Azure DevOps Pipelines.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::AzureDevops,
    sign: "SYSTEM_OIDCREQUESTURI or TF_BUILD=True",
    audience: AudienceChoice::Fixed("api://AzureADTokenExchange"),
    job: JobMark::Secret("SYSTEM_ACCESSTOKEN"),
    remark: None,
    remedy: |_| "add `env: { SYSTEM_ACCESSTOKEN: $(System.AccessToken) }` to the step".to_owned(),
    snippet: SNIPPET,
    detect: |surroundings| {
        surroundings.variables.has_any(&[REQUEST_URI])
            || surroundings.variables.is_exactly("TF_BUILD", "True")
    },
    mint,
};

const SNIPPET: &str = "\
steps:
  - script: countersign doctor --audience api://AzureADTokenExchange
    env:
      SYSTEM_ACCESSTOKEN: $(System.AccessToken)";

const REQUEST_URI: &str = "SYSTEM_OIDCREQUESTURI";

fn mint(surroundings: &Surroundings, _: &Audience) -> Minted {
    let url = with_parameter(variable(surroundings, REQUEST_URI)?, "api-version", "7.1");
    let credential = variable(surroundings, "SYSTEM_ACCESSTOKEN")?;
    let request = || {
        Request::post_json(url.clone(), String::new()).header("authorization", format!("Bearer {credential}"))
    };
    ask(surroundings, request, Answer::Member("oidcToken"))
}
