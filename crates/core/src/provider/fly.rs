//! Fly.io machines, with an issuer for each organization.
//!
//! Source: Fly.io documentation, "OpenID Connect" of Machines.

use std::time::Duration;

use super::field::parse_slug;
use super::pin::parse_opaque_id;
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "fly",
    title: "Fly.io",
    issuers: &[],
    issuer_forms: &["https://oidc.fly.io/*"],
    fields: &[
        Field::new("app", "app_name", parse_slug).single(),
        Field::new("organization", "org_id", parse_opaque_id).single().id(),
    ],
    pins: &[Pin::opaque("app_id", "app").of_place(), Pin::opaque("org_id", "app")],
    event: None,
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("app")
            || rules.has_field("organization")
            || rules.has_given_pin("app_id")
            || rules.has_given_pin("org_id")
    },
    tenant_remedy: "the organization's name in the issuer can change hands: set app=NAME",
    unfit_claims: &[("/sub", "it changes with the machine; use the preset's fields")],
    cautions: Cautions::NONE,
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[],
    recorded_claims: &[
        "app_id",
        "app_name",
        "image_digest",
        "jti",
        "machine_id",
        "machine_name",
        "machine_version",
        "org_id",
    ],
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(1), 1),
};
