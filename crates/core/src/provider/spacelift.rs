//! Spacelift, with an issuer for each account.
//!
//! Its ids are names that the account chose and keeps. The audience is always the account's host.
//!
//! Source: Spacelift documentation, "OpenID Connect".

use std::time::Duration;

use super::field::parse_slug;
use super::{Cautions, Defaults, Event, Field, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "spacelift",
    title: "Spacelift",
    issuers: &[],
    // An installation of one's own can have any issuer.
    issuer_forms: &["https://*.app.spacelift.io"],
    fields: &[
        Field::new("space", "spaceId", parse_slug).single(),
        Field::new("stack", "callerId", parse_slug).single(),
        Field::new("scope", "scope", parse_slug),
    ],
    pins: &[],
    event: Some(Event {
        claim: "runType",
        refused: &["PROPOSED"],
        reason: "a proposed run shows what code would do that nobody has accepted yet",
    }),
    guard: |_, _| None,
    names_tenant: |_| true,
    tenant_remedy: "set stack=ID",
    unfit_claims: &[("/sub", "it is made of the claims that the preset's fields read; use those")],
    cautions: Cautions::NONE.fixed_audience(),
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[
        "aud",
        "callerId",
        "callerType",
        "exp",
        "iat",
        "iss",
        "jti",
        "nbf",
        "runId",
        "runType",
        "scope",
        "spaceId",
        "sub",
    ],
    recorded_claims: &["callerId", "callerType", "jti", "runId", "runType", "scope", "spaceId"],
    // One token lies in the run's variable for all its commands.
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(1), 10),
};
