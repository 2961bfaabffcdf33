use serde_json::{Value, json};

use super::*;
use crate::access_token::Permission;
use crate::claims::Scalar;
use crate::publisher::PublisherState;

fn read(file: Value) -> Result<PublisherFile, String> {
    serde_json::from_value(file).map_err(|error| error.to_string())
}

fn one(publisher: Value) -> Value {
    Value::Object([("publishers".to_owned(), Value::Array(vec![publisher]))].into_iter().collect())
}

fn github() -> Value {
    json!({
        "resource": "acme/model",
        "provider": "github",
        "conditions": { "repository": "acme/train", "branch": ["main", "release"], "/runner_environment": "github-hosted" },
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut publisher = github();
    publisher[name] = value;
    publisher
}

#[track_caller]
fn refused(publisher: Value, reason: &str) {
    let error = read(one(publisher)).unwrap_err();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn what_is_left_out_has_one_meaning() {
    let file = read(one(github())).unwrap();
    let [entry] = file.entries() else { panic!("{file:?}") };
    assert_eq!(entry.rules.issuer().as_str(), "https://token.actions.githubusercontent.com");
    assert_eq!((entry.permission, entry.state), (Permission::Write, PublisherState::Enabled));
    assert!(entry.rules.pins().all(|(_, id)| id.is_none()) && entry.rules.pins().count() == 2);
    let user = read(one(with("resource", json!("julien")))).unwrap();
    assert_eq!(user.entries()[0].permission, Permission::Read);
}

#[test]
fn what_is_said_is_taken() {
    let mut publisher = with("issuer", json!("https://ghes.example.com/_services/token"));
    publisher["pins"] = json!({ "repository_id": "74", "repository_owner_id": null });
    publisher["allowed_events"] = json!(["workflow_run"]);
    publisher["permission"] = json!("read");
    publisher["state"] = json!("disabled");
    publisher["conditions"]["/number"] = json!([12, true, "x"]);
    let file = read(one(publisher)).unwrap();
    let entry = &file.entries()[0];
    assert_eq!(entry.rules.issuer().as_str(), "https://ghes.example.com/_services/token");
    assert!(entry.rules.has_given_pin("repository_id") && !entry.rules.has_given_pin("repository_owner_id"));
    assert!(entry.rules.allows_event("workflow_run"));
    assert_eq!((entry.permission, entry.state), (Permission::Read, PublisherState::Disabled));
    let number =
        entry.rules.conditions().iter().find(|condition| condition.selector().to_string() == "/number");
    let values = [Scalar::Integer(12), Scalar::Boolean(true), Scalar::Text("x".to_owned())];
    assert_eq!(number.unwrap().values(), values);
}

#[test]
fn nothing_is_passed_over() {
    refused(with("brunch", json!("main")), "unknown field `brunch`");
    let mut file = one(github());
    file["version"] = json!(1);
    assert!(read(file).unwrap_err().contains("unknown field `version`"));
    refused(json!({ "provider": "github" }), "missing field `resource`");
    refused(json!({ "resource": "acme/model" }), "missing field `provider`");
    assert!(read(json!({})).unwrap_err().contains("missing field `publishers`"));
    refused(with("provider", json!("jenkins")), "expected a provider: github");
    refused(with("resource", json!("acme/a/b")), "expected a resource such as namespace/name");
    refused(with("state", json!("off")), "unknown variant `off`");
}

#[test]
fn an_entry_passes_the_checks_of_any_publisher() {
    refused(with("conditions", json!({})), "at least one condition");
    refused(with("conditions", json!({ "branch": "main" })), "do not say whose runs are meant");
    refused(
        with("conditions", json!({ "repository": "acme/*" })),
        "expected OWNER/NAME with the exact names",
    );
    refused(with("conditions", json!({ "repository": ["acme/a", "acme/b"] })), "make a publisher for each");
    refused(with("pins", json!({ "repository_id": "x" })), "expected 1 to 20 digits");
    refused(with("allowed_events", json!(["push"])), "only events that github runs are refused for");
    refused(with("provider", json!("gitlab")), "found the field \"branch\"");
    let mut user = with("resource", json!("julien"));
    user["permission"] = json!("write");
    refused(user, "expected permission: read");
    let circleci = json!({ "resource": "acme/model", "provider": "circleci" });
    refused(circleci, "a publisher for circleci needs its issuer");
}

#[test]
fn f8_values_keep_their_types() {
    let condition = |value: Value| with("conditions", json!({ "repository": "acme/train", "branch": value }));
    for value in [json!(1.1), json!(null), json!({ "a": 1 }), json!([["main"]]), json!([1.1])] {
        refused(condition(value), "expected a text, an integer, true or false");
    }
    refused(condition(json!(u64::MAX)), "expected an integer of at most 64 bits");
    refused(condition(json!(12)), "expected a text as branch");
    refused(condition(json!([])), "expected at least one value");
    refused(with("pins", json!({ "repository_id": 74 })), "invalid type: integer `74`, expected a string");
}

#[test]
fn what_is_managed() {
    let resource = |text: &str| text.parse::<Resource>().unwrap();
    let file = read(one(github())).unwrap();
    assert!(file.manages(&resource("acme/model")) && !file.manages(&resource("acme/other")));
    let mut written = one(github());
    written["manages"] = json!(["acme/*"]);
    let file = read(written.clone()).unwrap();
    assert!(file.manages(&resource("acme/other")) && !file.manages(&resource("datasets/acme/model")));
    written["manages"] = json!(["datasets/acme/*", "octo/*"]);
    let error = read(written.clone()).unwrap_err();
    assert!(
        error.contains("of what the file manages (datasets/acme/*, octo/*), found one of acme/model"),
        "{error}"
    );
    written["manages"] = json!(["acme?"]);
    assert!(read(written).unwrap_err().contains("expected a resource in which * stands for"));
    let nothing = read(json!({ "manages": ["acme/*"], "publishers": [] })).unwrap();
    assert!(nothing.manages(&resource("acme/model")));
}

#[test]
fn the_same_rules_twice_say_nothing_clear() {
    let mut file = one(github());
    file["publishers"] = json!([github(), with("permission", json!("read"))]);
    assert!(read(file.clone()).unwrap_err().contains("two publishers of acme/model have the same rules"));
    file["publishers"] = json!([github(), with("resource", json!("acme/other"))]);
    assert_eq!(read(file).unwrap().entries().len(), 2);
}
