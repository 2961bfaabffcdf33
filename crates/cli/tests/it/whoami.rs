//! `countersign whoami`.

use crate::job::{Job, id_token};

/// The output with the one number in it that time changes.
fn timeless(shown: &str) -> String {
    let (before, after) = shown.split_once("expires in ").unwrap();
    let (_, after) = after.split_once(" s\n").unwrap();
    format!("{before}expires in N s\n{after}")
}

#[test]
fn shows_provider_source_and_claims_but_no_signature() {
    let job = Job::github();
    insta::assert_snapshot!(timeless(&job.run(&["whoami"])), @r"
    exit 0
    --- stdout
    provider  GitHub Actions (github), recognised by GITHUB_ACTIONS=true
    id token  from the token service at SERVER, expires in N s
    registry  SERVER
    audience  SERVER
    claims    unverified: decoded only, nobody has checked the signature
      aud         SERVER
      exp         4102444800
      iss         https://token.actions.githubusercontent.com
      ref         refs/heads/main
      repository  acme/train
      sub         repo:acme/train
    --- stderr
    ");
    assert_eq!(job.requests().len(), 1, "nothing is sent to the registry");
}

#[test]
fn json_for_machines() {
    insta::assert_snapshot!(Job::github().run(&["whoami", "--json"]), @r#"
    exit 0
    --- stdout
    {
      "audience": "SERVER",
      "endpoint": "SERVER",
      "provider": {
        "audience": "asked",
        "name": "github",
        "remarks": [],
        "sign": "GITHUB_ACTIONS=true",
        "title": "GitHub Actions"
      },
      "source": {
        "host": "SERVER",
        "kind": "service"
      },
      "unverified_claims": {
        "aud": "SERVER",
        "exp": 4102444800,
        "iss": "https://token.actions.githubusercontent.com",
        "ref": "refs/heads/main",
        "repository": "acme/train",
        "sub": "repo:acme/train"
      },
      "verified": false
    }
    --- stderr
    "#);
}

#[test]
fn a_supplied_token_is_shown_even_if_it_is_not_good() {
    let claims = r#"{"aud":["a","b"],"exp":4102444800,"ref":"x\u001b[2J\n::set-env","runner_id":7}"#;
    let job = Job::github().with("HF_OIDC_ID_TOKEN", &id_token(claims));
    insta::assert_snapshot!(timeless(&job.run(&["whoami"])), @r#"
    exit 0
    --- stdout
    provider  none asked: the id token was supplied
    id token  from the variable HF_OIDC_ID_TOKEN, expires in N s
    registry  SERVER
    audience  SERVER expected, but the id token is for "a, b"
    claims    unverified: decoded only, nobody has checked the signature
      aud        ["a","b"]
      exp        4102444800
      ref        x\u{1b}[2J\n::set-env
      runner_id  7
    --- stderr
    "#);
}

#[test]
fn what_is_unusual_about_a_providers_tokens_is_said() {
    let claims = r#"{"iss":"https://oidc.modal.com","aud":"oidc.modal.com","exp":4102444800}"#;
    let modal = Job::github().without("GITHUB_ACTIONS").with("MODAL_IDENTITY_TOKEN", &id_token(claims));
    let shown = timeless(&modal.run(&["whoami", "--audience", "oidc.modal.com"]));
    insta::assert_snapshot!(shown, @r"
    exit 0
    --- stdout
    provider  Modal (modal), recognised by MODAL_IDENTITY_TOKEN or MODAL_TASK_ID
    id token  from the variable MODAL_IDENTITY_TOKEN, expires in N s
    registry  SERVER
    audience  oidc.modal.com
    remark    the audience is fixed: every id token of Modal is for oidc.modal.com, so whoever is shown one could show it elsewhere
    remark    the token lives for 48 hours; let no code that you do not trust see it
    claims    unverified: decoded only, nobody has checked the signature
      aud  oidc.modal.com
      exp  4102444800
      iss  https://oidc.modal.com
    --- stderr
    ");
    let shown = modal.run(&["whoami", "--audience", "oidc.modal.com", "--json"]);
    assert!(shown.contains(r#""audience": "fixed""#) && shown.contains("for 48 hours"), "{shown}");
}

#[test]
fn what_is_no_jwt_has_no_claims() {
    let job = Job::github().with("MINE", "dGhlLXNpZ25hdHVyZQ");
    insta::assert_snapshot!(job.fail(&["whoami", "--id-token-env", "MINE"]), @r"
    exit 3
    --- stdout
    --- stderr
    error: the id token from the variable MINE cannot be read
      caused by: expected a JWT, that is three base64url parts separated by dots; found something else
    ");
}
