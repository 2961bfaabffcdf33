//! env0.
//!
//! Its claims are known from a service that accepts them; its issuer has to be configured.
//!
//! Source: Teleport documentation, joining from env0.

use std::time::Duration;

use super::field::parse_name;
use super::pin::parse_opaque_id;
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "env0",
    title: "env0",
    issuers: &[],
    issuer_forms: &[],
    fields: &[
        Field::new("organization", "organizationId", parse_opaque_id).single().id(),
        Field::new("project", "projectId", parse_opaque_id).single().id(),
        Field::new("template", "templateId", parse_opaque_id).id(),
        Field::new("environment", "environmentName", parse_name).guarded(),
    ],
    pins: &[Pin::opaque("projectId", "project"), Pin::opaque("organizationId", "project")],
    event: None,
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("organization")
            || rules.has_field("project")
            || rules.has_given_pin("organizationId")
            || rules.has_given_pin("projectId")
    },
    tenant_remedy: "every organization of env0 may have the same `iss`: set organization=ID or project=ID",
    unfit_claims: &[("/sub", "what it is made of is not documented; use the preset's fields")],
    cautions: Cautions::NONE,
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[],
    recorded_claims: &[
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
