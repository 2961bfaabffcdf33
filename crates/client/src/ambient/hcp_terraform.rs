//! HCP Terraform and Terraform Enterprise: tokens in variables, one for each audience that the workspace names.
//!
//! Source: HashiCorp documentation, "Manually generate workload identity tokens".

use countersign_core::{Audience, Provider};

use super::{AmbientProvider, AudienceChoice, JobMark, Minted, declared};
use crate::surroundings::Surroundings;

/// HCP Terraform.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::HcpTerraform,
    sign: "TFC_RUN_ID or TFC_WORKLOAD_IDENTITY_TOKEN",
    audience: AudienceChoice::Declared,
    job: JobMark::IdToken,
    remark: Some("one token serves a whole phase of the run"),
    remedy: |audience| {
        format!(
            "set the environment variable `TFC_WORKLOAD_IDENTITY_AUDIENCE` of the workspace to {audience}"
        )
    },
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.has_any(&["TFC_RUN_ID", VARIABLE]),
    mint,
};

const SNIPPET: &str = "\
resource \"tfe_variable\" \"audience\" {
  workspace_id = tfe_workspace.publish.id
  category     = \"env\"
  key          = \"TFC_WORKLOAD_IDENTITY_AUDIENCE\"
  value        = {audience}
}";

const VARIABLE: &str = "TFC_WORKLOAD_IDENTITY_TOKEN";

/// The token for this audience among those that the workspace has asked for (`…_TOKEN_TAG` with a tag of its own); else
/// the untagged one, so that its audience is named.
fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let variables = &surroundings.variables;
    let found = declared::first_for(variables, audience, variables.names_starting(VARIABLE));
    found.map_or_else(|| declared::first_of(surroundings, &[VARIABLE]), Ok)
}
