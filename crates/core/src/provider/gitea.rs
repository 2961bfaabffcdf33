//! Gitea Actions: GitHub's contract and claims on every Gitea instance.
//!
//! `workflow` is a display name, as with GitHub and other than with Forgejo: whoever may push chooses it, so the file is read
//! from `workflow_ref`. Reusable workflows are told by the id of the repository that they are from.
//!
//! No release of Gitea has these tokens yet. Source: Gitea's proposed change, "add OIDC workload identity support".

use std::borrow::Cow;
use std::time::Duration;

use super::address;
use super::field::{branch, branch_of_ref, parse_ref_name, parse_repository, tag, tag_of_ref};
use super::github::{FOREIGN_INPUT, own_workflow, parse_workflow};
use super::{Cautions, Defaults, Event, Field, Pin, Preset};
use crate::algorithm::Algorithm;
use crate::decision::{Actual, Check};
use crate::issuer::IssuerUrl;
use crate::publisher::Rules;
use crate::statement::Statement;

pub(super) const PRESET: Preset = Preset {
    name: "gitea",
    title: "Gitea Actions",
    issuers: &[],
    issuer_forms: &["https://*/api/actions/oidc"],
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
        Field::new("workflow", "workflow_ref", parse_file).read_by(workflow).in_address(address::workflow),
    ],
    pins: &[
        Pin::decimal("repository_id", "repository").of_place(),
        Pin::decimal("repository_owner_id", "repository"),
    ],
    event: Some(Event {
        claim: "event_name",
        refused: &["pull_request_target", "workflow_run"],
        reason: FOREIGN_INPUT,
    }),
    guard: called_workflow,
    names_tenant: |rules| {
        rules.has_field("repository")
            || rules.has_given_pin("repository_id")
            || rules.has_given_pin("repository_owner_id")
    },
    tenant_remedy: "set repository=OWNER/NAME, or pin repository_id or repository_owner_id",
    unfit_claims: &[("/sub", "its ids are pinned beside the names; use the preset's fields and pins")],
    cautions: Cautions::NONE.called_workflow("job_workflow_ref"),
    home,
    proposed_claims: &[],
    // Not released: what is new in a token is no surprise.
    known_claims: &[],
    recorded_claims: &[
        "actor",
        "actor_id",
        "event_name",
        "job_workflow_ref",
        "job_workflow_repository",
        "job_workflow_repository_id",
        "jti",
        "ref",
        "repository",
        "repository_id",
        "repository_owner_id",
        "run_attempt",
        "run_id",
        "sha",
        "workflow_ref",
    ],
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(1), 1),
};

/// Where the instance is.
fn home(issuer: &IssuerUrl) -> Option<String> {
    let (_, rest) = issuer.as_str().split_once("://")?;
    rest.strip_suffix("/api/actions/oidc").map(str::to_owned)
}

const OWN_FOLDER: &str = ".gitea/workflows/";
const GITHUBS_FOLDER: &str = ".github/workflows/";

fn parse_file(text: &str) -> Result<String, &'static str> {
    parse_workflow(text.strip_prefix(OWN_FOLDER).unwrap_or(text)).map_err(
        |_| "the name of a file in .gitea/workflows/ or .github/workflows/ that ends in .yml or .yaml",
    )
}

/// The file of the top-level workflow, in whichever of the two folders that Gitea reads.
fn workflow<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    own_workflow(statement, claim, OWN_FOLDER).or_else(|| own_workflow(statement, claim, GITHUBS_FOLDER))
}

/// A job whose steps are defined in another repository's reusable workflow runs that repository's code: refused, unless
/// a condition on `/job_workflow_ref` says that exactly this is wanted.
fn called_workflow(statement: &Statement, rules: &Rules) -> Option<Check> {
    let claims = statement.claims();
    let from = claims.value("job_workflow_repository_id");
    let called = claims.value("job_workflow_ref").or(claims.value("job_workflow_repository")).or(from)?;
    let is_own = from.is_some() && from == claims.value("repository_id");
    if is_own || rules.has_pointer("job_workflow_ref") {
        return None;
    }
    Some(Check::failed(
        "called workflow",
        vec![format!("a workflow of {}", claims.text("repository").unwrap_or_default())],
        Actual::value(called.as_str().unwrap_or_default()),
        "the job's steps come from a reusable workflow of another repository; to trust it, set \
         /job_workflow_ref to exactly this value",
    ))
}
