//! Runs on Forgejo, and on Gitea, which shares its claims.

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

#[test]
fn gitea_has_the_same_fields() {
    let mut gitea = case();
    gitea.rules.provider = Provider::Gitea;
    gitea.not_saved("use --provider forgejo");
    gitea.rules.issuer = "https://gitea.example.com".parse().unwrap();
    gitea.granted();
    gitea.claim("repository", "evil/train").refused("repository: expected acme/train, came evil/train");
}
