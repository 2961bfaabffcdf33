//! Vercel, with one issuer for all teams or one for each, as the team has set it.
//!
//! Source: Vercel documentation, "OIDC Federation Reference".

use std::time::Duration;

use super::field::parse_environment;
use super::pin::parse_opaque_id;
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "vercel",
    title: "Vercel",
    issuers: &[],
    issuer_forms: &["https://oidc.vercel.com", "https://oidc.vercel.com/*"],
    fields: &[
        Field::new("owner", "owner_id", parse_opaque_id).single().id(),
        Field::new("project", "project_id", parse_opaque_id).single().id(),
        Field::new("environment", "environment", parse_environment).guarded(),
    ],
    pins: &[Pin::opaque("project_id", "project").of_place(), Pin::opaque("owner_id", "project")],
    event: None,
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("owner")
            || rules.has_field("project")
            || rules.has_given_pin("owner_id")
            || rules.has_given_pin("project_id")
    },
    tenant_remedy: "a team's name can change hands, and every team may have the same `iss`: set project=ID or owner=ID",
    unfit_claims: &[("/sub", "it is made of names; use the preset's fields")],
    cautions: Cautions::NONE.shared_issuers(&["https://oidc.vercel.com"]),
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[],
    recorded_claims: &["environment", "owner_id", "project_id"],
    // One token lies in the build's variable for all its commands.
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(24), 10),
};
