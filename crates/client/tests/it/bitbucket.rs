//! Bitbucket Pipelines.

use countersign_client::Source;
use serde_json::json;

use crate::fake::{HUB, Job, chain, claims, id_token, token_for};

fn job() -> Job {
    Job::default().with("BITBUCKET_BUILD_NUMBER", "7")
}

fn failure(job: &Job) -> String {
    chain(&job.client().identify().unwrap_err())
}

#[test]
fn the_token_is_in_its_variable_and_may_be_for_others_too() {
    let mut claims = claims();
    claims["aud"] = json!(["ari:cloud:bitbucket::workspace/x", HUB]);
    let job = job().with("BITBUCKET_STEP_OIDC_TOKEN", &id_token(&claims));
    let identity = job.client().identify().unwrap();
    assert_eq!(identity.source(), &Source::Variable("BITBUCKET_STEP_OIDC_TOKEN".to_owned()));
}

#[test]
fn the_line_to_add_is_named() {
    insta::assert_snapshot!(failure(&job()), @r#"Bitbucket Pipelines gives this job no id token: BITBUCKET_STEP_OIDC_TOKEN is not set; add `oidc: { audiences: ["https://huggingface.co"] }` to the step"#);
    let usual = job().with("BITBUCKET_STEP_OIDC_TOKEN", &token_for("ari:cloud:bitbucket::workspace/x"));
    insta::assert_snapshot!(failure(&usual), @r#"Bitbucket Pipelines gave an id token for "ari:cloud:bitbucket::workspace/x", expected one for "https://huggingface.co"; nothing was sent; add `oidc: { audiences: ["https://huggingface.co"] }` to the step"#);
}
