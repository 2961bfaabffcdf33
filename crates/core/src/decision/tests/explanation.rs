//! What an explanation says, and that it says what is decided.

use proptest::prelude::*;

use super::*;

fn pinned() -> Case {
    github().pin("repository_id", "74").pin("repository_owner_id", "65")
}

fn id(last: usize) -> String {
    format!("01890000-0000-7000-8000-{last:012}")
}

fn trusting(last: usize, case: &Case) -> Publisher {
    publisher(&id(last), case.rules().unwrap(), case.state)
}

fn order(explanation: &Explanation) -> Vec<&str> {
    explanation.publishers().iter().map(|report| report.publisher().as_str()).collect()
}

#[test]
fn the_nearest_publisher_comes_first() {
    let far = github().set("repository", "acme/other").set("branch", "dev");
    let near = github().set("branch", "dev");
    let proven = pinned().set("branch", "dev");
    let publishers = [trusting(1, &far), trusting(2, &near), trusting(3, &proven)];
    let explanation = explain(&resource(), &publishers, github().token().statement());
    assert_eq!(*explanation.outcome(), Outcome::Refused);
    assert_eq!(order(&explanation), [id(3), id(2), id(1)]);
    let proofs: Vec<bool> = explanation.publishers().iter().map(Report::proven).collect();
    assert_eq!(proofs, [true, false, false]);
}

#[test]
fn the_publisher_that_grants_comes_before_all_others() {
    let strict = github().set("/runner_environment", "github-hosted");
    let publishers = [trusting(1, &pinned()), trusting(2, &github()), trusting(3, &strict)];
    let explanation = explain(&resource(), &publishers, github().token().statement());
    let Outcome::Granted { publisher, permission, notices } = explanation.outcome() else {
        panic!("refused")
    };
    let grant = decide(&resource(), &publishers, &github().token()).unwrap();
    assert_eq!(
        (publisher, *permission, &notices[..]),
        (grant.publisher(), grant.permission(), grant.notices())
    );
    assert_eq!(order(&explanation)[0], publisher.as_str());
}

