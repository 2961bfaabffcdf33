//! Runs on Forgejo, and on Gitea, whose claims look the same and mean something else.

use super::*;

pub(super) fn case() -> Case {
    let claims = json!({
        "aud": "https://hub.example.com", "sub": "repo:acme-65/train-74:ref:refs/heads/main", "actor": "octo", "actor_id": "1",
        "event_name": "push", "ref": "refs/heads/main", "ref_type": "branch", "ref_protected": "true",
        "repository": "acme/train", "repository_id": "74", "repository_owner": "acme", "repository_owner_id": "65",
        "run_id": "1", "sha": "0123", "workflow": "publish.yml",
        "workflow_ref": "acme/train/.forgejo/workflows/publish.yml@refs/heads/main",
    });
    let conditions = [("repository", "acme/train"), ("branch", "main"), ("workflow", "publish.yml")];
    Case::new(Provider::Forgejo, "https://forge.example.com/api/actions", &conditions, claims)
}

#[test]
fn names_are_not_identities_here_either() {
    let pinned = case().pin("repository_id", "74");
    pinned.granted();
    pinned.claim("repository_id", "75").refused("pin repository_id: expected 74, came 75");
    // Versions before the ids.
    case().without("repository_id").refused("pin repository_id: expected an id to learn, came nothing");
    case().set("/sub", "repo:acme-65/train-74:ref:refs/heads/main").not_saved("cannot be told apart");
}

#[test]
fn wrong_claims_are_refused() {
    case().claim("workflow", "evil.yml").refused("workflow: expected publish.yml, came evil.yml");
    case().claim("ref", "refs/tags/main").refused("branch: expected main, came nothing");
    case().claim("event_name", "pull_request_target").refused("event");
    case().unset("repository").not_saved("set repository=OWNER/NAME");
}

fn gitea() -> Case {
    let claims = json!({
        "aud": "https://hub.example.com", "sub": "repo:65/74:ref:refs/heads/main", "actor": "octo", "actor_id": "1",
        "event_name": "push", "ref": "refs/heads/main", "ref_type": "branch", "repository": "acme/train",
        "repository_id": "74", "repository_owner": "acme", "repository_owner_id": "65", "run_id": "1", "sha": "0123",
        "workflow": "Publish", "workflow_ref": "acme/train/.gitea/workflows/publish.yml@refs/heads/main",
    });
    let conditions = [("repository", "acme/train"), ("branch", "main"), ("workflow", "publish.yml")];
    Case::new(Provider::Gitea, "https://gitea.example.com/api/actions/oidc", &conditions, claims)
}

#[test]
fn giteas_workflow_is_a_file_whatever_it_is_called() {
    gitea().granted();
    gitea().claim("workflow_ref", "acme/train/.github/workflows/publish.yml@refs/heads/main").granted();
    for evil in [
        "acme/train/.gitea/workflows/evil.yml@refs/heads/main",
        "evil/train/.gitea/workflows/publish.yml@refs/heads/main",
        "acme/train/.forgejo/workflows/publish.yml@refs/heads/main",
    ] {
        let renamed = gitea().claim("workflow", "publish.yml").claim("workflow_ref", evil);
        renamed.refused("workflow: expected publish.yml, came ");
    }
    gitea().claim("repository", "evil/train").refused("repository: expected acme/train, came evil/train");
    gitea().claim("event_name", "workflow_run").refused("event");
}

#[test]
fn gitea_says_whose_reusable_workflow_it_is() {
    let called = |id: &str| {
        let reference = "octo/shared/.gitea/workflows/publish.yml@v1";
        gitea().claim("job_workflow_ref", reference).claim("job_workflow_repository_id", id)
    };
    called("74").granted();
    called("75").refused("called workflow: expected a workflow of acme/train, came octo/shared/");
    called("75").set("/job_workflow_ref", "octo/shared/.gitea/workflows/publish.yml@v1").granted();
    gitea().claim("job_workflow_ref", "acme/train/.gitea/workflows/x.yml@v1").refused("called workflow");
}
