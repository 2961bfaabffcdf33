//! Bitrise.
//!
//! Nothing is documented of its claims but that whoever asks for a token may choose `sub`: so that is never trusted, and
//! conditions name the claims that the issuer's owner has seen.
//!
//! Source: the source of Bitrise's step that gets id tokens.

use std::time::Duration;

use super::{Cautions, Defaults, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "bitrise",
    title: "Bitrise",
    issuers: &[],
    issuer_forms: &[],
    fields: &[],
    pins: &[],
    event: None,
    guard: |_, _| None,
    names_tenant: |_| true,
    tenant_remedy: "add a condition on the claim that names the workspace",
    unfit_claims: &[("/sub", "whoever starts the job may choose it")],
    cautions: Cautions::NONE,
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[],
    recorded_claims: &[],
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(1), 1),
};