#[test]
fn an_explanation_is_data() {
    let mut case = pinned().claim("ref", "refs/heads/dev");
    case.state = PublisherState::Disabled;
    let elsewhere = trusting(2, &gitlab());
    let explanation = explain(&resource(), &[trusting(1, &case), elsewhere], case.token().statement());
    insta::assert_json_snapshot!(explanation, @r#"
    {
      "outcome": "refused",
      "resource": "acme/awesome-model",
      "issuer": "https://token.actions.githubusercontent.com",
      "publishers": [
        {
          "publisher": "01890000-0000-7000-8000-000000000001",
          "proven": true,
          "checks": [
            {
              "subject": "publisher",
              "expected": [
                "enabled"
              ],
              "actual": {
                "value": "disabled"
              },
              "passed": false,
              "hint": "the owner has disabled this publisher"
            },
            {
              "subject": "event",
              "expected": [
                "any event_name but pull_request_target, workflow_run"
              ],
              "actual": {
                "value": "push"
              },
              "passed": true
            },
            {
              "subject": "branch",
              "expected": [
                "main"
              ],
              "actual": {
                "value": "dev"
              },
              "passed": false
            },
            {
              "subject": "repository",
              "expected": [
                "acme/train"
              ],
              "actual": {
                "value": "acme/train"
              },
              "passed": true
            },
            {
              "subject": "workflow",
              "expected": [
                "publish.yml"
              ],
              "actual": {
                "value": "publish.yml"
              },
              "passed": true
            },
            {
              "subject": "pin repository_id",
              "expected": [
                "74"
              ],
              "actual": {
                "value": "74"
              },
              "passed": true
            },
            {
              "subject": "pin repository_owner_id",
              "expected": [
                "65"
              ],
              "actual": {
                "value": "65"
              },
              "passed": true
            }
          ]
        }
      ],
      "elsewhere": [
        {
          "publisher": "01890000-0000-7000-8000-000000000002",
          "issuer": "https://gitlab.com"
        }
      ]
    }
    "#);
}

#[test]
fn invariant_10_the_job_is_told_what_it_has_proved() {
    let told = |publishers: &[Publisher], case: &Case| {
        let told = explain_to_caller(&resource(), publishers, &case.token(), case.rules.provider);
        serde_json::to_value(told).unwrap()
    };
    let proven = [trusting(1, &pinned())];
    let wrong_branch = github().claim("ref", "refs/heads/dev");
    insta::assert_json_snapshot!(told(&proven, &wrong_branch), @r#"
    {
      "message": "the trusted publisher of acme/awesome-model does not match: branch: expected main, came dev",
      "outcome": "refused",
      "report": {
        "checks": [
          {
            "actual": {
              "value": "push"
            },
            "expected": [
              "any event_name but pull_request_target, workflow_run"
            ],
            "passed": true,
            "subject": "event"
          },
          {
            "actual": {
              "value": "dev"
            },
            "expected": [
              "main"
            ],
            "passed": false,
            "subject": "branch"
          },
          {
            "actual": {
              "value": "acme/train"
            },
            "expected": [
              "acme/train"
            ],
            "passed": true,
            "subject": "repository"
          },
          {
            "actual": {
              "value": "publish.yml"
            },
            "expected": [
              "publish.yml"
            ],
            "passed": true,
            "subject": "workflow"
          },
          {
            "actual": {
              "value": "74"
            },
            "expected": [
              "74"
            ],
            "passed": true,
            "subject": "pin repository_id"
          },
          {
            "actual": {
              "value": "65"
            },
            "expected": [
              "65"
            ],
            "passed": true,
            "subject": "pin repository_owner_id"
          }
        ],
        "proven": true,
        "publisher": "01890000-0000-7000-8000-000000000001"
      }
    }
    "#);
    // To anybody else the resource, its publishers and their conditions do not exist.
    let stranger = wrong_branch.clone().claim("repository_id", "1");
    assert_eq!(told(&proven, &stranger), told(&[], &stranger));
    assert_eq!(told(&[trusting(1, &github())], &wrong_branch), told(&[], &wrong_branch));
    // Of several publishers only the one that is its own is shown.
    let both = [trusting(2, &github().set("branch", "secret")), trusting(1, &pinned())];
    assert_eq!(told(&both, &wrong_branch), told(&proven, &wrong_branch));
    insta::assert_json_snapshot!(told(&proven, &github()), @r#"
    {
      "message": "a trusted publisher of acme/awesome-model lets this run have a token to write",
      "outcome": "granted",
      "permission": "write"
    }
    "#);
}

/// One change to a run; the last is none.
const CLAIMS: [(&str, &str); 7] = [
    ("repository", "acme/other"),
    ("repository_id", "75"),
    ("repository_owner_id", "66"),
    ("ref", "refs/heads/dev"),
    ("event_name", "workflow_run"),
    ("job_workflow_ref", "evil/x/.github/workflows/publish.yml@refs/heads/main"),
    ("run_id", "9"),
];

/// One change to a publisher.
fn changed(case: Case, change: usize) -> Case {
    match change {
        0 => case.set("repository", "acme/other"),
        1 => case.set("branch", "dev"),
        2 => case.pin("repository_id", "74"),
        3 => case.pin("repository_id", "75"),
        4 => case.pin("repository_owner_id", "65"),
        5 => case.allow("workflow_run"),
        6 => case.set("/runner_environment", "github-hosted"),
        7 => Case { state: PublisherState::Disabled, ..case },
        8 => Case {
            rules: RawRules {
                issuer: "https://ghes.example.com/_services/token".parse().unwrap(),
                ..case.rules
            },
            ..case
        },
        _ => case,
    }
}

proptest! {
    /// Explained as granted by a publisher exactly when that publisher is decided on, and refused with the same reports.
    #[test]
    fn what_is_explained_is_what_is_decided(
        claims in proptest::sample::subsequence(CLAIMS.to_vec(), 0..3),
        publishers in proptest::collection::vec(proptest::collection::vec(0_usize..10, 0..3), 0..5),
    ) {
        let run = claims.into_iter().fold(github(), |case, (name, value)| case.claim(name, value));
        let publishers: Vec<Publisher> = publishers
            .into_iter()
            .enumerate()
            .map(|(last, changes)| trusting(last, &changes.into_iter().fold(github(), changed)))
            .collect();
        let explanation = explain(&resource(), &publishers, run.token().statement());
        let told = explain_to_caller(&resource(), &publishers, &run.token(), Provider::Github);
        match decide(&resource(), &publishers, &run.token()) {
            Ok(grant) => {
                let granted = Outcome::Granted {
                    publisher: grant.publisher().clone(),
                    permission: grant.permission(),
                    notices: grant.notices().to_vec(),
                };
                prop_assert_eq!(explanation.outcome(), &granted);
                prop_assert!(explanation.publishers()[0].failures().next().is_none());
            }
            Err(refusal) => {
                prop_assert_eq!(explanation.outcome(), &Outcome::Refused);
                let reports = |reports: &[Report]| serde_json::to_value(reports).unwrap();
                prop_assert_eq!(reports(explanation.publishers()), reports(refusal.publishers()));
                prop_assert_eq!(told.message(), refusal.for_caller(&Provider::Github.presented(&run.token())));
            }
        }
        let of_issuer = publishers.iter().filter(|publisher| publisher.rules.issuer() == run.token().issuer());
        prop_assert_eq!(explanation.publishers().len(), of_issuer.count());
        prop_assert_eq!(explanation.publishers().len() + explanation.elsewhere().len(), publishers.len());
    }
}

#[test]
fn invariant_10_who_only_shares_an_account_is_a_stranger() {
    let claims = json!({ "workspace_id": "ac-1", "app_id": "ap-1" });
    let issuer = "https://oidc.modal.com";
    let own = Case::new(Provider::Modal, issuer, &[("app", "ap-1")], claims).pin("workspace_id", "ac-1");
    let neighbour = own.clone().claim("app_id", json!("ap-2"));
    let told = |publishers: &[Publisher]| {
        explain_to_caller(&resource(), publishers, &neighbour.token(), Provider::Modal)
    };
    assert!(told(&[trusting(1, &own)]).report().is_none());
    assert_eq!(told(&[trusting(1, &own)]).message(), told(&[]).message());
    let refusal = decide(&resource(), &[trusting(1, &own)], &neighbour.token()).unwrap_err();
    assert!(!refusal.for_owner().contains("the name changed"), "{}", refusal.for_owner());
}
