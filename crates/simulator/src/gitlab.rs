//! GitLab CI.
//!
//! Source: GitLab documentation, "ID token authentication". Flags are strings here; `runner_id` is the one number.

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Map, Value, json};

use crate::ids::id_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run};

/// The marker of GitLab CI.
pub struct GitLab;

impl Provider<GitLab> {
    /// Starts a job: the environment variables that its script sees. `id_tokens` are (variable, audience) as the job's
    /// YAML declares them: GitLab has nothing to call, each token is minted now and lies in its variable.
    pub fn job(&self, overrides: &Overrides, id_tokens: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut environment = environment(&self.claims_of(overrides, self.now()));
        environment.extend(
            id_tokens.iter().map(|(name, audience)| ((*name).to_owned(), self.mint(overrides, audience))),
        );
        environment
    }
}

impl Platform for GitLab {
    const PRESET: Preset = Preset::Gitlab;
    const KEY_SET: &'static str = "/oauth/discovery/keys";

    fn claims(run: &Run<'_>) -> Value {
        claims(run)
    }

    fn environment(
        provider: &Provider<Self>,
        overrides: &Overrides,
        audience: &str,
    ) -> Vec<(String, String)> {
        provider.job(overrides, &[("HF_ID_TOKEN", audience)])
    }
}

fn claims(run: &Run<'_>) -> Value {
    let text = |claim: &str, usual: &str| run.overrides.text_or(claim, usual);
    let project = text("project_path", "acme/train");
    let project_id = text("project_id", &project_id(&project));
    let namespace = text("namespace_path", project.rsplit_once('/').map_or("", |(namespace, _)| namespace));
    let namespace_id = text("namespace_id", &namespace_id(&namespace));
    let (reference, ref_type, ref_path) = reference(run.overrides);
    let sha = text("sha", "714a629c0b401fdce83e847fc9589983fc6f46bc");
    let host = run.issuer.as_str().split_once("://").map_or("", |(_, rest)| rest);
    let mut claims = json!({
        "iss": run.issuer,
        "sub": format!("project_path:{project}:ref_type:{ref_type}:ref:{reference}"),
        "jti": run.token_id,
        "iat": run.now,
        "nbf": run.now - Duration::from_secs(5),
        "exp": run.now + Duration::from_hours(1),
        "namespace_id": namespace_id,
        "namespace_path": namespace,
        "project_id": project_id,
        "project_path": project,
        "project_visibility": "private",
        "user_id": "1",
        "user_login": "sample-user",
        "user_email": "sample-user@example.com",
        "user_access_level": "maintainer",
        "user_identities": [{ "provider": "github", "extern_uid": "2435223452345" }],
        "groups_direct": [namespace],
        "pipeline_id": "574",
        "pipeline_source": "push",
        "job_id": "302",
        "job_project_id": project_id,
        "job_project_path": project,
        "job_namespace_id": namespace_id,
        "job_namespace_path": namespace,
        "job_source": "push",
        "ref": reference,
        "ref_type": ref_type,
        "ref_path": ref_path,
        "ref_protected": "true",
        "runner_id": 1,
        "runner_environment": "gitlab-hosted",
        "sha": sha,
        "ci_config_ref_uri": format!("{host}/{project}//.gitlab-ci.yml@{ref_path}"),
        "ci_config_sha": sha,
    });
    if run.overrides.value("environment").is_some() {
        claims["environment_protected"] = "false".into();
        claims["deployment_tier"] = "production".into();
        claims["environment_action"] = "start".into();
    }
    claims
}

/// `ref`, `ref_type` and `ref_path`, whichever of them are overridden: `ref_path` says what the other two say.
fn reference(overrides: &Overrides) -> (String, String, String) {
    let full = overrides.value("ref_path").and_then(Value::as_str).unwrap_or_default();
    let (usual_type, usual_name) = match full.strip_prefix("refs/tags/") {
        Some(tag) => ("tag", tag),
        None => ("branch", full.strip_prefix("refs/heads/").unwrap_or("main")),
    };
    let ref_type = overrides.text_or("ref_type", usual_type);
    let name = overrides.text_or("ref", usual_name);
    let folder = if ref_type == "tag" { "tags" } else { "heads" };
    let path = overrides.text_or("ref_path", format!("refs/{folder}/{name}"));
    (name, ref_type, path)
}

/// 20 for `acme/train`, and another id for each other project.
fn project_id(project: &str) -> String {
    if project.eq_ignore_ascii_case("acme/train") { "20".to_owned() } else { id_of(project) }
}

/// 72 for `acme`, and another id for each other group.
fn namespace_id(namespace: &str) -> String {
    if namespace.eq_ignore_ascii_case("acme") { "72".to_owned() } else { id_of(namespace) }
}

fn environment(claims: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str).unwrap_or_default();
    let server = text("iss");
    let kind = if text("ref_type") == "tag" { "CI_COMMIT_TAG" } else { "CI_COMMIT_BRANCH" };
    let variables = [
        ("CI", "true"),
        ("GITLAB_CI", "true"),
        ("CI_SERVER_URL", server),
        ("CI_CONFIG_PATH", ".gitlab-ci.yml"),
        ("CI_COMMIT_REF_NAME", text("ref")),
        ("CI_COMMIT_REF_PROTECTED", text("ref_protected")),
        ("CI_COMMIT_SHA", text("sha")),
        (kind, text("ref")),
        ("CI_JOB_ID", text("job_id")),
        ("CI_JOB_NAME", "publish"),
        ("CI_PIPELINE_ID", text("pipeline_id")),
        ("CI_PIPELINE_SOURCE", text("pipeline_source")),
        ("CI_PROJECT_ID", text("project_id")),
        ("CI_PROJECT_NAMESPACE", text("namespace_path")),
        ("CI_PROJECT_PATH", text("project_path")),
        ("CI_PROJECT_VISIBILITY", text("project_visibility")),
        ("GITLAB_USER_ID", text("user_id")),
        ("GITLAB_USER_LOGIN", text("user_login")),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
