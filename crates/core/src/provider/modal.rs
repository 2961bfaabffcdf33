//! Modal, whose workspaces all share one issuer.
//!
//! A token lives for 48 hours and its audience is always `oidc.modal.com`, so an issuer of this preset needs
//! `audiences = ["oidc.modal.com"]`, and with that it accepts tokens that the app showed to others.
//!
//! Source: Modal documentation, "Using OIDC to authenticate with external services".

use std::time::Duration;

use super::pin::parse_opaque_id;
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "modal",
    title: "Modal",
    issuers: &[],
    issuer_forms: &["https://oidc.modal.com"],
    fields: &[
        Field::new("workspace", "workspace_id", parse_opaque_id).single().id(),
        Field::new("environment", "environment_id", parse_opaque_id).id(),
        Field::new("app", "app_id", parse_opaque_id).single().id(),
        Field::new("function", "function_id", parse_opaque_id).id(),
    ],
    pins: &[Pin::opaque("workspace_id", "app")],
    event: None,
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("workspace") || rules.has_field("app") || rules.has_given_pin("workspace_id")
    },
    tenant_remedy: "every workspace of Modal has the same `iss`: set workspace=ID",
    unfit_claims: &[("/sub", "it is made of the claims that the preset's fields read; use those")],
    cautions: Cautions::NONE.shared_issuers(&["https://oidc.modal.com"]).fixed_audience(),
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[],
    recorded_claims: &["app_id", "environment_id", "function_id", "jti", "workspace_id"],
    // One token for each container, and two days of hourly renewals.
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(48), 50),
};
