//! HCP Terraform: a token for the workspace's audience in a variable.
//!
//! Source: HashiCorp documentation, "Workload identity" of HCP Terraform.

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::ids::id_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of HCP Terraform.
pub(crate) struct HcpTerraform;

impl Platform for HcpTerraform {
    const PRESET: Preset = Preset::HcpTerraform;
    const KEY_SET: &'static str = "/.well-known/jwks";

    fn claims(run: &Run<'_>) -> Value {
        let text = |claim: &str, usual: &str| run.overrides.text_or(claim, usual);
        let organization = text("terraform_organization_name", "acme");
        let project = text("terraform_project_name", "Default Project");
        let workspace = text("terraform_workspace_name", "train");
        let phase = text("terraform_run_phase", "apply");
        let id = |kind: &str, name: &str| format!("{kind}-{}", id_of(name));
        let full = format!("organization:{organization}:project:{project}:workspace:{workspace}");
        json!({
            "iss": run.issuer,
            "sub": format!("{full}:run_phase:{phase}"),
            "jti": run.token_id,
            "iat": run.now,
            "nbf": run.now,
            "exp": run.now + Duration::from_hours(2),
            "terraform_full_workspace": full,
            "terraform_organization_id": id("org", &organization),
            "terraform_organization_name": organization,
            "terraform_project_id": id("prj", &project),
            "terraform_project_name": project,
            "terraform_run_id": "run-7",
            "terraform_run_phase": phase,
            "terraform_workspace_id": id("ws", &full),
            "terraform_workspace_name": workspace,
        })
    }

    fn environment(
        provider: &Provider<Self>,
        overrides: &Overrides,
        audience: &str,
    ) -> Vec<(String, String)> {
        variables([
            ("TFC_RUN_ID", "run-7"),
            ("TFC_WORKLOAD_IDENTITY_AUDIENCE", audience),
            ("TFC_WORKLOAD_IDENTITY_TOKEN", &provider.mint(overrides, audience)),
        ])
    }
}
