//! `countersign doctor`.

use std::fs;

use countersign_simulator::Overrides;
use serde_json::Value;

use crate::job::{Job, claims, id_token};
use crate::registry::{RESOURCE, Registry};

/// The output with the numbers in it that time changes as N, and the pretend GitHub's address as GITHUB.
fn timeless(shown: &str, registry: &Registry) -> String {
    let issuer = registry.simulator.github().issuer().as_str();
    let host = issuer.split('/').nth(2).unwrap();
    let shown = shown.replace(issuer, "GITHUB").replace(host, "GITHUB");
    let lines = shown.lines().map(|line| match (line.split_once("ends in "), line.rsplit_once(" for ")) {
        (Some((before, _)), _) => format!("{before}ends in N s"),
        (None, Some((before, after))) if after.ends_with(" s") => format!("{before} for N s"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_with_a_good_job() {
    let registry = Registry::new().await;
    let job = registry.github(&Overrides::new());
    insta::assert_snapshot!(timeless(&job.run(&["doctor"]), &registry), @r"
    exit 0
    --- stdout
    good     provider      GitHub Actions (github), recognised by GITHUB_ACTIONS=true
    good     variables     those that the id token needs are set
    good     permission    an id token came from the token service at GITHUB
    good     pull request  from no fork, as far as the variables say
    good     token         unverified: issuer GITHUB, subject repo:acme/train:ref:refs/heads/main, ends in N s
    good     audience      SERVER
    good     clock         agrees with the registry's
    good     issuer        GITHUB publishes its discovery document
    good     registry      tokens are exchanged at SERVER/oauth/token
    skipped  exchange      not made: add RESOURCE to ask what it would come to, and --exchange to make it

    nothing is wrong as far as was looked
    --- stderr
    ");
    let explained = job.run(&["doctor", RESOURCE]);
    let step = explained.lines().find(|line| line.contains("  exchange  ")).unwrap();
    insta::assert_snapshot!(step, @"good     exchange      not made; a trusted publisher of acme/model lets this run have a token to write");
    assert!(registry.exchanges().await.is_empty(), "nothing is exchanged");
    let shown = job.run(&["doctor", RESOURCE, "--exchange"]);
    insta::assert_snapshot!(timeless(&shown, &registry), @r"
    exit 0
    --- stdout
    good     provider      GitHub Actions (github), recognised by GITHUB_ACTIONS=true
    good     variables     those that the id token needs are set
    good     permission    an id token came from the token service at GITHUB
    good     pull request  from no fork, as far as the variables say
    good     token         unverified: issuer GITHUB, subject repo:acme/train:ref:refs/heads/main, ends in N s
    good     audience      SERVER
    good     clock         agrees with the registry's
    good     issuer        GITHUB publishes its discovery document
    good     registry      tokens are exchanged at SERVER/oauth/token
    good     exchange      an access token for acme/model for N s

    nothing is wrong
    --- stderr
    ");
    assert!(!shown.contains("hf_jwt_"), "the token is shown: {shown}");
    assert_eq!(registry.exchanges().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_the_last_step() {
    let registry = Registry::new().await;
    let job = registry.github(&Overrides::new().set("ref", "refs/heads/dev"));
    let explained = job.run(&["doctor", RESOURCE]);
    let step = explained.lines().find(|line| line.contains("  exchange  ")).unwrap();
    insta::assert_snapshot!(step, @"WRONG    exchange      not made, and would be refused: the trusted publisher of acme/model does not match: branch: expected main, came dev");
    let shown = registry.refusal(&job, &["doctor", RESOURCE, "--exchange"]).await;
    insta::assert_snapshot!(timeless(&shown, &registry), @r"
    exit 4
    --- stdout
    good     provider      GitHub Actions (github), recognised by GITHUB_ACTIONS=true
    good     variables     those that the id token needs are set
    good     permission    an id token came from the token service at GITHUB
    good     pull request  from no fork, as far as the variables say
    good     token         unverified: issuer GITHUB, subject repo:acme/train:ref:refs/heads/dev, ends in N s
    good     audience      SERVER
    good     clock         agrees with the registry's
    good     issuer        GITHUB publishes its discovery document
    good     registry      tokens are exchanged at SERVER/oauth/token
    WRONG    exchange      the server refused the exchange: invalid_grant: the trusted publisher of acme/model does not match: branch: expected main, came dev (status 400, request id REQUEST)

    to do: let a publisher of acme/model match what `countersign whoami` shows; if the reason is not shown to you, its owner finds it in the registry's record of exchanges
    --- stderr
    ");
}

#[test]
fn a_missing_permission_ends_in_the_line_to_add() {
    let job = Job::github().without("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    insta::assert_snapshot!(job.fail(&["doctor"]), @r"
    exit 3
    --- stdout
    good     provider      GitHub Actions (github), recognised by GITHUB_ACTIONS=true
    WRONG    variables     GitHub Actions gives this job no id token: ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set
    skipped  permission    there is nothing to look at
    good     pull request  from no fork, as far as the variables say
    skipped  token         there is nothing to look at
    skipped  audience      there is nothing to look at
    skipped  clock         the registry did not say what time it has
    skipped  issuer        no id token names one
    remark   registry      the metadata of SERVER names no token endpoint
    skipped  exchange      not made: add RESOURCE to ask what it would come to, and --exchange to make it

    to do: add `permissions: id-token: write` to the job (a pull request from a fork never gets one); see https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments

        jobs:
          publish:
            permissions:
              id-token: write
              contents: read
    --- stderr
    ");
    let shown = job.run(&["doctor", "--json"]);
    let (_, json) = shown.split_once("--- stdout\n").unwrap();
    let report: Value = serde_json::from_str(json.split_once("--- stderr").unwrap().0).unwrap();
    assert_eq!((&report["wrong"], &report["exit_code"]), (&"variables".into(), &3.into()));
    assert!(report["to_do"].as_str().unwrap().contains("`permissions: id-token: write`"));
    assert_eq!(report["steps"][0]["verdict"], "good");
}

#[test]
fn a_pull_request_from_a_fork_is_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let event = folder.path().join("event.json");
    let text = r#"{"pull_request":{"head":{"repo":{"full_name":"octo/train"}},"base":{"repo":{"full_name":"acme/train"}}}}"#;
    fs::write(&event, text).unwrap();
    let job = Job::github().with("GITHUB_EVENT_PATH", event.to_str().unwrap());
    insta::assert_snapshot!(job.without("ACTIONS_ID_TOKEN_REQUEST_URL").fail(&["doctor"]), @r"
    exit 3
    --- stdout
    good     provider      GitHub Actions (github), recognised by GITHUB_ACTIONS=true
    WRONG    variables     GitHub Actions gives this job no id token: ACTIONS_ID_TOKEN_REQUEST_URL is not set
    skipped  permission    there is nothing to look at
    remark   pull request  it comes from octo/train, a fork, which gets no id token at most providers
    skipped  token         there is nothing to look at
    skipped  audience      there is nothing to look at
    skipped  clock         the registry did not say what time it has
    skipped  issuer        no id token names one
    remark   registry      the metadata of SERVER names no token endpoint
    skipped  exchange      not made: add RESOURCE to ask what it would come to, and --exchange to make it

    to do: let this job run for the repository's own branches and tags only: a pull request from a fork gets no id token, and must not
    --- stderr
    ");
}

#[test]
fn each_failure_has_its_step() {
    let elsewhere = id_token(&claims("https://other.example.com"));
    let ended = id_token(&claims("SERVER").replace("4102444800", "1"));
    let github = Job::github;
    let rows = [
        (github().without("GITHUB_ACTIONS"), "provider", 3),
        (github().minting("403 Forbidden", ""), "permission", 3),
        (github().minting("200 OK", &format!(r#"{{"value":"{elsewhere}"}}"#)), "audience", 3),
        (github().with("HF_OIDC_ID_TOKEN", &elsewhere), "audience", 3),
        (github().with("HF_OIDC_ID_TOKEN", &ended), "token", 3),
        (github().with("HF_OIDC_ID_TOKEN", "nonsense"), "token", 3),
        (github().with("HF_ENDPOINT", "http://127.0.0.1:1"), "audience", 3),
        (
            github()
                .with("HF_ENDPOINT", "http://127.0.0.1:1")
                .with("HF_OIDC_ID_TOKEN", &id_token(&claims("http://127.0.0.1:1"))),
            "registry",
            5,
        ),
    ];
    for (job, step, code) in rows {
        let shown = job.fail(&["doctor", "--json"]);
        assert!(shown.starts_with(&format!("exit {code}\n")), "{step}: {shown}");
        assert!(shown.contains(&format!("\"wrong\": \"{step}\"")), "{step}: {shown}");
        assert!(!shown.contains("\"to_do\": null"), "{step}: {shown}");
    }
    assert!(github().fail(&["doctor", "--exchange"]).starts_with("exit 2\n"));
    assert!(github().fail(&["doctor", "--provider", "jenkins"]).starts_with("exit 2\n"));
}

#[test]
fn a_clock_that_is_wrong_is_said() {
    let job = Job::github().answering("200 OK\r\nDate: Thu, 01 Jan 2099 00:00:00 GMT", "{}");
    let shown = job.run(&["doctor"]);
    assert!(
        shown.lines().any(|line| line.starts_with("remark   clock")
            && line.ends_with("s behind the registry's; set this machine's")),
        "{shown}"
    );
    assert!(shown.starts_with("exit 0\n"), "{shown}");
}
