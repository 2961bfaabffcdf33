//! Any OIDC issuer: nothing is known of its claims, so conditions point at them and nothing is pinned by itself.

use std::time::Duration;

use super::{Defaults, Preset};
use crate::algorithm::Algorithm;
use crate::publisher::Rules;

pub(super) const PRESET: Preset = Preset {
    name: "generic",
    title: "OIDC issuer",
    issuers: &[],
    issuer_forms: &[],
    fields: &[],
    pins: &[],
    event: None,
    guard: |_, _| None,
    names_tenant,
    tenant_remedy: "every customer of this issuer has the same `iss`: add a condition on the claim that names the tenant \
                    (/sub at Google, /owner_id at Vercel, /terraform_organization_id at HCP Terraform, /workspace_id at Modal, \
                    /account_id at Codefresh)",
    unfit_claims: &[],
    known_claims: &[],
    recorded_claims: &[],
    defaults: Defaults {
        algorithms: &[Algorithm::Rs256, Algorithm::Es256],
        max_lifetime: Duration::from_hours(1),
        max_exchanges: 1,
    },
};

/// Issuers that all customers of a provider share, and the claims that tell the customers apart.
const SHARED: &[(&str, &[&str])] = &[
    ("https://accounts.google.com", &["sub"]),
    (
        "https://app.terraform.io",
        &["terraform_organization_id", "terraform_project_id", "terraform_workspace_id"],
    ),
    ("https://oidc.codefresh.io", &["account_id", "pipeline_id"]),
    ("https://oidc.modal.com", &["workspace_id"]),
    ("https://oidc.vercel.com", &["owner_id", "project_id"]),
];

fn names_tenant(rules: &Rules) -> bool {
    SHARED
        .iter()
        .find(|(issuer, _)| *issuer == rules.issuer().as_str())
        .is_none_or(|(_, claims)| claims.iter().any(|claim| rules.has_pointer(claim)))
}
