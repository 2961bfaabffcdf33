//! Google Cloud: machines and service accounts, all under one issuer.
//!
//! The issuer and an audience prove nothing: anybody's machine has such a token. An e-mail address names a service account
//! until it is deleted; `sub` is its id and never used again, so it is pinned.
//!
//! Source: Google Cloud documentation, "Verifying the identity of instances".

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::field::text;
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;
use crate::statement::Statement;

pub(super) const PRESET: Preset = Preset {
    name: "google",
    title: "Google Cloud",
    issuers: &[],
    issuer_forms: &["https://accounts.google.com"],
    fields: &[Field::new("service-account", "email", parse_email).single().read_by(verified_email)],
    pins: &[Pin::decimal("sub", "service-account").of_place()],
    event: None,
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("service-account") || rules.has_given_pin("sub") || rules.has_pointer("sub")
    },
    tenant_remedy: "every customer of Google has the same `iss`: set service-account=EMAIL, or pin sub",
    unfit_claims: &[],
    cautions: Cautions::NONE.shared_issuers(&["https://accounts.google.com"]),
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[],
    recorded_claims: &["azp", "email", "email_verified", "sub"],
    // The metadata server may answer from its cache.
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(1), 10),
};

fn parse_email(text: &str) -> Result<String, &'static str> {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    match text.split_once('@') {
        Some((name, domain)) if is_part(name) && is_part(domain) => Ok(text.to_owned()),
        _ => Err("the e-mail address of a service account"),
    }
}

/// An address that Google does not vouch for names nobody.
fn verified_email<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    let is_verified = statement.claims().value("email_verified") == Some(&Value::Bool(true));
    if is_verified { text(statement, claim) } else { None }
}
