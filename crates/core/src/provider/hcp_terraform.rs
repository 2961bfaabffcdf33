//! HCP Terraform, whose organizations all share one issuer.
//!
//! Source: HashiCorp documentation, "Workload identity" of HCP Terraform.

use std::time::Duration;

use super::address::Address;
use super::field::parse_name;
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "hcp-terraform",
    title: "HCP Terraform",
    issuers: &[],
    // Terraform Enterprise has its own host.
    issuer_forms: &["https://app.terraform.io"],
    fields: &[
        Field::new("organization", "terraform_organization_name", parse_name)
            .single()
            .in_address(organization),
        Field::new("project", "terraform_project_name", parse_name).single(),
        Field::new("workspace", "terraform_workspace_name", parse_name).single().in_address(workspace),
        Field::new("phase", "terraform_run_phase", parse_name).guarded(),
    ],
    pins: &[
        Pin::opaque("terraform_workspace_id", "workspace").of_place(),
        Pin::opaque("terraform_project_id", "project"),
        Pin::opaque("terraform_organization_id", "organization"),
    ],
    event: None,
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("organization")
            || ["terraform_organization_id", "terraform_project_id", "terraform_workspace_id"]
                .iter()
                .any(|id| rules.has_given_pin(id))
    },
    tenant_remedy: "every organization of HCP Terraform has the same `iss`: set organization=NAME, or pin one of its ids",
    unfit_claims: &[("/sub", "it is made of names; use the preset's fields and pins")],
    cautions: Cautions::NONE.shared_issuers(&["https://app.terraform.io"]),
    home: |issuer| Some(issuer.authority().to_owned()),
    proposed_claims: &[],
    known_claims: &[
        "aud",
        "exp",
        "iat",
        "iss",
        "jti",
        "nbf",
        "sub",
        "terraform_full_workspace",
        "terraform_organization_id",
        "terraform_organization_name",
        "terraform_project_id",
        "terraform_project_name",
        "terraform_run_id",
        "terraform_run_phase",
        "terraform_workspace_id",
        "terraform_workspace_name",
    ],
    recorded_claims: &[
        "jti",
        "terraform_full_workspace",
        "terraform_organization_id",
        "terraform_organization_name",
        "terraform_project_id",
        "terraform_project_name",
        "terraform_run_id",
        "terraform_run_phase",
        "terraform_workspace_id",
        "terraform_workspace_name",
    ],
    // One token lies in the variables of a phase for all its processes.
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(24), 10),
};

/// `ORGANIZATION` of `/app/ORGANIZATION/workspaces/WORKSPACE`.
fn organization(address: &Address<'_>) -> Option<String> {
    match address.segments.as_slice() {
        ["app", organization, ..] => Some((*organization).to_owned()),
        _ => None,
    }
}

fn workspace(address: &Address<'_>) -> Option<String> {
    match address.segments.as_slice() {
        ["app", _, "workspaces", workspace, ..] => Some((*workspace).to_owned()),
        _ => None,
    }
}
