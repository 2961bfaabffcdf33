//! Publishers in a file: what is wrong in it, what is weak, and its schema.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use countersign_core::Provider;
use countersign_core::publisher_file::PublisherFile;
use serde_json::{Value, json};

use crate::job::Job;

const FILE: &str = "\
publishers:
  - resource: acme/awesome-model
    provider: github
    conditions:
      repository: acme/train
      branch: main
      /runner_environment: github-hosted
    pins: { repository_id: '74', repository_owner_id: '65' }
  - resource: datasets/acme/corpus
    provider: gitlab
    conditions: { project: acme/corpus }
    pins: { project_id: '20', namespace_id: '72' }
    allowed_events: [merge_request_event]
";

/// Runs the command on a file of that name and content.
fn run(name: &str, content: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap();
    let (command, options) = arguments.split_first().unwrap();
    let shown = Job::github().run(&[&["publishers", command, path], options].concat());
    shown.replace(path, name)
}

#[test]
fn lint_says_what_is_weak_and_what_could_happen() {
    insta::assert_snapshot!(run("publishers.yaml", FILE, &["lint"]), @r#"
    exit 6
    --- stdout
    publisher 2 of the file, for datasets/acme/corpus
      warning[allowed_event]: runs of pipeline_source merge_request_event are let in
        what could happen: it may run the code of a merge request, and its ref is then the name of the source branch, which a fork may choose
        what to do: take merge_request_event out of the allowed events, and publish from another one
      warning[any_branch]: there is no condition on ref or environment
        what could happen: whoever may start a run there gets a token, also one of code that nobody has reviewed: a workflow's file is changed on a branch as easily as anything else
        what to do: set ref or environment, and protect it in the settings of GitLab CI
      note[self_hosted_runners]: runs on self-hosted runners are let in
        what could happen: whatever an earlier job or a neighbour left behind on such a machine can take the token
        what to do: unless the job needs one, set /runner_environment to gitlab-hosted
      note[reusable_token]: one id token buys up to 10 access tokens
        what could happen: whoever reads it beside the job, in a variable or a log, can exchange it too until it expires
        what to do: keep it out of logs and of steps that do not need it; lower the issuer's max_exchanges if the job exchanges it less often
    2 publishers: 2 warnings, 2 notes
    --- stderr
    "#);
    let allowed =
        ["lint", "--allow", "any_branch", "--allow", "allowed_event", "--allow", "self_hosted_runners"];
    insta::assert_snapshot!(run("publishers.yaml", FILE, &allowed), @r#"
    exit 0
    --- stdout
    publisher 2 of the file, for datasets/acme/corpus
      note[reusable_token]: one id token buys up to 10 access tokens
        what could happen: whoever reads it beside the job, in a variable or a log, can exchange it too until it expires
        what to do: keep it out of logs and of steps that do not need it; lower the issuer's max_exchanges if the job exchanges it less often
    2 publishers: 0 warnings, 1 notes
    --- stderr
    "#);
}

#[test]
fn lint_is_data_too() {
    let shown = run("publishers.yaml", FILE, &["lint", "--json"]);
    let json = shown.strip_prefix("exit 6\n--- stdout\n").unwrap().split("--- stderr").next().unwrap();
    let found: Value = serde_json::from_str(json).unwrap();
    assert_eq!(
        (&found["publishers"][0]["index"], found["publishers"].as_array().unwrap().len()),
        (&json!(1), 1)
    );
    insta::assert_json_snapshot!(found["publishers"][0]["warnings"][0], @r#"
    {
      "code": "allowed_event",
      "consequence": "it may run the code of a merge request, and its ref is then the name of the source branch, which a fork may choose",
      "problem": "runs of pipeline_source merge_request_event are let in",
      "remedy": "take merge_request_event out of the allowed events, and publish from another one",
      "severity": "warning"
    }
    "#);
}

#[test]
fn what_is_wrong_in_a_file_is_shown_where_it_is() {
    let wrong = FILE.replace("branch: main", "brunch: main");
    insta::assert_snapshot!(run("publishers.yaml", &wrong, &["lint"]), @r#"
    exit 2
    --- stdout
    --- stderr
    error: publishers.yaml:2:5: expected repository, branch, tag, workflow, environment or a JSON Pointer such as /claim, found the field "brunch"
    "#);
    insta::assert_snapshot!(run("publishers.toml", "manages = 1", &["lint"]), @r#"
    exit 2
    --- stdout
    --- stderr
    error: publishers.toml:1:11: invalid type: integer `1`, expected a sequence
    "#);
    insta::assert_snapshot!(run("publishers.txt", FILE, &["lint"]), @r#"
    exit 2
    --- stdout
    --- stderr
    error: expected a file that ends in .yaml, .yml, .toml or .json, found publishers.txt
    "#);
    insta::assert_snapshot!(Job::github().fail(&["publishers", "lint", "/nowhere/publishers.yaml"]), @r#"
    exit 2
    --- stdout
    --- stderr
    error: /nowhere/publishers.yaml could not be read
      caused by: No such file or directory (os error 2)
    "#);
    insta::assert_snapshot!(run("publishers.yaml", FILE, &["lint", "--allow", "any-branch"]), @r#"
    exit 2
    --- stdout
    --- stderr
    error: invalid value 'any-branch' for '--allow <CODE>': expected a weakness such as any_branch, by its code; found "any-branch"

    For more information, try '--help'.
    "#);
}

/// The schema as the command prints it.
fn schema() -> String {
    let shown = Job::github().run(&["publishers", "schema"]);
    let text = shown.strip_prefix("exit 0\n--- stdout\n").unwrap();
    text.strip_suffix("--- stderr\n").unwrap().replace("(providers)", &providers())
}

fn providers() -> String {
    Provider::ALL.map(|provider| provider.preset().name).join(", ")
}

#[test]
fn the_published_schema_is_the_programs() {
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/publishers.schema.json");
    let published = std::fs::read_to_string(published).unwrap_or_default();
    assert!(published == schema(), "run `countersign publishers schema > docs/publishers.schema.json`");
}

/// What a validator of its own makes of documents.
fn validated(documents: &[Value]) -> Vec<bool> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/venv/bin/python");
    assert!(python.exists(), "target/tools/venv is missing: run `cargo xtask test`, which installs it");
    let program = "import json, sys, jsonschema_rs\n\
                   given = json.load(sys.stdin)\n\
                   jsonschema_rs.meta.validate(given['schema'])\n\
                   validator = jsonschema_rs.Draft202012Validator(given['schema'])\n\
                   print(json.dumps([validator.is_valid(document) for document in given['documents']]))\n";
    let mut child = Command::new(python)
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let given = json!({ "schema": schema, "documents": documents }).to_string();
    child.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn is_read(document: &Value) -> bool {
    serde_json::from_value::<PublisherFile>(document.clone()).is_ok()
}

fn of(publisher: &Value) -> Value {
    json!({ "publishers": [publisher] })
}

#[test]
fn the_schema_refuses_what_the_program_refuses() {
    let good = json!({
        "resource": "acme/model",
        "provider": "github",
        "conditions": { "repository": "acme/train", "branch": ["main"], "/x": [1, true, "a"] },
        "pins": { "repository_id": "74", "repository_owner_id": null },
        "allowed_events": ["workflow_run"],
        "permission": "read",
        "state": "disabled",
    });
    assert!(is_read(&of(&good)) && validated(&[of(&good)]) == [true]);
    let changes = [
        ("/brunch", json!("x")),
        ("/resource", json!(1)),
        ("/provider", json!("jenkins")),
        ("/provider", json!("gitlab")),
        ("/provider", json!("circleci")),
        ("/conditions/brunch", json!("main")),
        ("/conditions/repository", json!(["a/b", "c/d"])),
        ("/conditions/repository", json!(74)),
        ("/conditions/branch", json!([])),
        ("/conditions/branch", json!(true)),
        ("/conditions/branch", json!("")),
        ("/conditions/~1x", json!(1.5)),
        ("/conditions/~1x", json!({})),
        ("/conditions/~1x", json!(null)),
        ("/pins/actor_id", json!("1")),
        ("/pins/repository_id", json!(74)),
        ("/allowed_events", json!(["push"])),
        ("/permission", json!("admin")),
        ("/state", json!("off")),
    ];
    let mut documents: Vec<Value> =
        changes.into_iter().map(|(path, value)| of(&changed(&good, path, value))).collect();
    documents.extend([
        json!({}),
        json!([]),
        json!({ "publishers": {} }),
        json!({ "publishers": [], "version": 1 }),
    ]);
    documents.extend([json!({ "publishers": [], "manages": [1] }), of(&json!({ "resource": "a/b" }))]);
    for (document, is_valid) in documents.iter().zip(validated(&documents)) {
        assert!(!is_read(document), "the program takes {document}");
        assert!(!is_valid, "the schema takes {document}");
    }
}

fn changed(document: &Value, path: &str, value: Value) -> Value {
    let mut document = document.clone();
    let (parent, name) = path.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[name.replace("~1", "/")] = value;
    document
}

/// Whatever a preset knows can be written, and passes the schema.
#[test]
fn the_schema_takes_what_the_program_takes() {
    let mut documents = Vec::new();
    for provider in Provider::ALL {
        let preset = provider.preset();
        let samples =
            ["acme/train", "main", "refs/heads/main", "publish.yml", "123456789012", "acme", "a@b.c", "x:y"];
        let id = "5a30c2ec-0000-4000-8000-000000000000";
        let samples = samples.map(str::to_owned).into_iter().chain([
            id.to_owned(),
            format!("{{{id}}}"),
            "spiffe://acme/x".to_owned(),
        ]);
        let samples: Vec<String> = samples.collect();
        let fields = preset.fields.iter().filter(|field| !["tag", "ref"].contains(&field.name));
        let conditions = fields.map(|field| {
            let sample = samples.iter().find(|sample| (field.parse)(sample).is_ok());
            let sample = sample.unwrap_or_else(|| panic!("no sample for {provider}: {}", field.name));
            (field.name.to_owned(), json!([sample]))
        });
        let mut conditions: serde_json::Map<String, Value> = conditions.collect();
        conditions.insert("/x~1y/0".to_owned(), json!(["a", 1]));
        let pins = preset.pins.iter().map(|pin| {
            let sample = samples.iter().find(|sample| (pin.is_id)(sample));
            (
                pin.claim.to_owned(),
                json!(sample.unwrap_or_else(|| panic!("no sample for {provider}: {}", pin.claim))),
            )
        });
        let pins: serde_json::Map<String, Value> = pins.collect();
        let events = preset.event.as_ref().map_or(&[][..], |event| event.refused);
        let issuer = preset.issuers.first().map_or_else(
            || preset.issuer_forms.first().unwrap_or(&"https://ci.example.com").replace('*', "acme"),
            |issuer| (*issuer).to_owned(),
        );
        let whole = json!({
            "resource": "acme/model", "provider": preset.name, "issuer": issuer, "conditions": conditions,
            "pins": pins, "allowed_events": events,
        });
        let first = changed(&whole, "/conditions", json!({ "/x": "y", "/z": ["a", "b"] }));
        documents.extend([of(&whole), of(&first)]);
    }
    documents.push(json!({ "manages": ["acme/*", "**"], "publishers": [] }));
    for (document, is_valid) in documents.iter().zip(validated(&documents)) {
        let read = serde_json::from_value::<PublisherFile>(document.clone());
        assert!(read.is_ok(), "{document}: {}", read.unwrap_err());
        assert!(is_valid, "the schema refuses {document}");
    }
}

#[test]
fn the_manuals_example_is_read() {
    let manual = include_str!("../../../../docs/publishers.md");
    let example = manual.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let shown = run("publishers.yaml", example, &["lint"]);
    assert!(shown.ends_with("2 publishers: 0 warnings, 5 notes\n--- stderr\n"), "{shown}");
}
