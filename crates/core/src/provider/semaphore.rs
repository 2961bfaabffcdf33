//! Semaphore, with an issuer for each organization.
//!
//! In pull requests `branch` is the branch that is merged into, so a branch is one only where `ref_type` says so. The
//! audience is always the organization's URL.
//!
//! Source: Semaphore documentation, "OIDC Tokens", and its source.

use std::borrow::Cow;
use std::time::Duration;

use super::address;
use super::field::{branch_of_ref, parse_name, parse_ref_name, tag_of_ref, text};
use super::pin::parse_uuid;
use super::{Cautions, Defaults, Event, Field, Pin, Preset};
use crate::algorithm::Algorithm;
use crate::statement::Statement;

pub(super) const PRESET: Preset = Preset {
    name: "semaphore",
    title: "Semaphore",
    issuers: &[],
    issuer_forms: &["https://*.semaphoreci.com"],
    fields: &[
        Field::new("project", "prj_id", parse_uuid).single().id(),
        Field::new("repository", "repo_slug", parse_name).single().in_address(address::repository),
        Field::new("branch", "branch", parse_ref_name).read_by(branch).shorthand(branch_of_ref).guarded(),
        Field::new("tag", "tag", parse_ref_name).read_by(tag).shorthand(tag_of_ref).guarded(),
    ],
    pins: &[Pin::uuid("prj_id", "project").of_place(), Pin::uuid("org_id", "project")],
    event: Some(Event {
        claim: "job_type",
        refused: &["debug_job", "project_debug_job"],
        reason: "a person has a shell in such a job, and with it the project's identity",
    }),
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("project") || rules.has_given_pin("org_id") || rules.has_given_pin("prj_id")
    },
    tenant_remedy: "the organization's name in the issuer can change hands: set project=UUID",
    unfit_claims: &[("/sub", "it changes with the run; use the preset's fields")],
    cautions: Cautions::NONE.fixed_audience(),
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[
        "actor",
        "aud",
        "branch",
        "exp",
        "iat",
        "iss",
        "job_id",
        "job_type",
        "jti",
        "nbf",
        "org",
        "org_id",
        "ppl_id",
        "pr",
        "pr_branch",
        "prj",
        "prj_id",
        "ref",
        "ref_type",
        "repo",
        "repo_slug",
        "sub",
        "sub127",
        "tag",
        "trg",
        "wf_id",
    ],
    recorded_claims: &[
        "branch",
        "job_id",
        "job_type",
        "jti",
        "org",
        "org_id",
        "ppl_id",
        "pr",
        "prj",
        "prj_id",
        "ref",
        "ref_type",
        "repo_slug",
        "tag",
        "wf_id",
    ],
    // One token lies in the job's variable for all its commands.
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(24), 10),
};

fn branch<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    of_type(statement, claim, "branch")
}

fn tag<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    of_type(statement, claim, "tag")
}

fn of_type<'a>(statement: &'a Statement, claim: &str, kind: &str) -> Option<Cow<'a, str>> {
    if statement.claims().text("ref_type") == Some(kind) { text(statement, claim) } else { None }
}
