//! GitLab CI.

use countersign_client::Source;

use crate::fake::{Job, chain, token_for};

fn job() -> Job {
    Job::default().with("GITLAB_CI", "true").with("HF_ENDPOINT", "https://hub.example.com")
}

fn check(job: &Job, expected: &str) {
    let identity = job.client().identify().unwrap();
    assert_eq!(identity.source(), &Source::Variable(expected.to_owned()));
    assert_eq!(identity.provider().unwrap().name(), "gitlab");
    assert!(!identity.source().mints_again());
}

#[test]
fn looks_where_people_put_the_token() {
    let good = token_for("https://hub.example.com");
    let other = token_for("https://other.example.com");
    let scanned = job().with("A_ID_TOKEN", &other).with("B_ID_TOKEN", &good).with("C_ID_TOKEN", "no token");
    check(&scanned, "B_ID_TOKEN");
    let derived = scanned.with("HTTPS___HUB_EXAMPLE_COM_ID_TOKEN", &good);
    check(&derived, "HTTPS___HUB_EXAMPLE_COM_ID_TOKEN");
    check(&derived.with("HF_ID_TOKEN", &good), "HF_ID_TOKEN");
}

#[test]
fn a_token_for_somebody_else_is_passed_over() {
    let good = token_for("https://hub.example.com");
    let other = token_for("https://huggingface.co");
    check(&job().with("HF_ID_TOKEN", &other).with("MY_ID_TOKEN", &good), "MY_ID_TOKEN");
}

#[test]
fn without_a_token_the_line_to_add_is_named() {
    let failure = |job: &Job| chain(&job.client().identify().unwrap_err());
    insta::assert_snapshot!(failure(&job()), @"GitLab CI gives this job no id token: no variable ending in _ID_TOKEN is set; add `id_tokens: { HF_ID_TOKEN: { aud: https://hub.example.com } }` to the job, and if GitLab says that ID token issuance is disabled, let the project's `ci_id_token_sub_claim_components` begin with `project_id`");
    let other = job().with("HF_ID_TOKEN", &token_for("https://huggingface.co")).with("X_ID_TOKEN", "x");
    insta::assert_snapshot!(failure(&other), @r#"GitLab CI gives this job no id token: expected a token for https://hub.example.com, found HF_ID_TOKEN for "https://huggingface.co", X_ID_TOKEN, which holds no JWT; add `id_tokens: { HF_ID_TOKEN: { aud: https://hub.example.com } }` to the job, and if GitLab says that ID token issuance is disabled, let the project's `ci_id_token_sub_claim_components` begin with `project_id`"#);
}
