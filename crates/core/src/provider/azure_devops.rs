//! Azure DevOps Pipelines: the pipeline's own token, with an issuer for each organization.
//!
//! The token of a service connection comes from the same issuer without any of these claims, and so matches nothing. Its
//! audience is always Azure's: an issuer of this preset needs `audiences = ["api://AzureADTokenExchange"]`, and with that
//! it accepts tokens that the pipeline showed to others.
//!
//! Source: Microsoft, "Oidctoken - Create" (REST); Azure DevOps documentation, "Workload identity federation".

use std::time::Duration;

use super::field::{branch, branch_of_ref, parse_name, parse_ref_name, tag, tag_of_ref};
use super::pin::{parse_opaque_id, parse_uuid};
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "azure-devops",
    title: "Azure DevOps",
    issuers: &[],
    issuer_forms: &["https://vstoken.dev.azure.com/*"],
    fields: &[
        Field::new("project", "prj_id", parse_uuid).single().id(),
        Field::new("pipeline", "def_id", parse_opaque_id).id(),
        Field::new("repository", "rpo_id", parse_name).single(),
        Field::new("branch", "rpo_ref", parse_ref_name).read_by(branch).shorthand(branch_of_ref).guarded(),
        Field::new("tag", "rpo_ref", parse_ref_name).read_by(tag).shorthand(tag_of_ref).guarded(),
    ],
    pins: &[Pin::uuid("prj_id", "project").of_place(), Pin::uuid("org_id", "project")],
    event: None,
    guard: |_, _| None,
    names_tenant: |_| true,
    tenant_remedy: "set project=UUID",
    unfit_claims: &[("/sub", "it consists of names, which can change hands; use the preset's fields")],
    cautions: Cautions::NONE.fixed_audience(),
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[
        "aud", "def_id", "exp", "iat", "iss", "jti", "nbf", "org_id", "prj_id", "rpo_id", "rpo_ref",
        "rpo_uri", "rpo_ver", "run_id", "sub",
    ],
    recorded_claims: &[
        "def_id", "jti", "org_id", "prj_id", "rpo_id", "rpo_ref", "rpo_uri", "rpo_ver", "run_id",
    ],
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(1), 1),
};
