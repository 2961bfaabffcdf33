//! Runs on Depot CI.

use super::*;

pub(super) fn case() -> Case {
    let claims = json!({
        "aud": ["https://hub.example.com"], "sub": "spiffe://identity.depot.dev/org/o/ci/github/acme/train", "actor": "octo",
        "event_name": "push", "ref": "refs/heads/main", "ref_type": "branch", "repository": "acme/train",
        "repository_id": "74", "repository_owner": "acme", "repository_owner_id": "65", "org_id": "org_1", "job_id": "job_1",
    });
    let conditions = [("repository", "acme/train"), ("branch", "main")];
    Case::new(Provider::Depot, "https://identity.depot.dev", &conditions, claims)
}

#[test]
fn the_issuer_tells_depot_from_github() {
    let publisher = github().unset("workflow").publisher();
    let token = token("https://identity.depot.dev", case().claims);
    assert!(decide(&resource(), &[publisher], &token).unwrap_err().publishers().is_empty());
}

#[test]
fn the_organization_is_pinned_beside_githubs_ids() {
    assert!(case().granted().learned().unwrap().has_given_pin("org_id"));
    case().pin("org_id", "org_1").claim("org_id", "org_2").refused("pin org_id: expected org_1, came org_2");
}

#[test]
fn wrong_claims_are_refused() {
    case().claim("repository", "evil/train").refused("repository: expected acme/train, came evil/train");
    case().claim("event_name", "workflow_run").refused("event");
    case().unset("repository").not_saved("every customer of Depot has the same `iss`");
    case().unset("repository").set("organization", "org_1").granted();
}
