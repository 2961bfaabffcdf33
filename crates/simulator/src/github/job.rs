//! What a job's steps see.

use serde_json::{Map, Value};

/// The variables of a job with `permissions: id-token: write`.
pub(super) fn environment(claims: &Map<String, Value>, url: &str, token: &str) -> Vec<(String, String)> {
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str).unwrap_or_default();
    let reference = text("ref");
    let name = ["refs/heads/", "refs/tags/", "refs/pull/"]
        .iter()
        .find_map(|prefix| reference.strip_prefix(prefix))
        .unwrap_or(reference);
    let own = [
        ("CI", "true"),
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_API_URL", "https://api.github.com"),
        ("GITHUB_JOB", "publish"),
        ("GITHUB_REF_NAME", name),
        ("RUNNER_OS", "Linux"),
        ("RUNNER_ARCH", "X64"),
    ];
    let told = FROM_CLAIMS.iter().map(|(variable, claim)| (*variable, text(claim)));
    own.into_iter().chain(told).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Variables that say what a claim says.
const FROM_CLAIMS: [(&str, &str); 19] = [
    ("GITHUB_ACTOR", "actor"),
    ("GITHUB_ACTOR_ID", "actor_id"),
    ("GITHUB_BASE_REF", "base_ref"),
    ("GITHUB_EVENT_NAME", "event_name"),
    ("GITHUB_HEAD_REF", "head_ref"),
    ("GITHUB_REF", "ref"),
    ("GITHUB_REF_PROTECTED", "ref_protected"),
    ("GITHUB_REF_TYPE", "ref_type"),
    ("GITHUB_REPOSITORY", "repository"),
    ("GITHUB_REPOSITORY_ID", "repository_id"),
    ("GITHUB_REPOSITORY_OWNER", "repository_owner"),
    ("GITHUB_REPOSITORY_OWNER_ID", "repository_owner_id"),
    ("GITHUB_RUN_ATTEMPT", "run_attempt"),
    ("GITHUB_RUN_ID", "run_id"),
    ("GITHUB_RUN_NUMBER", "run_number"),
    ("GITHUB_SHA", "sha"),
    ("GITHUB_WORKFLOW", "workflow"),
    ("GITHUB_WORKFLOW_REF", "workflow_ref"),
    ("RUNNER_ENVIRONMENT", "runner_environment"),
];
