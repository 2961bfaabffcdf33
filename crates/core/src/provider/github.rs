//! GitHub Actions: github.com, GHE.com and GitHub Enterprise Server.
//!
//! Source: GitHub documentation, "OpenID Connect reference". `sub` is never read: organizations template it, and its
//! default form changed in 2026.

use std::borrow::Cow;
use std::time::Duration;

use super::address;
use super::field::{
    branch, branch_of_ref, parse_environment, parse_ref_name, parse_repository, tag, tag_of_ref,
};
use super::{Case, Cautions, Defaults, Event, Field, Pin, Preset, TEMPLATED};
use crate::algorithm::Algorithm;
use crate::decision::{Actual, Check};
use crate::issuer::IssuerUrl;
use crate::publisher::Rules;
use crate::statement::Statement;

const WORKFLOWS: &str = ".github/workflows/";

/// Why `pull_request_target` and its like are refused, here and wherever GitHub's events are.
pub(super) const FOREIGN_INPUT: &str =
    "anybody who can open a pull request can start such a run, and it has the repository's identity";

pub(super) const PRESET: Preset = Preset {
    name: "github",
    title: "GitHub Actions",
    issuers: &["https://token.actions.githubusercontent.com"],
    // Enterprises with their slug in the issuer, GHE.com, and GitHub Enterprise Server.
    issuer_forms: &[
        "https://token.actions.githubusercontent.com/*",
        "https://token.actions.*.ghe.com",
        "https://token.actions.*.ghe.com/*",
        "https://*/_services/token",
    ],
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
        Field::new("workflow", "workflow_ref", parse_workflow)
            .in_address(address::workflow)
            .read_by(workflow),
        Field::new("environment", "environment", parse_environment).folding().guarded(),
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
    unfit_claims: &[("/sub", TEMPLATED)],
    cautions: Cautions::NONE
        .shared_issuers(&["https://token.actions.githubusercontent.com"])
        .hosted("runner_environment", "github-hosted")
        .guarding_claims(&["ref_protected"])
        .called_workflow("job_workflow_ref"),
    home,
    proposed_claims: &[],
    known_claims: &[
        "actor",
        "actor_id",
        "aud",
        "base_ref",
        "check_run_id",
        "enterprise",
        "enterprise_id",
        "environment",
        "environment_node_id",
        "event_name",
        "exp",
        "head_ref",
        "iat",
        "iss",
        "job_workflow_ref",
        "job_workflow_sha",
        "jti",
        "nbf",
        "ref",
        "ref_protected",
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
        "environment",
        "event_name",
        "job_workflow_ref",
        "jti",
        "ref",
        "repository",
        "repository_id",
        "repository_owner_id",
        "run_attempt",
        "run_id",
        "runner_environment",
        "sha",
        "workflow_ref",
    ],
    defaults: Defaults {
        algorithms: &[Algorithm::Rs256],
        max_lifetime: Duration::from_hours(1),
        max_exchanges: 1,
    },
};

/// Where the repositories of an issuer are; `None` for a form that nobody has seen.
fn home(issuer: &IssuerUrl) -> Option<String> {
    let authority = issuer.authority();
    if authority == "token.actions.githubusercontent.com" {
        return Some("github.com".to_owned());
    }
    let subdomain = authority.strip_prefix("token.actions.").filter(|rest| rest.ends_with(".ghe.com"));
    let own = issuer.as_str().ends_with("/_services/token").then_some(authority);
    subdomain.or(own).map(str::to_owned)
}

pub(super) fn parse_workflow(text: &str) -> Result<String, &'static str> {
    let file = text.strip_prefix(WORKFLOWS).unwrap_or(text);
    let fits = [".yml", ".yaml"].iter().any(|ending| file.len() > ending.len() && file.ends_with(ending))
        && file.len() <= 255
        && !file.contains(['/', '*', '\\'])
        && !file.contains(char::is_control);
    if fits {
        Ok(file.to_owned())
    } else {
        Err("the name of a file in .github/workflows/ that ends in .yml or .yaml")
    }
}

