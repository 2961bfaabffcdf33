//! Forgejo Actions: GitHub's contract on every Forgejo instance, with claims that only look like GitHub's.
//!
//! `workflow` is the file here, where GitHub has a display name there. `sub` joins names and ids by `-`, which names may
//! contain: two repositories can have one `sub`, so it is never read.
//!
//! Source: Forgejo documentation, "OpenID Connect" of Forgejo Actions.

use std::time::Duration;

use super::address;
use super::field::{branch, branch_of_ref, parse_ref_name, parse_repository, tag, tag_of_ref};
use super::github::{FOREIGN_INPUT, parse_workflow};
use super::{Cautions, Defaults, Event, Field, Pin, Preset};
use crate::algorithm::Algorithm;
use crate::issuer::IssuerUrl;

pub(super) const PRESET: Preset = Preset {
    name: "forgejo",
    title: "Forgejo Actions",
    issuers: &[],
    issuer_forms: &["https://*/api/actions"],
    fields: &[
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
        Field::new("workflow", "workflow", parse_workflow).in_address(address::workflow),
    ],
    pins: &[
        Pin::decimal("repository_id", "repository").of_place(),
        Pin::decimal("repository_owner_id", "repository"),
    ],
    event: Some(Event { claim: "event_name", refused: &["pull_request_target"], reason: FOREIGN_INPUT }),
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("repository")
            || rules.has_given_pin("repository_id")
            || rules.has_given_pin("repository_owner_id")
    },
    tenant_remedy: "set repository=OWNER/NAME, or pin repository_id or repository_owner_id",
    unfit_claims: &[("/sub", "its names and ids cannot be told apart; use the preset's fields and pins")],
    cautions: Cautions::NONE.guarding_claims(&["ref_protected"]),
    home,
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
        "jti",
        "nbf",
        "ref",
        "ref_protected",
        "ref_type",
        "repository",
        "repository_id",
        "repository_owner",
        "repository_owner_id",
        "run_attempt",
        "run_id",
        "run_number",
        "sha",
        "sub",
        "workflow",
        "workflow_ref",
    ],
    recorded_claims: &[
        "actor",
        "actor_id",
        "event_name",
        "jti",
        "ref",
        "repository",
        "repository_id",
        "repository_owner_id",
        "run_attempt",
        "run_id",
        "sha",
        "workflow",
        "workflow_ref",
    ],
    defaults: Defaults {
        algorithms: &[Algorithm::Rs256],
        max_lifetime: Duration::from_hours(1),
        max_exchanges: 1,
    },
};

/// Where the instance is, if its issuer has the usual form.
fn home(issuer: &IssuerUrl) -> Option<String> {
    let (_, rest) = issuer.as_str().split_once("://")?;
    rest.strip_suffix("/api/actions").map(str::to_owned)
}
