//! Threats G: runs on GitHub Actions.

use super::*;

fn pinned() -> Case {
    github().pin("repository_id", "74").pin("repository_owner_id", "65")
}

/// What the owner reads of such a run, and that the job itself reads nothing: its ids prove nothing.
#[track_caller]
fn another(case: &Case) -> String {
    let refusal = case.decide().unwrap_err();
    let presented = Provider::Github.presented(&case.token());
    let stranger = decide(&resource(), &[], &case.token()).unwrap_err();
    assert_eq!(refusal.for_caller(&presented), stranger.for_caller(&presented));
    refusal.for_owner()
}

#[test]
fn g1_the_owner_was_deleted_and_the_name_registered_again() {
    let case = pinned().claim("repository_id", "75").claim("repository_owner_id", "66");
    insta::assert_snapshot!(another(&case), @"publisher 01890000-0000-7000-8000-000000000001: pin repository_id: expected 74, came 75 (this id is not the one that the publisher is held to: the name is the same, the repository or its owner is not; it was transferred, or deleted and created again); pin repository_owner_id: expected 65, came 66 (this id is not the one that the publisher is held to: the name is the same, the repository or its owner is not; it was transferred, or deleted and created again)");
}

#[test]
fn g2_the_repository_was_created_again() {
    let case = pinned().claim("repository_id", "75");
    insta::assert_snapshot!(another(&case), @"publisher 01890000-0000-7000-8000-000000000001: pin repository_id: expected 74, came 75 (this id is not the one that the publisher is held to: the name is the same, the repository or its owner is not; it was transferred, or deleted and created again)");
    // Whatever else is wrong.
    assert!(
        another(&case.claim("ref", "refs/heads/dev")).contains("the name is the same, the repository or")
    );
}

#[test]
fn g4_the_repository_was_transferred() {
    let moved = "evil/train/.github/workflows/publish.yml@refs/heads/main";
    let case = pinned().claim("repository_owner_id", "66");
    insta::assert_snapshot!(another(&case), @"publisher 01890000-0000-7000-8000-000000000001: pin repository_owner_id: expected 65, came 66 (this id is not the one that the publisher is held to: the name is the same, the repository or its owner is not; it was transferred, or deleted and created again)");
    let case =
        case.claim("repository", "evil/train").claim("workflow_ref", moved).claim("job_workflow_ref", moved);
    insta::assert_snapshot!(another(&case), @"publisher 01890000-0000-7000-8000-000000000001: repository: expected acme/train, came evil/train; pin repository_owner_id: expected 65, came 66 (this id is not the one that the publisher is held to: the repository is the same, its owner is not; it was transferred)");
}

#[test]
fn g3_a_renamed_repository_is_told_so() {
    let workflow = "acme/trainer/.github/workflows/publish.yml@refs/heads/main";
    let renamed = pinned().claim("repository", "acme/trainer").claim("workflow_ref", workflow);
    let refusal = renamed.claim("job_workflow_ref", workflow).decide().unwrap_err();
    assert!(refusal.for_owner().contains("the ids match, so the name changed"), "{}", refusal.for_owner());
    insta::assert_snapshot!(refusal.for_caller("-"), @"the trusted publisher of acme/awesome-model does not match: repository: expected acme/train, came acme/trainer (the ids match, so the name changed: the owner has to change it in the publisher too)");
}

#[test]
fn g5_g6_the_workflow_is_the_file_not_the_branch() {
    let in_repository = |reference: &str| format!("acme/train/.github/workflows/{reference}");
    github().claim("workflow_ref", in_repository("publish.yml@refs/heads/x.yml@y")).granted();
    let evil = in_repository("evil.yml@refs/heads/refs/heads/a/.github/workflows/publish.yml@main");
    github().claim("workflow_ref", evil).refused("workflow: expected publish.yml, came evil.yml");
    github()
        .claim("workflow_ref", in_repository("publish.yml@evil.yml@refs/heads/main"))
        .refused("came publish.yml@evil.yml");
    github()
        .claim("workflow_ref", "evil/train/.github/workflows/publish.yml@refs/heads/main")
        .refused("workflow: expected publish.yml");
    github()
        .claim("workflow", "publish.yml")
        .without("workflow_ref")
        .refused("workflow: expected publish.yml, came nothing");
    github().set("workflow", ".github/workflows/publish.yml").granted();
}

