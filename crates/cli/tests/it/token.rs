//! `countersign token`.

use crate::job::{Job, claims, id_token};

#[test]
fn prints_the_token_alone_and_masks_it_on_standard_error() {
    let job = Job::github();
    insta::assert_snapshot!(job.run(&["token", "acme/model"]), @r"
    exit 0
    --- stdout
    hf_jwt_the-access-token
    --- stderr
    ::add-mask::hf_jwt_the-access-token
    ");
    let requests = job.requests();
    assert!(requests[0].starts_with("GET /mint?api-version=2.0&audience=http%3A%2F%2F127.0.0.1%3A"));
    assert!(requests[1].starts_with("POST /oauth/token HTTP/1.1 {"));
    assert!(requests[1].contains(r#""resource":"acme/model""#));
}

#[test]
fn json_is_the_whole_answer() {
    insta::assert_snapshot!(Job::github().run(&["token", "acme/model", "--json"]), @r#"
    exit 0
    --- stdout
    {"access_token":"hf_jwt_the-access-token","token_type":"bearer","expires_in":3600,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}
    --- stderr
    ::add-mask::hf_jwt_the-access-token
    "#);
}

#[test]
fn outside_github_nothing_is_masked() {
    let job = Job::github().without("GITHUB_ACTIONS");
    let job = job.with("HF_OIDC_ID_TOKEN", "as.it.is");
    insta::assert_snapshot!(job.run(&["token", "acme/model", "--provider", "ignored"]), @r"
    exit 0
    --- stdout
    hf_jwt_the-access-token
    --- stderr
    ");
    assert_eq!(job.requests().len(), 1, "a supplied token is not minted");
    assert!(job.requests()[0].contains(r#""subject_token":"as.it.is""#));
}

#[test]
fn a_variable_can_be_named_and_the_endpoint_given() {
    let job = Job::github().without("HF_ENDPOINT").with("MINE", "my.own.token");
    let endpoint = format!("{}/", job.url);
    let shown = job.run(&["token", "acme", "--id-token-env", "MINE", "--endpoint", &endpoint]);
    assert!(shown.starts_with("exit 0"), "{shown}");
    assert!(job.requests()[0].contains(r#""subject_token":"my.own.token""#));
}

#[test]
fn a_file_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id-token");
    std::fs::write(&file, "from.a.file\n").unwrap();
    let job = Job::github();
    let shown = job.run(&["token", "acme", "--id-token-file", file.to_str().unwrap()]);
    assert!(shown.starts_with("exit 0"), "{shown}");
    assert!(job.requests()[0].contains(r#""subject_token":"from.a.file""#));
    let shown = job.fail(&["token", "acme", "--id-token-file", "/nowhere/id-token"]);
    assert!(shown.starts_with("exit 3") && shown.contains("the file /nowhere/id-token"), "{shown}");
}

#[test]
fn a_command_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id-token");
    std::fs::write(&file, "from.a.command\n").unwrap();
    let job = Job::github().with("PATH", "/usr/bin:/bin").with("HF_OIDC_ID_TOKEN", "from.a.variable");
    let cat = format!("cat {}", file.display());
    let shown = job.run(&["token", "acme", "--id-token-command", &cat]);
    assert!(shown.starts_with("exit 0"), "{shown}");
    assert!(job.requests()[0].contains(r#""subject_token":"from.a.command""#));

    let failure = |command: &str| job.fail(&["token", "acme", "--id-token-command", command]);
    insta::assert_snapshot!(failure("no-such-program a-secret"), @r#"
    exit 3
    --- stdout
    --- stderr
    error: the id token command gave none
      caused by: the program "no-such-program" was not found; install it, or add its folder to PATH
    "#);
    insta::assert_snapshot!(failure("echo a-secret for you"), @r#"
    exit 3
    --- stdout
    --- stderr
    error: the id token command gave none
      caused by: the program "echo" printed something else than expected: an id token alone, without white space in it, in at most 1048576 bytes
    "#);
    insta::assert_snapshot!(failure(" "), @r"
    exit 2
    --- stdout
    --- stderr
    error: --id-token-command expects a program and its arguments, such as `print-token --audience X`; found nothing
    ");
    let shown = job.fail(&["token", "acme", "--id-token-command", &cat, "--id-token-env", "MINE"]);
    assert!(shown.starts_with("exit 2") && shown.contains("cannot be used with"), "{shown}");
    assert_eq!(job.requests().len(), 1, "nothing was sent for any of these");
}

#[test]
fn in_gitlab_the_variable_is_found() {
    let job = Job::github().without("GITHUB_ACTIONS").with("GITLAB_CI", "true");
    let token = id_token(&claims(&job.url));
    assert!(job.with("MY_ID_TOKEN", &token).run(&["token", "acme/model"]).starts_with("exit 0"));
}

#[test]
fn a_refusal_shows_the_servers_text_and_request_id() {
    let job = Job::github().answering(
        "400 Bad Request\r\nX-Request-Id: req-7",
        r#"{"error":"invalid_grant","error_description":"expected branch main, found dev"}"#,
    );
    insta::assert_snapshot!(job.fail(&["token", "acme/model"]), @r"
    exit 4
    --- stdout
    --- stderr
    error: the server refused the exchange: invalid_grant: expected branch main, found dev (status 400, request id req-7)
    ");
}

#[test]
fn without_identity_the_remedy_is_named() {
    let fork = Job::github().without("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    insta::assert_snapshot!(fork.fail(&["token", "acme/model"]), @r"
    exit 3
    --- stdout
    --- stderr
    error: GitHub Actions gives this job no id token: ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set; add `permissions: id-token: write` to the job (a pull request from a fork never gets one); see https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments
    ");
    let laptop = Job::github().without("GITHUB_ACTIONS");
    insta::assert_snapshot!(laptop.fail(&["token", "acme/model"]), @r"
    exit 3
    --- stdout
    --- stderr
    error: no supported CI OIDC provider detected, and HF_OIDC_ID_TOKEN is not set; run this in a job of one of (providers), or set HF_OIDC_ID_TOKEN to an id token
    ");
    assert!(Job::github().minting("403 Forbidden", "").fail(&["token", "a/b"]).starts_with("exit 3"));
    assert!(Job::github().fail(&["token", "a/b", "--id-token-env", "NONE"]).starts_with("exit 3"));
}

#[test]
fn a_token_for_somebody_else_is_not_sent() {
    let job = Job::github().minting("200 OK", &format!(r#"{{"value":"{}"}}"#, id_token(&claims("other"))));
    insta::assert_snapshot!(job.fail(&["token", "acme/model"]), @r#"
    exit 3
    --- stdout
    --- stderr
    error: GitHub Actions gave an id token for "other", expected one for "SERVER"; nothing was sent
    "#);
    assert_eq!(job.requests().len(), 1);
}

#[test]
fn what_is_no_token_server_is_told() {
    let job = Job::github().answering("404 Not Found\r\nX-Request-Id: req-9", "<html>");
    insta::assert_snapshot!(job.fail(&["token", "acme/model"]), @r"
    exit 5
    --- stdout
    --- stderr
    error: SERVER is no token server: expected a token response or an OAuth error at /oauth/token, found an answer without an OAuth error (status 404, request id req-9); check HF_ENDPOINT
    ");
    let job = Job::github().answering("503 Service Unavailable\r\nRetry-After: 120", "");
    insta::assert_snapshot!(job.fail(&["token", "acme/model"]), @r"
    exit 5
    --- stdout
    --- stderr
    error: SERVER cannot exchange tokens now: an answer without an OAuth error (status 503); try again in 120 s
    ");
}

#[test]
fn an_unreachable_server_is_told_with_its_cause() {
    // A port that was free a moment ago may be another test's by now; nobody listens on this one.
    let job = Job::github().with("HF_OIDC_ID_TOKEN", "a.b.dGhlLXNpZ25hdHVyZQ");
    let shown = job.fail(&["token", "acme/model", "--endpoint", "http://127.0.0.1:1"]);
    insta::assert_snapshot!(shown, @r"
    exit 5
    --- stdout
    --- stderr
    error: the token endpoint of http://127.0.0.1:1 could not be asked
      caused by: no connection to 127.0.0.1:1: Connection refused (os error 111); check the address, the network and the proxy settings
    ");
}

#[test]
fn plain_http_never_goes_through_a_proxy() {
    let nobody = "http://127.0.0.1:1";
    let job = Job::github().with("HTTP_PROXY", nobody).with("ALL_PROXY", nobody).with("http_proxy", nobody);
    assert!(job.run(&["token", "acme/model"]).starts_with("exit 0"));
}
