//! Bitrise, whose apps all share one issuer.
//!
//! Which claims its tokens have is not documented in full: they name the app, the build, the workflow and the repository, so
//! conditions are JSON Pointers to what `countersign whoami` shows. An app can be made for any public repository, so what a
//! token says of the repository does not say whose app it is. Older versions of Bitrise's step chose `sub`.
//!
//! Source: Bitrise documentation, "OIDC authentication overview", "OIDC for AWS"; the source of Bitrise's step that gets id
//! tokens; for the claims of the repository, the source of a service that accepts them (Tuist).

use std::time::Duration;

use super::{Cautions, Defaults, Preset};
use crate::algorithm::Algorithm;
use crate::publisher::{Rules, Selector};

pub(super) const PRESET: Preset = Preset {
    name: "bitrise",
    title: "Bitrise",
    issuers: &[],
    issuer_forms: &["https://token.builds.bitrise.io"],
    fields: &[],
    pins: &[],
    event: None,
    guard: |_, _| None,
    names_tenant: names_app,
    tenant_remedy: "every app of Bitrise has the same `iss`, and an app can be made for any public repository: add a \
                    condition on the claim that names the app, such as /app_slug=SLUG",
    unfit_claims: &[("/sub", "whoever starts the job may choose it")],
    cautions: Cautions::NONE.shared_issuers(&["https://token.builds.bitrise.io"]),
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[],
    recorded_claims: &[],
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(1), 1),
};

/// At least one condition on something else than the repository.
fn names_app(rules: &Rules) -> bool {
    rules.conditions().iter().any(|condition| match condition.selector() {
        Selector::Pointer(pointer) => !pointer.claim().starts_with("repository"),
        Selector::Field(_) => false,
    })
}