#[test]
fn g7_calling_our_reusable_workflow_makes_nobody_us() {
    github().claim("repository", "evil/repo").refused("repository: expected acme/train, came evil/repo");
}

#[test]
fn g8_steps_from_another_repository_are_refused_unless_that_is_pinned() {
    let called = "evil/actions/.github/workflows/publish.yml@refs/heads/main";
    let case = github().claim("job_workflow_ref", called);
    case.refused("called workflow: expected a workflow of acme/train, came evil/actions");
    case.clone().set("/job_workflow_ref", called).granted();
    case.set("/job_workflow_ref", "other/actions/.github/workflows/x.yml@refs/heads/main")
        .refused("/job_workflow_ref: expected");
    github().claim("job_workflow_ref", json!(["x"])).refused("called workflow");
    github().without("job_workflow_ref").granted();
}

#[test]
fn g9_of_two_callers_of_one_workflow_only_the_configured_one() {
    let called = "acme/shared/.github/workflows/publish.yml@refs/heads/main";
    let case = github().claim("job_workflow_ref", called).set("/job_workflow_ref", called);
    case.granted();
    case.claim("repository", "acme/other").refused("repository: expected acme/train, came acme/other");
}

#[test]
fn g10_events_with_foreign_input_are_refused_unless_allowed_by_name() {
    for event in ["pull_request_target", "workflow_run"] {
        github().claim("event_name", event).refused("event: expected any event_name but");
        github().claim("event_name", event).allow(event).granted();
    }
    github().claim("event_name", "workflow_run").allow("pull_request_target").refused("event");
    github().allow("push").not_saved("only events that github runs are refused for can be allowed");
}

#[test]
fn g11_pull_requests_are_on_no_branch() {
    github()
        .claim("ref", "refs/pull/7/merge")
        .claim("event_name", "pull_request")
        .refused("branch: expected main, came nothing (the claim ref is refs/pull/7/merge)");
}

#[test]
fn g12_workflows_may_be_named_by_commit() {
    let commit = "acme/train/.github/workflows/publish.yml@0123456789abcdef0123456789abcdef01234567";
    github()
        .unset("branch")
        .claim("ref", "")
        .claim("workflow_ref", commit)
        .claim("job_workflow_ref", commit)
        .granted();
}

#[test]
fn g13_a_tag_is_not_a_branch() {
    github()
        .claim("ref", "refs/tags/main")
        .refused("branch: expected main, came nothing (the claim ref is refs/tags/main)");
    github()
        .unset("branch")
        .set("tag", "main")
        .refused("tag: expected main, came nothing (the claim ref is refs/heads/main)");
    github().unset("branch").set("tag", "v1").claim("ref", "refs/tags/v1").granted();
    github().set("tag", "v1").not_saved("make two publishers");
    github().set("branch", "refs/heads/main").not_saved("without refs/heads/");
}

#[test]
fn g14_sub_is_never_read() {
    for sub in [
        "repo:acme/train:ref:refs/heads/main",
        "repo:acme@65/train@74:ref:refs/heads/main",
        "repo:evil/repo:environment:a%3Ab",
        "repository_visibility:private",
    ] {
        github().claim("sub", sub).granted();
    }
    github().set("/sub", "repo:acme/train:ref:refs/heads/main").not_saved("template");
}

