//! Any OIDC issuer: nothing is known of its claims, so conditions point at them and nothing is pinned by itself.

use std::time::Duration;

use super::{Cautions, Defaults, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "generic",
    title: "OIDC issuer",
    issuers: &[],
    issuer_forms: &[],
    fields: &[],
    pins: &[],
    event: None,
    guard: |_, _| None,
    // Issuers that many customers share and that are known belong to their provider's preset.
    names_tenant: |_| true,
    tenant_remedy: "add a condition on the claim that names the tenant",
    unfit_claims: &[],
    cautions: Cautions::NONE,
    home: |_| None,
    proposed_claims: &["sub"],
    known_claims: &[],
    recorded_claims: &[],
    defaults: Defaults {
        algorithms: &[Algorithm::Rs256, Algorithm::Es256],
        max_lifetime: Duration::from_hours(1),
        max_exchanges: 1,
    },
};
