//! Codefresh, whose accounts all share one issuer.
//!
//! Source: Codefresh documentation, "OpenID Connect for Pipelines".

use std::borrow::Cow;
use std::time::Duration;

use super::field::{parse_name, parse_ref_name, text};
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;
use crate::statement::Statement;

pub(super) const PRESET: Preset = Preset {
    name: "codefresh",
    title: "Codefresh",
    issuers: &[],
    issuer_forms: &["https://oidc.codefresh.io"],
    fields: &[
        Field::new("account", "account_name", parse_name).single(),
        Field::new("pipeline", "pipeline_name", parse_name).single(),
        Field::new("ref", "scm_ref", parse_ref_name).read_by(reference).guarded(),
    ],
    pins: &[Pin::opaque("pipeline_id", "pipeline").of_place(), Pin::opaque("account_id", "account")],
    event: None,
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("account") || rules.has_given_pin("account_id") || rules.has_given_pin("pipeline_id")
    },
    tenant_remedy: "every account of Codefresh has the same `iss`: set account=NAME, or pin account_id or pipeline_id",
    unfit_claims: &[("/sub", "it changes with what started the run; use the preset's fields")],
    cautions: Cautions::NONE.shared_issuers(&["https://oidc.codefresh.io"]),
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[
        "account_id",
        "account_name",
        "aud",
        "exp",
        "iat",
        "initiator",
        "iss",
        "jti",
        "nbf",
        "pipeline_id",
        "pipeline_name",
        "platform_url",
        "runner_environment",
        "scm_pull_request_target_branch",
        "scm_ref",
        "scm_repo_url",
        "scm_user_name",
        "sid",
        "sub",
        "workflow_id",
    ],
    recorded_claims: &[
        "account_id",
        "account_name",
        "initiator",
        "pipeline_id",
        "pipeline_name",
        "scm_pull_request_target_branch",
        "scm_ref",
        "scm_repo_url",
        "workflow_id",
    ],
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(1), 1),
};

/// The branch or tag of a run that is not of a pull request: there it is the name of the source branch, which a fork may
/// choose.
fn reference<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    if text(statement, "scm_pull_request_target_branch").is_some() { None } else { text(statement, claim) }
}