#[test]
fn g15_g16_issuers_are_isolated() {
    for issuer in
        ["https://token.actions.githubusercontent.com/octo", "https://ghes.example.com/_services/token"]
    {
        let token = token(issuer, github().claims);
        assert!(decide(&resource(), &[github().publisher()], &token).is_err(), "{issuer}");
    }
}

#[test]
fn g17_runners_can_be_required() {
    let case = github().set("/runner_environment", "github-hosted");
    case.granted();
    case.claim("runner_environment", "self-hosted")
        .refused("/runner_environment: expected github-hosted, came self-hosted");
}

#[test]
fn g18_unknown_claims_are_noticed() {
    let grant = github().claim("brand_new", "x").claim("repo_property_team", "ml").granted();
    assert!(grant.notices().contains(&Notice::UnknownClaims { names: vec!["brand_new".to_owned()] }));
}

#[test]
fn invariant_6_names_are_not_identities() {
    let grant = github().granted();
    let learned = grant.learned().unwrap();
    assert!(learned.has_given_pin("repository_id") && learned.has_given_pin("repository_owner_id"));
    let after = publisher(ID, learned.clone(), PublisherState::Enabled);
    let recreated = github().claim("repository_id", "75");
    assert!(decide(&resource(), std::slice::from_ref(&after), &recreated.token()).is_err());
    assert!(
        decide(&resource(), &[after], &github().token()).unwrap().learned().is_none(),
        "nothing more to learn"
    );
    // A given id stays; only the other is learned.
    let half = github().pin("repository_id", "74").granted();
    assert!(
        half.learned()
            .unwrap()
            .pins()
            .eq([("repository_id", Some("74")), ("repository_owner_id", Some("65"))])
    );
    for broken in [json!(""), json!("x"), json!(74), Value::Null] {
        github().claim("repository_id", broken).refused("pin repository_id: expected an id to learn");
    }
    github().without("repository_id").refused("the token must carry this id");
    github().pin("actor_id", "1").not_saved("expected repository_id, repository_owner_id to pin for github");
    github().pin("repository_id", "seventy").not_saved("expected 1 to 20 digits as repository_id");
}

#[test]
fn invariant_10_refusals_teach_whoever_may_know() {
    let presented = |case: &Case| Provider::Github.presented(&case.token());
    let wrong_branch = github().claim("ref", "refs/heads/dev");
    let opaque = |case: &Case| case.decide().unwrap_err().for_caller(&presented(case));
    // Ids unknown: nothing proves that this is the publisher's own repository.
    insta::assert_snapshot!(opaque(&wrong_branch), @"no trusted publisher of acme/awesome-model matches this id token of https://token.actions.githubusercontent.com (repository acme/train, branch dev, workflow publish.yml); whoever manages acme/awesome-model finds what was expected under the request id");
    // Ids proven: in full.
    insta::assert_snapshot!(opaque(&pinned().claim("ref", "refs/heads/dev")), @"the trusted publisher of acme/awesome-model does not match: branch: expected main, came dev");
    // A stranger reads the same whether the resource has publishers or not.
    let stranger =
        pinned().claim("repository", "evil/repo").claim("repository_id", "1").claim("ref", "refs/heads/dev");
    let none = decide(&resource(), &[], &stranger.token()).unwrap_err();
    assert_eq!(opaque(&stranger), none.for_caller(&presented(&stranger)));
    assert!(!opaque(&stranger).contains("acme/train"));
    // The repository's own id is proof enough; its owner's is none.
    assert!(
        opaque(&github().pin("repository_id", "74").claim("ref", "refs/heads/dev"))
            .contains("expected main, came dev")
    );
    assert!(
        opaque(&github().pin("repository_owner_id", "65").claim("ref", "refs/heads/dev"))
            .starts_with("no trusted")
    );
    // One matching id of two proves nothing.
    assert!(
        opaque(&pinned().claim("repository_owner_id", "1").claim("ref", "refs/heads/dev"))
            .starts_with("no trusted publisher")
    );
}
