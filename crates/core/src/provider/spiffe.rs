//! SPIFFE: workloads of a trust domain, named by `sub`.
//!
//! A JWT-SVID has little else: `iss` is optional there, and without it no server of ours can say whose keys to use, so the
//! trust domain's server has to be configured to set it.
//!
//! Source: SPIFFE, "The JWT SPIFFE Verifiable Identity Document".

use std::time::Duration;

use super::{Cautions, Defaults, Field, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "spiffe",
    title: "SPIFFE",
    issuers: &[],
    issuer_forms: &[],
    fields: &[Field::new("id", "sub", parse_id)],
    pins: &[],
    event: None,
    guard: |_, _| None,
    names_tenant: |_| true,
    tenant_remedy: "set id=spiffe://TRUST-DOMAIN/PATH",
    unfit_claims: &[],
    cautions: Cautions::NONE,
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[],
    recorded_claims: &["sub"],
    // The agent answers from its cache.
    defaults: Defaults::new(
        &[Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384],
        Duration::from_hours(24),
        10,
    ),
};

fn parse_id(text: &str) -> Result<String, &'static str> {
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    match text.strip_prefix("spiffe://") {
        Some(rest) if text.len() <= 2048 && rest.split('/').all(is_segment) => Ok(text.to_owned()),
        _ => Err("spiffe://TRUST-DOMAIN/PATH, exactly, without wildcards"),
    }
}
