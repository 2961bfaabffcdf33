//! Depot CI: GitHub's workflows and repositories, run by Depot under its own issuer, which all its customers share.
//!
//! A run on Depot is no run on GitHub: the machines, and who may start jobs on them, are the Depot organization's. So it
//! is pinned beside GitHub's ids, and the issuer alone says which of the two it was. There is no environment, and the
//! form of `workflow_ref` is not documented, so neither is a field.
//!
//! Source: Depot documentation, "OIDC with Depot CI".

use std::time::Duration;

use super::address;
use super::field::{branch, branch_of_ref, parse_ref_name, parse_repository, tag, tag_of_ref};
use super::github::FOREIGN_INPUT;
use super::pin::parse_opaque_id;
use super::{Cautions, Defaults, Event, Field, Pin, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "depot",
    title: "Depot CI",
    issuers: &[],
    issuer_forms: &["https://identity.depot.dev"],
    fields: &[
        Field::new("organization", "org_id", parse_opaque_id).single().id(),
        Field::new("repository", "repository", parse_repository)
            .single()
            .folding()
            .in_address(address::repository),
        Field::new("branch", "ref", parse_ref_name)
            .read_by(branch)
            .in_address(address::branch)
            .shorthand(branch_of_ref)
            .guarded(),
        Field::new("tag", "ref", parse_ref_name)
            .read_by(tag)
            .in_address(address::tag)
            .shorthand(tag_of_ref)
            .guarded(),
    ],
    pins: &[
        Pin::decimal("repository_id", "repository").of_place(),
        Pin::decimal("repository_owner_id", "repository"),
        Pin::opaque("org_id", "repository"),
    ],
    event: Some(Event {
        claim: "event_name",
        refused: &["pull_request_target", "workflow_run"],
        reason: FOREIGN_INPUT,
    }),
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("organization")
            || rules.has_field("repository")
            || ["org_id", "repository_id", "repository_owner_id"].iter().any(|id| rules.has_given_pin(id))
    },
    tenant_remedy: "every customer of Depot has the same `iss`: set repository=OWNER/NAME or organization=ID",
    unfit_claims: &[("/sub", "it names the machine too; use the preset's fields and pins")],
    cautions: Cautions::NONE.shared_issuers(&["https://identity.depot.dev"]),
    home: |_| Some("github.com".to_owned()),
    proposed_claims: &[],
    known_claims: &[
        "actor",
        "actor_id",
        "aud",
        "base_ref",
        "event_name",
        "exp",
        "head_ref",
        "iat",
        "iss",
        "job_id",
        "jti",
        "nbf",
        "org_id",
        "ref",
        "ref_type",
        "repository",
        "repository_id",
        "repository_owner",
        "repository_owner_id",
        "repository_visibility",
        "run_attempt",
        "run_id",
        "run_number",
        "runner_environment",
        "sha",
        "sub",
        "workflow",
        "workflow_ref",
        "workflow_sha",
    ],
    recorded_claims: &[
        "actor",
        "actor_id",
        "event_name",
        "job_id",
        "jti",
        "org_id",
        "ref",
        "repository",
        "repository_id",
        "repository_owner_id",
        "run_attempt",
        "run_id",
        "sha",
        "workflow_ref",
    ],
    defaults: Defaults {
        algorithms: &[Algorithm::Rs256, Algorithm::Es256],
        max_lifetime: Duration::from_hours(1),
        max_exchanges: 1,
    },
};
