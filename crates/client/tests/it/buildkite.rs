//! Buildkite.

use countersign_client::Source;
use serde_json::json;

use crate::fake::{HUB, Job, chain, no_connection, token_for};

fn job() -> Job {
    Job::default()
        .with("BUILDKITE", "true")
        .with("BUILDKITE_JOB_ID", "job-1")
        .with("BUILDKITE_AGENT_ACCESS_TOKEN", "mint-secret")
}

fn failure(job: &Job) -> String {
    chain(&job.client().identify().unwrap_err())
}

fn minted(job: Job, audience: &str) -> Job {
    job.answers(200, &json!({ "token": token_for(audience) }).to_string())
}

#[test]
fn the_agents_api_is_asked_for_ids_too() {
    let job = minted(job(), HUB);
    let identity = job.client().identify().unwrap();
    assert_eq!(identity.source(), &Source::Service("agent-edge.buildkite.com".to_owned()));
    insta::assert_snapshot!(job.sent().join("\n--\n"), @r#"
    POST https://agent-edge.buildkite.com/v3/jobs/job-1/oidc/tokens
    accept: application/json
    content-type: application/json
    authorization: Token mint-secret
    {"audience":"https://huggingface.co","claims":["organization_id","pipeline_id"]}
    "#);
    let own = minted(self::job().with("BUILDKITE_AGENT_ENDPOINT", "https://agent.example.com/v3/"), HUB);
    own.client().identify().unwrap();
    assert!(own.sent()[0].starts_with("POST https://agent.example.com/v3/jobs/job-1/oidc/tokens\n"));
}

#[test]
fn without_the_api_the_command_is_asked() {
    let job = job().without("BUILDKITE_AGENT_ACCESS_TOKEN").prints(&token_for(HUB));
    assert_eq!(job.client().identify().unwrap().source(), &Source::Command("buildkite-agent".to_owned()));
    insta::assert_snapshot!(job.ran().join("\n"), @"buildkite-agent oidc request-token --audience https://huggingface.co --claim organization_id,pipeline_id");
    let refused = self::job().answers(403, "").prints(&token_for(HUB));
    refused.client().identify().unwrap();
}

#[test]
fn what_may_pass_is_tried_again() {
    let job = minted(job().answers(503, "").fails(no_connection()), HUB);
    job.client().identify().unwrap();
    assert_eq!((job.sent().len(), job.slept().len(), job.ran().len()), (3, 2, 0));
}

#[test]
fn what_is_missing_is_named() {
    insta::assert_snapshot!(failure(&job().without("BUILDKITE_JOB_ID")), @"Buildkite gives this job no id token: BUILDKITE_JOB_ID is not set; let the step see the agent: in the docker plugin set `propagate-environment: true` and `mount-buildkite-agent: true`, or set HF_OIDC_ID_TOKEN to what `buildkite-agent oidc request-token --audience https://huggingface.co --claim organization_id,pipeline_id` prints");
    assert!(failure(&job().answers(403, "mint-secret")).contains("answered with status 403"));
    assert!(
        failure(&job().answers(403, "").command_fails("no access")).ends_with("exit status: 1: no access")
    );
    insta::assert_snapshot!(failure(&minted(job(), "https://buildkite.com/acme")), @r#"Buildkite gave an id token for "https://buildkite.com/acme", expected one for "https://huggingface.co"; nothing was sent"#);
}
