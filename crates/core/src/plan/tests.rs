use serde_json::{Value, json};

use super::*;
use crate::publisher::RawRules;

fn github() -> Value {
    json!({
        "resource": "acme/model",
        "provider": "github",
        "conditions": { "repository": "acme/train", "branch": "main" },
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut entry = github();
    entry[name] = value;
    entry
}

fn condition(name: &str, value: Value) -> Value {
    let mut entry = github();
    entry["conditions"][name] = value;
    entry
}

fn file(entries: &[Value]) -> PublisherFile {
    serde_json::from_value(json!({ "manages": ["acme/*", "datasets/acme/*"], "publishers": entries }))
        .unwrap()
}

fn id(last: u32) -> PublisherId {
    format!("01890000-0000-7000-8000-{last:012}").parse().unwrap()
}

/// A publisher that is there, as an entry would have made it.
fn present(last: u32, entry: &Value) -> Publisher {
    let Entry { resource, rules, permission, state } = serde_json::from_value(entry.clone()).unwrap();
    Publisher { id: id(last), resource, rules, permission, state, revision: Revision(i64::from(last)) }
}

/// The publisher after its first run.
fn learned(mut publisher: Publisher, repository_id: &str) -> Publisher {
    let ids = [("repository_id", repository_id.to_owned()), ("repository_owner_id", "65".to_owned())];
    publisher.rules = publisher.rules.with_learned(ids);
    publisher
}

/// A plan in one line for each step.
fn steps(entries: &[Value], present: &[Publisher]) -> Vec<String> {
    let step = |step: &Step| match step {
        Step::Add { after } => format!("+ {}", after.resource),
        Step::Change { id, differences, .. } => {
            let differences: Vec<String> = differences.iter().map(ToString::to_string).collect();
            format!("~ {} {}", &id.as_str()[35..], differences.join(", "))
        }
        Step::Remove { id, .. } => format!("- {}", &id.as_str()[35..]),
        Step::Keep { id, .. } => format!("= {}", &id.as_str()[35..]),
    };
    plan(&file(entries), present).steps.iter().map(step).collect()
}

#[test]
fn what_is_as_the_file_wants_it_stays() {
    let there = [present(1, &github())];
    assert_eq!(steps(&[github()], &there), ["= 1"]);
    assert!(plan(&file(&[github()]), &there).is_empty());
    assert!(plan(&file(&[]), &[]).is_empty());
}

#[test]
fn what_was_learned_is_no_difference() {
    let there = [learned(present(1, &github()), "74")];
    assert_eq!(steps(&[github()], &there), ["= 1"]);
    let unknown = json!({ "repository_id": null });
    assert_eq!(steps(&[with("pins", unknown)], &there), ["= 1"]);
    let given = json!({ "repository_id": "74" });
    assert_eq!(steps(&[with("pins", given)], &there), ["= 1"]);
    let other = json!({ "repository_id": "75" });
    assert_eq!(steps(&[with("pins", other)], &there), ["~ 1 pin repository_id: 74 → 75"]);
    let given = json!({ "repository_id": "74" });
    let there = [present(1, &github())];
    assert_eq!(
        steps(&[with("pins", given)], &there),
        ["~ 1 pin repository_id: learned from the first run → 74"]
    );
}

#[test]
fn a_given_id_that_could_not_be_learned_is_taken_away() {
    let owner =
        json!({ "resource": "acme/model", "provider": "github", "pins": { "repository_owner_id": "65" } });
    let mut both = owner.clone();
    both["pins"]["repository_id"] = json!("74");
    assert_eq!(
        steps(std::slice::from_ref(&owner), &[present(1, &both)]),
        ["~ 1 pin repository_id: 74 → nothing"]
    );
}

#[test]
fn a_change_keeps_what_was_learned() {
    let there = [learned(present(1, &github()), "74")];
    let wanted = file(&[condition("branch", json!("release"))]);
    let Step::Change { id: which, revision, after, .. } = &plan(&wanted, &there).steps[0] else {
        panic!("no change")
    };
    assert_eq!((which, *revision), (&id(1), Revision(1)));
    assert!(after.rules.pins().eq([("repository_id", Some("74")), ("repository_owner_id", Some("65"))]));
    let raw: RawRules = after.rules.clone().into();
    assert_eq!(raw.conditions["branch"], [Scalar::Text("release".to_owned())]);
}

#[test]
fn invariant_6_another_repository_learns_its_own_ids() {
    let there = [learned(present(1, &github()), "74")];
    let wanted = [condition("repository", json!("acme/other"))];
    assert_eq!(steps(&wanted, &there), ["+ acme/model", "- 1"]);
    let Step::Add { after } = &plan(&file(&wanted), &there).steps[0] else { panic!("not added") };
    assert!(after.rules.pins().all(|(_, id)| id.is_none()));
    // Names that the provider folds are the same.
    let folded = [condition("repository", json!("Acme/Train"))];
    assert_eq!(steps(&folded, &there), ["~ 1 repository: acme/train → Acme/Train"]);
    let elsewhere = with("issuer", json!("https://ghes.example.com/_services/token"));
    assert_eq!(steps(&[elsewhere], &there), ["+ acme/model", "- 1"]);
}

#[test]
fn every_fact_is_compared() {
    for (entry, difference) in [
        (condition("branch", json!("dev")), "branch: main → dev"),
        (condition("branch", json!(["main", "dev"])), "branch: main → dev or main"),
        (condition("environment", json!("prod")), "environment: nothing → prod"),
        (with("conditions", json!({ "repository": "acme/train" })), "branch: main → nothing"),
        (with("permission", json!("read")), "permission: write → read"),
        (with("state", json!("disabled")), "state: enabled → disabled"),
        (with("allowed_events", json!(["workflow_run"])), "allowed event: nothing → workflow_run"),
    ] {
        assert_eq!(steps(&[entry], &[present(1, &github())]), [format!("~ 1 {difference}")]);
    }
    // Neither the order of values nor their repetition means anything; their types and their borders do.
    let two = present(1, &condition("/x", json!(["a", "b"])));
    assert_eq!(steps(&[condition("/x", json!(["b", "a", "a"]))], std::slice::from_ref(&two)), ["= 1"]);
    assert_eq!(steps(&[condition("/x", json!("a or b"))], &[two]), ["~ 1 /x: a or b → a or b"]);
    let number = present(1, &condition("/x", json!(12)));
    assert_eq!(
        steps(&[condition("/x", json!("integer 12"))], &[number]),
        ["~ 1 /x: integer 12 → integer 12"]
    );
}

#[test]
fn the_nearest_go_together() {
    let [main, dev, docs] = ["main", "dev", "docs"].map(|branch| condition("branch", json!(branch)));
    let there = [present(1, &main), present(2, &dev)];
    assert_eq!(steps(&[dev.clone(), main.clone()], &there), ["= 2", "= 1"]);
    assert_eq!(steps(&[docs.clone(), dev.clone()], &there), ["~ 1 branch: main → docs", "= 2"]);
    assert_eq!(steps(&[docs.clone(), dev.clone(), main.clone()], &there), ["+ acme/model", "= 2", "= 1"]);
    assert_eq!(steps(std::slice::from_ref(&dev), &there), ["= 2", "- 1"]);
    // Whatever order the publishers come in.
    let [one, two] = there;
    assert_eq!(steps(&[docs, dev], &[two, one]), ["~ 1 branch: main → docs", "= 2"]);
}

#[test]
fn the_resources_of_others_are_passed_over() {
    let there = [
        present(1, &with("resource", json!("octo/model"))),
        present(2, &with("resource", json!("acme/old"))),
    ];
    assert_eq!(steps(&[github()], &there), ["+ acme/model", "- 2"]);
    let narrow: PublisherFile = serde_json::from_value(json!({ "publishers": [github()] })).unwrap();
    assert_eq!(plan(&narrow, &there).steps.len(), 1);
}

#[test]
fn a_plan_is_shown_before_it_is_done() {
    let there = [
        learned(present(1, &condition("branch", json!("dev"))), "74"),
        present(2, &with("resource", json!("acme/old"))),
        present(3, &with("resource", json!("datasets/acme/x"))),
    ];
    let mut changed = github();
    changed["permission"] = json!("read");
    changed["allowed_events"] = json!(["workflow_run"]);
    let mut added = with("resource", json!("acme/new"));
    added["state"] = json!("disabled");
    let plan = plan(&file(&[with("resource", json!("datasets/acme/x")), changed, added]), &there);
    insta::assert_snapshot!(plan, @r#"
    acme/model
      ~ 01890000-0000-7000-8000-000000000001
          branch: dev → main
          permission: write → read
          allowed event: nothing → workflow_run
    acme/new
      + GitHub Actions
          issuer: https://token.actions.githubusercontent.com
          branch: main
          repository: acme/train
          pin repository_id: learned from the first run
          pin repository_owner_id: learned from the first run
          permission: write
          state: disabled
    acme/old
      - 01890000-0000-7000-8000-000000000002
          issuer: https://token.actions.githubusercontent.com
          branch: main
          repository: acme/train
          pin repository_id: learned from the first run
          pin repository_owner_id: learned from the first run
          permission: write
          state: enabled
    1 to add, 1 to change, 1 to remove, 1 as they are
    "#);
    insta::assert_json_snapshot!(plan.steps[2], @r#"
    {
      "action": "remove",
      "id": "01890000-0000-7000-8000-000000000002",
      "revision": 2,
      "before": {
        "resource": "acme/old",
        "rules": {
          "issuer": "https://token.actions.githubusercontent.com",
          "provider": "github",
          "conditions": {
            "branch": [
              "main"
            ],
            "repository": [
              "acme/train"
            ]
          },
          "pins": {
            "repository_id": null,
            "repository_owner_id": null
          },
          "allowed_events": []
        },
        "permission": "write",
        "state": "enabled"
      }
    }
    "#);
    insta::assert_snapshot!(super::plan(&file(&[github()]), &[present(1, &github())]), @"0 to add, 0 to change, 0 to remove, 1 as they are");
}

/// Once it is done, nothing is left to do: otherwise every run of a pipeline would end tokens again.
#[test]
fn a_plan_that_was_done_is_empty() {
    let there = [
        learned(present(1, &condition("branch", json!(["b", "a"]))), "74"),
        present(2, &condition("repository", json!("acme/gone"))),
    ];
    let wanted = file(&[
        condition("branch", json!(["a", "c", "b"])),
        condition("branch", json!("x")),
        with("pins", json!({ "repository_id": "9" })),
    ]);
    let after = plan(&wanted, &there).steps.into_iter().zip(10..).filter_map(|(step, last)| {
        let (id, Entry { resource, rules, permission, state }) = match step {
            Step::Add { after } => (id(last), after),
            Step::Change { id, after, .. } | Step::Keep { id, after } => (id, after),
            Step::Remove { .. } => return None,
        };
        Some(Publisher { id, resource, rules, permission, state, revision: Revision(7) })
    });
    let after: Vec<Publisher> = after.collect();
    assert_eq!(after.len(), 3);
    assert!(plan(&wanted, &after).is_empty(), "{}", plan(&wanted, &after));
}

#[test]
fn facts_and_fields_do_not_share_names() {
    for provider in crate::provider::Provider::ALL {
        for pin in provider.preset().pins {
            let field = provider.preset().field(pin.learned_with).unwrap();
            assert!(
                field.single,
                "{provider}: ids are learned of what a publisher is about, so they go with it"
            );
        }
        for name in ["issuer", "permission", "state", "allowed event"] {
            assert!(provider.preset().field(name).is_none(), "{provider}");
        }
    }
}
