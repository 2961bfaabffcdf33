//! GitLab CI.
//!
//! Source: GitLab documentation, "ID token authentication". `sub` is never read: projects choose its components.

use std::borrow::Cow;
use std::time::Duration;

use super::address::{Address, without_git};
use super::field::{is_path_segment, parse_environment, parse_ref_name};
use super::{Cautions, Defaults, Event, Field, Pin, Preset, TEMPLATED};
use crate::algorithm::Algorithm;
use crate::decision::{Actual, Check};
use crate::issuer::IssuerUrl;
use crate::publisher::Rules;
use crate::statement::Statement;

pub(super) const PRESET: Preset = Preset {
    name: "gitlab",
    title: "GitLab CI",
    issuers: &["https://gitlab.com"],
    // A self-managed instance can have any URL.
    issuer_forms: &[],
    fields: &[
        Field::new("project", "project_path", parse_project).single().folding().in_address(project),
        Field::new("ref", "ref_path", parse_ref).in_address(reference).guarded(),
        Field::new("workflow", "ci_config_ref_uri", parse_config_path).in_address(file).read_by(config_path),
        Field::new("environment", "environment", parse_environment).guarded(),
    ],
    pins: &[Pin::decimal("project_id", "project").of_place(), Pin::decimal("namespace_id", "project")],
    event: Some(Event {
        claim: "pipeline_source",
        // A child of a merge request's pipeline has its claims, but calls itself `parent_pipeline`.
        refused: &["merge_request_event", "external_pull_request_event", "parent_pipeline"],
        reason: "it may run the code of a merge request, and its ref is then the name of the source branch, which a fork may choose",
    }),
    guard: job_of_another_project,
    names_tenant: |rules| {
        rules.has_field("project") || rules.has_given_pin("project_id") || rules.has_given_pin("namespace_id")
    },
    tenant_remedy: "set project=GROUP/PROJECT, or pin project_id or namespace_id",
    unfit_claims: &[("/sub", TEMPLATED)],
    cautions: Cautions::NONE
        .shared_issuers(&["https://gitlab.com"])
        .hosted("runner_environment", "gitlab-hosted")
        .guarding_claims(&["ref_protected", "environment_protected"]),
    home,
    proposed_claims: &[],
    known_claims: &[
        "aud",
        "ci_config_ref_uri",
        "ci_config_sha",
        "deployment_tier",
        "environment",
        "environment_action",
        "environment_protected",
        "exp",
        "groups_direct",
        "iat",
        "iss",
        "job_config",
        "job_id",
        "job_namespace_id",
        "job_namespace_path",
        "job_project_id",
        "job_project_path",
        "job_source",
        "jti",
        "namespace_id",
        "namespace_path",
        "nbf",
        "pipeline_id",
        "pipeline_source",
        "project_id",
        "project_path",
        "project_visibility",
        "ref",
        "ref_path",
        "ref_protected",
        "ref_type",
        "runner_environment",
        "runner_id",
        "sha",
        "sub",
        "user_access_level",
        "user_email",
        "user_id",
        "user_identities",
        "user_login",
    ],
    recorded_claims: &[
        "ci_config_ref_uri",
        "environment",
        "job_id",
        "job_project_id",
        "jti",
        "namespace_id",
        "pipeline_id",
        "pipeline_source",
        "project_id",
        "project_path",
        "ref_path",
        "ref_protected",
        "runner_environment",
        "sha",
        "user_id",
        "user_login",
    ],
    defaults: Defaults {
        algorithms: &[Algorithm::Rs256],
        // A token lives as long as its job may run.
        max_lifetime: Duration::from_hours(24),
        // One token serves all commands of a job, and it is minted when the job starts.
        max_exchanges: 10,
    },
};

fn parse_project(text: &str) -> Result<String, &'static str> {
    let fits = text.len() <= 1024 && text.contains('/') && text.split('/').all(is_path_segment);
    if fits {
        Ok(text.to_owned())
    } else {
        Err("GROUP/PROJECT or GROUP/SUBGROUP/PROJECT with the exact names, without wildcards")
    }
}

