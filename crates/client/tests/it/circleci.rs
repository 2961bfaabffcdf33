//! CircleCI.

use countersign_client::Source;

use crate::fake::{HUB, Job, chain, token_for};

fn job() -> Job {
    Job::default().with("CIRCLECI", "true")
}

fn failure(job: &Job) -> String {
    chain(&job.client().identify().unwrap_err())
}

#[test]
fn the_command_mints_for_the_audience() {
    let job = job().prints(&format!("{}\n", token_for(HUB)));
    let identity = job.client().identify().unwrap();
    assert_eq!(identity.source(), &Source::Command("circleci".to_owned()));
    assert!(identity.source().mints_again());
    assert_eq!(job.ran(), [r#"circleci run oidc get --claims {"aud":"https://huggingface.co"}"#]);
}

#[test]
fn without_the_command_a_fitting_variable_will_do() {
    let (good, other) = (token_for(HUB), token_for("a64b1c5e"));
    let both = job().with("CIRCLE_OIDC_TOKEN_V2", &good).with("CIRCLE_OIDC_TOKEN", &good);
    let source = |job: &Job| job.client().identify().unwrap().source().clone();
    assert_eq!(source(&both), Source::Variable("CIRCLE_OIDC_TOKEN_V2".to_owned()));
    assert_eq!(
        source(&both.with("CIRCLE_OIDC_TOKEN_V2", &other)),
        Source::Variable("CIRCLE_OIDC_TOKEN".to_owned())
    );
}

#[test]
fn the_usual_token_is_for_the_organization() {
    let job = job().with("CIRCLE_OIDC_TOKEN_V2", &token_for("a64b1c5e"));
    insta::assert_snapshot!(failure(&job), @r#"the command that gives id tokens in jobs of CircleCI gave none; check that `circleci run oidc get --claims '{"aud":"https://huggingface.co"}'` works in this step, or run it in one where it does and set HF_OIDC_ID_TOKEN to what it prints: the program "circleci" was not found; install it, or add its folder to PATH"#);
    let job = job.command_fails("no context").prints(&token_for("a64b1c5e"));
    assert!(failure(&job).ends_with(": the program \"program\" failed with exit status: 1: no context"));
    insta::assert_snapshot!(failure(&job), @r#"CircleCI gave an id token for "a64b1c5e", expected one for "https://huggingface.co"; nothing was sent"#);
}

#[test]
fn a_command_that_prints_nothing_gave_nothing() {
    insta::assert_snapshot!(failure(&job().prints(" \n")), @r#"the command that gives id tokens in jobs of CircleCI gave none; check that `circleci run oidc get --claims '{"aud":"https://huggingface.co"}'` works in this step, or run it in one where it does and set HF_OIDC_ID_TOKEN to what it prints: the program "circleci" printed something else than expected: an id token alone, without white space in it, in at most 1048576 bytes"#);
}
