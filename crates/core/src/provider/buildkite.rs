//! Buildkite, whose customers all share one issuer.
//!
//! A token has names only unless the job asks for ids, as our client does. So ids are pinned beside the names, and a token
//! without them is refused with that remedy. `sub` changes with each commit and is never read.
//!
//! Source: Buildkite documentation, "OIDC with Buildkite" and `buildkite-agent oidc request-token`.

use std::borrow::Cow;
use std::time::Duration;

use super::address::Address;
use super::field::{branch_of_ref, parse_name, parse_ref_name, parse_slug, tag_of_ref, text};
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;
use crate::statement::Statement;

pub(super) const PRESET: Preset = Preset {
    name: "buildkite",
    title: "Buildkite",
    issuers: &[],
    issuer_forms: &["https://agent.buildkite.com"],
    fields: &[
        Field::new("organization", "organization_slug", parse_slug).single().in_address(organization),
        Field::new("pipeline", "pipeline_slug", parse_slug).single().in_address(pipeline),
        Field::new("branch", "build_branch", parse_ref_name)
            .read_by(branch)
            .shorthand(branch_of_ref)
            .guarded(),
        Field::new("tag", "build_tag", parse_ref_name).shorthand(tag_of_ref).guarded(),
        Field::new("step", "step_key", parse_name),
    ],
    pins: &[Pin::uuid("pipeline_id", "pipeline").of_place(), Pin::uuid("organization_id", "organization")],
    event: None,
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("organization")
            || rules.has_given_pin("organization_id")
            || rules.has_given_pin("pipeline_id")
    },
    tenant_remedy: "every customer of Buildkite has the same `iss`: set organization=SLUG, or pin organization_id or \
                    pipeline_id (its tokens carry ids only if the job asks for --claim organization_id,pipeline_id)",
    unfit_claims: &[("/sub", "it changes with every commit; use the preset's fields")],
    cautions: Cautions::NONE
        .shared_issuers(&["https://agent.buildkite.com"])
        .hosted("runner_environment", "buildkite-hosted"),
    home: |_| Some("buildkite.com".to_owned()),
    proposed_claims: &[],
    known_claims: &[
        "agent_id",
        "aud",
        "build_branch",
        "build_commit",
        "build_id",
        "build_number",
        "build_source",
        "build_tag",
        "cluster_id",
        "cluster_name",
        "exp",
        "iat",
        "iss",
        "job_id",
        "jti",
        "nbf",
        "organization_id",
        "organization_slug",
        "pipeline_id",
        "pipeline_slug",
        "queue_id",
        "queue_key",
        "runner_environment",
        "step_key",
        "sub",
    ],
    recorded_claims: &[
        "build_branch",
        "build_commit",
        "build_number",
        "build_source",
        "build_tag",
        "job_id",
        "organization_id",
        "organization_slug",
        "pipeline_id",
        "pipeline_slug",
        "runner_environment",
        "step_key",
    ],
    defaults: Defaults {
        algorithms: &[Algorithm::Rs256],
        max_lifetime: Duration::from_hours(1),
        max_exchanges: 1,
    },
};

/// The branch of a build that is not of a tag: such a build may have the tag's name here, and a tag is not a branch.
fn branch<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    if text(statement, "build_tag").is_some() { None } else { text(statement, claim) }
}

/// `ORGANIZATION` of `/ORGANIZATION/PIPELINE/builds/7`; settings have another form.
fn organization(address: &Address<'_>) -> Option<String> {
    address.segments.first().filter(|first| **first != "organizations").map(|slug| (*slug).to_owned())
}

fn pipeline(address: &Address<'_>) -> Option<String> {
    organization(address)?;
    address.segments.get(1).map(|slug| (*slug).to_owned())
}
