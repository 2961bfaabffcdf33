//! Threats H9: runs on Buildkite.

use super::*;

const ORGANIZATION: &str = "0184990a-0000-4000-8000-000000000001";
const PIPELINE: &str = "0184990a-0000-4000-8000-000000000002";
const OTHER: &str = "0184990a-0000-4000-8000-000000000009";

pub(super) fn case() -> Case {
    let claims = json!({
        "aud": "https://hub.example.com", "sub": "organization:acme:pipeline:train:ref:refs/heads/main:commit:0:step:publish",
        "organization_slug": "acme", "organization_id": ORGANIZATION, "pipeline_slug": "train", "pipeline_id": PIPELINE,
        "build_number": 5, "build_branch": "main", "build_commit": "0123", "build_source": "webhook", "step_key": "publish",
        "job_id": "j", "agent_id": "a", "runner_environment": "self-hosted",
    });
    let conditions = [("organization", "acme"), ("pipeline", "train"), ("branch", "main")];
    Case::new(Provider::Buildkite, "https://agent.buildkite.com", &conditions, claims)
}

#[test]
fn h9_another_organization_has_a_pipeline_of_the_same_name() {
    case().claim("organization_slug", "evil").refused("organization: expected acme, came evil");
    // Even if the organization's name has changed hands.
    let pinned = case().pin("organization_id", ORGANIZATION).pin("pipeline_id", PIPELINE);
    pinned.granted();
    pinned.clone().claim("organization_id", OTHER).refused("pin organization_id: expected 0184990a");
    pinned.claim("pipeline_id", OTHER).refused("pin pipeline_id: expected 0184990a");
}

#[test]
fn the_shared_issuer_needs_an_organization() {
    case().unset("organization").not_saved("set organization=SLUG");
    case().unset("organization").pin("pipeline_id", PIPELINE).granted();
}

#[test]
fn ids_are_learned_and_must_be_asked_for() {
    let learned = case().granted().learned().unwrap().clone();
    assert!(learned.has_given_pin("organization_id") && learned.has_given_pin("pipeline_id"));
    case().without("organization_id").refused("pin organization_id: expected an id to learn, came nothing");
}

#[test]
fn wrong_claims_are_refused() {
    case().claim("build_branch", "dev").refused("branch: expected main, came dev");
    case()
        .claim("build_tag", "main")
        .refused("branch: expected main, came nothing (the claim build_branch is main)");
    let tagged = case().unset("branch").set("tag", "v1");
    tagged.clone().refused("tag: expected v1, came nothing");
    tagged.claim("build_tag", "v1").granted();
    case()
        .set("step", "publish")
        .claim("step_key", Value::Null)
        .refused("step: expected publish, came nothing");
    case().set("/sub", "x").not_saved("changes with every commit");
}