/// Completes `main` to `refs/heads/main`: a branch and a tag of one name must not be mistaken for each other.
fn parse_ref(text: &str) -> Result<String, &'static str> {
    let (prefix, name) = ["refs/heads/", "refs/tags/"]
        .into_iter()
        .find_map(|prefix| Some((prefix, text.strip_prefix(prefix)?)))
        .unwrap_or(("refs/heads/", text));
    let name = parse_ref_name(name)
        .map_err(|_| "a branch name such as main, or refs/heads/main or refs/tags/v1, without wildcards")?;
    Ok(format!("{prefix}{name}"))
}

fn parse_config_path(text: &str) -> Result<String, &'static str> {
    let fits = text.len() <= 255 && text.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
    let clean = !text.contains(['*', '\\']) && !text.contains(char::is_control);
    if fits && clean {
        Ok(text.to_owned())
    } else {
        Err("the path of the pipeline's file in the project, such as .gitlab-ci.yml")
    }
}

/// In pipelines of fork merge requests `project_*` names the source project, while the job runs in another: what the
/// claims say of one is not true of the other. GitLab tells since 18.4, in `job_project_id`.
fn job_of_another_project(statement: &Statement, _: &Rules) -> Option<Check> {
    let job = statement.claims().value("job_project_id")?;
    let pipeline = statement.claims().text("project_id").unwrap_or_default();
    (job.as_str() != Some(pipeline)).then(|| {
        Check::failed(
            "job project",
            vec![format!("the pipeline's, {pipeline}")],
            Actual::value(job.as_str().unwrap_or("not a text")),
            "the job runs in another project than the pipeline's claims are about",
        )
    })
}

/// The path of the pipeline's file, if the file is in the job's own project: `host/PROJECT//PATH@REF`.
///
/// Both ends are known from other claims, so nothing is searched for: no `@` or `//` in a name can shift the parts.
fn config_path<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    let claims = statement.claims();
    let uri = claims.text(claim)?;
    let project = claims.text("project_path")?;
    let reference = claims.text("ref_path")?;
    let issuer = statement.issuer().as_str().split_once("://")?.1;
    let path = strip_authority(uri, issuer, statement.issuer().authority())?
        .strip_prefix('/')?
        .strip_prefix(project)?
        .strip_prefix("//")?
        .strip_suffix(reference)?
        .strip_suffix('@')?;
    (!path.is_empty()).then_some(Cow::Borrowed(path))
}

/// GitLab writes the instance's host, with its path if the instance has one, and without the port.
fn strip_authority<'a>(uri: &'a str, issuer: &str, authority: &str) -> Option<&'a str> {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    uri.strip_prefix(issuer).or_else(|| uri.strip_prefix(host).filter(|rest| rest.starts_with('/')))
}

/// Where the instance is: the issuer without its scheme.
fn home(issuer: &IssuerUrl) -> Option<String> {
    issuer.as_str().split_once("://").map(|(_, home)| home.to_owned())
}

/// The project of an address, and what follows it after `/-/`.
fn parts<'a>(address: &'a Address<'a>) -> (&'a [&'a str], &'a [&'a str]) {
    let segments = address.segments.as_slice();
    match segments.iter().position(|segment| *segment == "-") {
        Some(dash) => (&segments[..dash], &segments[dash + 1..]),
        None => (segments, &[]),
    }
}

fn project(address: &Address<'_>) -> Option<String> {
    let (project, _) = parts(address);
    let (last, groups) = project.split_last()?;
    Some([groups, &[without_git(last)]].concat().join("/"))
}

/// Of a path that goes on, nobody can say where the branch ends.
fn reference(address: &Address<'_>) -> Option<String> {
    match parts(address).1 {
        ["tree" | "commits", branch] => Some(format!("refs/heads/{branch}")),
        ["tags" | "releases", tag] => Some(format!("refs/tags/{tag}")),
        _ => None,
    }
}

/// The file that `/-/blob/BRANCH/PATH` shows.
fn file(address: &Address<'_>) -> Option<String> {
    match parts(address).1 {
        ["blob" | "edit" | "raw", _, path @ ..] if !path.is_empty() => Some(path.join("/")),
        _ => None,
    }
}
