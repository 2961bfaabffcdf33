use serde_json::{Value, json};

use super::*;
use crate::claims::Claims;
use crate::lint::Code;

fn statement(issuer: &str, claims: Value) -> Statement {
    let Value::Object(claims) = claims else { panic!("claims are an object") };
    Statement::new(issuer.parse().unwrap(), Claims::new(claims))
}

fn github(change: impl FnOnce(&mut Value)) -> Statement {
    let mut claims = json!({
        "repository": "acme/train", "repository_id": "74", "repository_owner_id": "65", "ref": "refs/heads/main",
        "event_name": "push", "workflow_ref": "acme/train/.github/workflows/publish.yml@refs/heads/main",
        "job_workflow_ref": "acme/train/.github/workflows/publish.yml@refs/heads/main",
        "runner_environment": "github-hosted",
    });
    change(&mut claims);
    statement("https://token.actions.githubusercontent.com", claims)
}

/// What is proposed, as JSON.
fn proposed(statement: &Statement) -> Value {
    let proposal = propose(Provider::Github, statement, 1).unwrap();
    serde_json::to_value(&proposal.rules).unwrap()
}

#[test]
fn what_the_run_has_is_asked_for() {
    insta::assert_json_snapshot!(proposed(&github(|_| ())), @r#"
    {
      "allowed_events": [],
      "conditions": {
        "/runner_environment": [
          "github-hosted"
        ],
        "branch": [
          "main"
        ],
        "repository": [
          "acme/train"
        ],
        "workflow": [
          "publish.yml"
        ]
      },
      "issuer": "https://token.actions.githubusercontent.com",
      "pins": {
        "repository_id": "74",
        "repository_owner_id": "65"
      },
      "provider": "github"
    }
    "#);
    assert!(propose(Provider::Github, &github(|_| ()), 1).unwrap().warnings.is_empty());
}

#[test]
fn what_the_run_has_not_is_not() {
    let claims = proposed(&github(|claims| {
        claims["ref"] = json!("refs/tags/v1");
        claims["environment"] = json!("production");
        claims["runner_environment"] = json!("self-hosted");
    }));
    let conditions = &claims["conditions"];
    assert_eq!((&conditions["tag"], &conditions["branch"]), (&json!(["v1"]), &Value::Null));
    assert_eq!(conditions["environment"], json!(["production"]));
    assert_eq!(conditions["/runner_environment"], Value::Null);
}

#[test]
fn weaknesses_are_told() {
    let own_machine = github(|claims| claims["runner_environment"] = json!("self-hosted"));
    let codes = |statement: &Statement| {
        let warnings = propose(Provider::Github, statement, 2).unwrap().warnings;
        warnings.into_iter().map(|warning| warning.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(&own_machine), [Code::SelfHostedRunners, Code::ReusableToken]);
}

#[test]
fn g11_what_anybody_may_propose_is_no_publisher() {
    let pull_request = github(|claims| claims["ref"] = json!("refs/pull/7/merge"));
    assert!(matches!(propose(Provider::Github, &pull_request, 1), Err(Unproposable::NoBranch)));
}

#[test]
fn g8_g10_what_a_preset_refuses_is_never_proposed() {
    for (claim, value, reason) in [
        ("event_name", "pull_request_target", "event: expected any event_name but"),
        ("event_name", "workflow_run", "event: expected any event_name but"),
        ("job_workflow_ref", "evil/x/.github/workflows/y.yml@refs/heads/main", "called workflow: expected"),
        ("repository_id", "", "pin repository_id: expected an id to learn"),
    ] {
        let error = propose(Provider::Github, &github(|claims| claims[claim] = json!(value)), 1).unwrap_err();
        assert!(matches!(error, Unproposable::Refused(_)) && error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn what_says_too_little_makes_no_publisher() {
    let unnamed =
        statement("https://token.actions.githubusercontent.com", json!({ "ref": "refs/heads/main" }));
    assert!(matches!(
        propose(Provider::Github, &unnamed, 1),
        Err(Unproposable::Rules(InvalidRules::NoTenant { .. }))
    ));
    let unknown = statement("https://ci.example.com", json!({ "team": "ml" }));
    insta::assert_snapshot!(propose(Provider::Generic, &unknown, 1).unwrap_err(), @"the preset generic knows nothing that identifies this run: choose among its claims, and write the conditions by hand");
    let named = statement("https://ci.example.com", json!({ "team": "ml", "sub": "job:train" }));
    let rules = propose(Provider::Generic, &named, 1).unwrap().rules;
    assert!(rules.has_pointer("sub") && rules.conditions().len() == 1);
}
