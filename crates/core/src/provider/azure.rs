//! Azure managed identities, with two issuers for each tenant: tokens of version 1 and of version 2.
//!
//! Source: Microsoft, "Managed identities for Azure resources".

use std::time::Duration;

use super::pin::parse_uuid;
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "azure",
    title: "Azure managed identity",
    issuers: &[],
    issuer_forms: &["https://login.microsoftonline.com/*/v2.0", "https://sts.windows.net/*/"],
    fields: &[Field::new("identity", "oid", parse_uuid).single().id()],
    pins: &[Pin::uuid("oid", "identity").of_place(), Pin::uuid("tid", "identity")],
    event: None,
    guard: |_, _| None,
    names_tenant: |rules| rules.has_field("identity") || rules.has_given_pin("oid"),
    tenant_remedy: "everybody in the tenant has this issuer: set identity=UUID, the object id of the managed identity",
    unfit_claims: &[("/sub", "it differs from application to application; use identity=UUID")],
    cautions: Cautions::NONE,
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[],
    recorded_claims: &["appid", "azp", "oid", "tid", "xms_mirid"],
    // The endpoint answers from its cache for a day.
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(25), 50),
};
