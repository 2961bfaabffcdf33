//! Threats H8: runs on Bitbucket Pipelines.

use super::*;

const WORKSPACE: &str = "{a64b1c5e-0000-4000-8000-000000000001}";
const REPOSITORY: &str = "{5a30c2ec-0000-4000-8000-000000000002}";
const OTHER: &str = "{00000000-0000-4000-8000-000000000009}";

pub(super) fn case() -> Case {
    let claims = json!({
        "aud": ["ari:cloud:bitbucket::workspace/x", "https://hub.example.com"], "sub": format!("{REPOSITORY}:{{step}}"),
        "stepUuid": "{s}", "branchName": "main", "workspaceUuid": WORKSPACE, "repositoryUuid": REPOSITORY,
        "pipelineUuid": "{p}", "pipelineRunUuid": "{r}",
    });
    let issuer = "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc";
    Case::new(Provider::Bitbucket, issuer, &[("repository", REPOSITORY), ("branch", "main")], claims)
}

#[test]
fn h8_braces_are_kept_literally() {
    let bare = REPOSITORY.trim_matches(['{', '}']);
    case().set("repository", bare).not_saved("expected a UUID with its braces, such as {5a30c2ec");
    case().pin("workspaceUuid", bare).not_saved("expected a UUID with its braces");
    case().claim("repositoryUuid", bare).refused("repository: expected {5a30c2ec");
    let learned = case().granted().learned().unwrap().clone();
    assert!(learned.pins().eq([("repositoryUuid", Some(REPOSITORY)), ("workspaceUuid", Some(WORKSPACE))]));
}

#[test]
fn the_workspace_of_the_issuer_can_change_hands() {
    case().unset("repository").not_saved("can change hands");
    let pinned = case().pin("workspaceUuid", WORKSPACE);
    pinned.granted();
    pinned.claim("workspaceUuid", OTHER).refused("pin workspaceUuid: expected {a64b1c5e");
}

#[test]
fn wrong_claims_are_refused() {
    case().claim("repositoryUuid", OTHER).refused("repository: expected {5a30c2ec");
    case().claim("branchName", "dev").refused("branch: expected main, came dev");
    case().set("/sub", "x").not_saved("changes with every step");
}