fn workflow<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    own_workflow(statement, claim, WORKFLOWS)
}

/// The file name of the top-level workflow, if that file is in the job's own repository, and there in that folder.
pub(super) fn own_workflow<'a>(statement: &'a Statement, claim: &str, folder: &str) -> Option<Cow<'a, str>> {
    let (repository, file) = split_workflow_ref(statement.claims().text(claim)?, folder)?;
    let own = statement.claims().text("repository")?;
    Case::AsciiInsensitive.equal(repository, own).then_some(Cow::Borrowed(file))
}

/// Splits `owner/name/.github/workflows/FILE@REF`, or the same with another folder, into `owner/name` and `FILE`.
///
/// FILE has no slash but may contain `@`, and REF may contain both, even `/.github/workflows/`. So the first slash after
/// the folder ends `FILE@refs`; where REF is a commit, there is no slash and the last `@` ends FILE.
fn split_workflow_ref<'a>(text: &'a str, folder: &str) -> Option<(&'a str, &'a str)> {
    let owner_end = text.find('/')?;
    let repository_end = owner_end + 1 + text[owner_end + 1..].find('/')?;
    let (repository, path) = text.split_at(repository_end);
    let rest = path.strip_prefix('/')?.strip_prefix(folder)?;
    let file = if let Some((head, _)) = rest.split_once('/') {
        head.strip_suffix("@refs")?
    } else {
        let (file, commit) = rest.rsplit_once('@')?;
        commit.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(file)?
    };
    (!file.is_empty()).then_some((repository, file))
}

/// A job whose steps are defined in another repository's reusable workflow runs that repository's code: refused, unless
/// a condition on `/job_workflow_ref` says that exactly this is wanted.
fn called_workflow(statement: &Statement, rules: &Rules) -> Option<Check> {
    let called = statement.claims().value("job_workflow_ref")?;
    let called = called.as_str().unwrap_or_default();
    let own = statement.claims().text("repository").unwrap_or_default();
    let is_own = split_workflow_ref(called, WORKFLOWS)
        .is_some_and(|(repository, _)| Case::AsciiInsensitive.equal(repository, own));
    if is_own || rules.has_pointer("job_workflow_ref") {
        return None;
    }
    Some(Check::failed(
        "called workflow",
        vec![format!("a workflow of {own}")],
        Actual::value(called),
        "the job's steps come from a reusable workflow of another repository; to trust it, set \
         /job_workflow_ref to exactly this value",
    ))
}

#[cfg(test)]
mod tests {
    use super::{WORKFLOWS, split_workflow_ref};

    #[test]
    fn g5_g6_g12_workflow_refs() {
        let sha = "o/r/.github/workflows/a@b.yml@0123456789abcdef0123456789abcdef01234567";
        for (text, expected) in [
            ("o/r/.github/workflows/release.yml@refs/heads/main", Some(("o/r", "release.yml"))),
            ("o/r/.github/workflows/foo.yml@bar.yml@refs/heads/x.yml@y", Some(("o/r", "foo.yml@bar.yml"))),
            (
                "o/r/.github/workflows/evil.yml@refs/heads/refs/heads/a/.github/workflows/release.yml@main",
                Some(("o/r", "evil.yml")),
            ),
            ("o/r/.github/workflows/release.yml@refs/tags/v1", Some(("o/r", "release.yml"))),
            (sha, Some(("o/r", "a@b.yml"))),
            ("o/r/.github/workflows/release.yml@main", None),
            ("o/r/.github/workflows/sub/release.yml@refs/heads/main", None),
            ("o/r/.github/workflows/@refs/heads/main", None),
            ("o/r/release.yml@refs/heads/main", None),
            ("o/r", None),
            ("", None),
        ] {
            assert_eq!(split_workflow_ref(text, WORKFLOWS), expected, "{text}");
        }
    }
}
