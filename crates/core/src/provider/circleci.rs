//! CircleCI.
//!
//! Its claims' names contain dots and a slash, and everything that matters is a UUID. Each organization has an issuer;
//! since 2026 jobs may ask for the root issuer, which all organizations share.
//!
//! Source: CircleCI documentation, "Using OpenID Connect tokens in jobs" and "OIDC tokens with custom claims".

use std::time::Duration;

use serde_json::Value;

use super::address::{Address, repository};
use super::field::parse_name;
use super::pin::parse_uuid;
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;
use crate::decision::{Actual, Check};
use crate::publisher::Rules;
use crate::statement::Statement;

const ROOT: &str = "https://oidc.circleci.com";
const ORGANIZATION: &str = "oidc.circleci.com/org-id";
const PROJECT: &str = "oidc.circleci.com/project-id";
const PIPELINE: &str = "oidc.circleci.com/pipeline-definition-id";
const ORIGIN: &str = "oidc.circleci.com/vcs-origin";
const SSH_RERUN: &str = "oidc.circleci.com/ssh-rerun";

pub(super) const PRESET: Preset = Preset {
    name: "circleci",
    title: "CircleCI",
    issuers: &[],
    issuer_forms: &[ROOT, "https://oidc.circleci.com/org/*"],
    fields: &[
        Field::new("organization", ORGANIZATION, parse_uuid).single().id(),
        Field::new("project", PROJECT, parse_uuid).single().id(),
        Field::new("pipeline", PIPELINE, parse_uuid).id(),
        Field::new("origin", ORIGIN, parse_name).single().in_address(origin),
        Field::new("ref", "oidc.circleci.com/vcs-ref", parse_reference).shorthand(branch_of_name).guarded(),
    ],
    pins: &[Pin::uuid(PROJECT, "project").of_place(), Pin::uuid(ORGANIZATION, "project")],
    event: None,
    guard: ssh_rerun,
    names_tenant,
    tenant_remedy: "set organization=UUID or project=UUID where organizations share the issuer, and origin=HOST/OWNER/NAME \
                    with a ref: a fork may have a branch of that name",
    unfit_claims: &[("/sub", "it changes with the user and the branch; use the preset's fields")],
    cautions: Cautions::NONE.shared_issuers(&[ROOT]),
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[
        "aud",
        "exp",
        "iat",
        "iss",
        "jti",
        "nbf",
        "oidc.circleci.com/context-ids",
        "oidc.circleci.com/job-id",
        ORGANIZATION,
        PIPELINE,
        "oidc.circleci.com/pipeline-id",
        PROJECT,
        SSH_RERUN,
        ORIGIN,
        "oidc.circleci.com/vcs-ref",
        "oidc.circleci.com/workflow-id",
        "sub",
    ],
    recorded_claims: &[
        "oidc.circleci.com/job-id",
        ORGANIZATION,
        PIPELINE,
        "oidc.circleci.com/pipeline-id",
        PROJECT,
        SSH_RERUN,
        ORIGIN,
        "oidc.circleci.com/vcs-ref",
        "oidc.circleci.com/workflow-id",
    ],
    defaults: Defaults {
        algorithms: &[Algorithm::Rs256],
        max_lifetime: Duration::from_hours(1),
        // The tokens in the job's variables serve all its steps; the command mints anew.
        max_exchanges: 10,
    },
};

/// At the root issuer an organization or a project; and with a ref the origin, because builds of forks, where a project
/// gives them its secrets, differ from its own by nothing else.
fn names_tenant(rules: &Rules) -> bool {
    let names_organization = rules.issuer().as_str() != ROOT
        || rules.has_field("organization")
        || rules.has_field("project")
        || rules.has_given_pin(ORGANIZATION)
        || rules.has_given_pin(PROJECT);
    let excludes_forks = !rules.has_field("ref") || rules.has_field("origin") || rules.has_pointer(ORIGIN);
    names_organization && excludes_forks
}

/// A full ref such as refs/heads/main: the claim has it so, and a branch must not be mistaken for a tag.
fn parse_reference(text: &str) -> Result<String, &'static str> {
    let name = ["refs/heads/", "refs/tags/"].iter().find_map(|prefix| text.strip_prefix(prefix));
    match name.map(super::field::parse_ref_name) {
        Some(Ok(_)) => Ok(text.to_owned()),
        _ => Err("refs/heads/BRANCH or refs/tags/TAG, without wildcards"),
    }
}

/// In a job that was started again "with SSH" a person has a shell, and the job's identity with it. Absent is refused
/// too: what cannot be seen cannot be excluded (F10).
fn ssh_rerun(statement: &Statement, rules: &Rules) -> Option<Check> {
    let claim = statement.claims().value(SSH_RERUN);
    if claim == Some(&Value::Bool(false)) || rules.has_pointer(SSH_RERUN) {
        return None;
    }
    Some(Check::failed(
        "ssh rerun",
        vec!["boolean false".to_owned()],
        claim.map_or(Actual::Absent, |value| Actual::value(&value.to_string())),
        "a person may have had a shell in this job; start it again without SSH, or set /oidc.circleci.com~1ssh-rerun",
    ))
}

/// `HOST/OWNER/NAME`, as the claim has it.
fn origin(address: &Address<'_>) -> Option<String> {
    Some(format!("{}/{}", address.host(), repository(address)?))
}

/// Who writes `main` means the branch.
fn branch_of_name(text: &str) -> Option<String> {
    (!text.starts_with("refs/")).then(|| format!("refs/heads/{text}"))
}
