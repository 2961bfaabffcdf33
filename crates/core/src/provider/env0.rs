//! env0, whose organizations all share one issuer, with people's sessions beside deployments.
//!
//! So a token has to say that it is a deployment's. The audience is always env0's own address: an issuer of this preset
//! needs `audiences = ["https://prod.env0.com"]`, and with that it accepts tokens that the deployment showed to others.
//!
//! Source: env zero documentation, "General OIDC Integrations".

use std::time::Duration;

use super::field::parse_name;
use super::pin::parse_opaque_id;
use super::{Cautions, Defaults, Event, Field, Pin, Preset};
use crate::algorithm::Algorithm;
use crate::decision::{Actual, Check};
use crate::publisher::Rules;
use crate::statement::Statement;

pub(super) const PRESET: Preset = Preset {
    name: "env0",
    title: "env0",
    issuers: &[],
    issuer_forms: &["https://login.app.env0.com/"],
    fields: &[
        Field::new("organization", "organizationId", parse_opaque_id).single().id(),
        Field::new("project", "projectId", parse_opaque_id).single().id(),
        Field::new("template", "templateId", parse_opaque_id).id(),
        Field::new("environment", "environmentName", parse_name).guarded(),
    ],
    pins: &[Pin::opaque("projectId", "project").of_place(), Pin::opaque("organizationId", "project")],
    event: Some(Event {
        claim: "deploymentType",
        refused: &["prPlan"],
        reason: "it plans what a pull request would change, so it runs code that nobody has accepted yet",
    }),
    guard: of_a_deployment,
    names_tenant: |rules| {
        rules.has_field("organization")
            || rules.has_field("project")
            || rules.has_given_pin("organizationId")
            || rules.has_given_pin("projectId")
    },
    tenant_remedy: "every organization of env0 has the same `iss`: set organization=ID or project=ID",
    unfit_claims: &[("/sub", "it is a user that stands for the organization; use the preset's fields")],
    cautions: Cautions::NONE.shared_issuers(&["https://login.app.env0.com/"]).fixed_audience(),
    home: |_| None,
    proposed_claims: &[],
    // Every claim comes a second time under `https://env0.com/`, until those are removed.
    known_claims: &[],
    recorded_claims: &[
        "apiKeyType",
        "deploymentLogId",
        "deploymentType",
        "environmentId",
        "environmentName",
        "organizationId",
        "projectId",
        "templateId",
        "workspaceName",
    ],
    // One token lies in the deployment's variable for all its commands.
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(24), 10),
};

const KIND: &str = "apiKeyType";

/// The issuer signs for people too; only a deployment's token has this kind.
fn of_a_deployment(statement: &Statement, rules: &Rules) -> Option<Check> {
    let kind = statement.claims().value(KIND);
    if kind.and_then(|kind| kind.as_str()) == Some("oidc") || rules.has_pointer(KIND) {
        return None;
    }
    Some(Check::failed(
        "kind of token",
        vec!["oidc".to_owned()],
        kind.map_or(Actual::Absent, |kind| Actual::value(&kind.to_string())),
        "only the token in ENV0_OIDC_TOKEN is a deployment's",
    ))
}
