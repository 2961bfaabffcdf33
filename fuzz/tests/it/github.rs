//! GitHub's claims: a grant means that the run is the trusted one, said once more in the plainest way.

use serde_json::{Map, Value, json};

use crate::BRIEFLY;
use crate::run::{Changes, decide_on, text};

fn rules() -> Value {
    json!({
        "issuer": "https://token.actions.githubusercontent.com", "provider": "github",
        "conditions": { "repository": ["acme/train"], "branch": ["main"], "workflow": ["publish.yml"] },
        "pins": { "repository_id": "74", "repository_owner_id": null },
    })
}

fn claims() -> Value {
    json!({
        "repository": "acme/train", "repository_id": "74", "repository_owner": "acme", "repository_owner_id": "65",
        "ref": "refs/heads/main", "event_name": "push",
        "workflow_ref": "acme/train/.github/workflows/publish.yml@refs/heads/main",
        "job_workflow_ref": "acme/train/.github/workflows/publish.yml@refs/heads/main",
    })
}

/// `OWNER/NAME` without regard to case, `/.github/workflows/`, and the rest.
fn below_own_workflows<'a>(claims: &Map<String, Value>, reference: &'a str) -> &'a str {
    let own = format!("{}/.github/workflows/", text(claims, "repository").unwrap());
    let (head, rest) = reference.split_at_checked(own.len()).expect("it is long enough");
    assert!(head.eq_ignore_ascii_case(&own) && head.ends_with("/.github/workflows/"), "{reference}");
    rest
}

fn check(changes: &Changes) {
    let (claims, grant) = decide_on(&rules(), &claims(), changes);
    let Some(grant) = grant else { return };
    assert!(text(&claims, "repository").unwrap().eq_ignore_ascii_case("acme/train"));
    assert_eq!(text(&claims, "repository_id"), Some("74"));
    assert_eq!(text(&claims, "ref"), Some("refs/heads/main"));
    assert!(
        !matches!(text(&claims, "event_name"), None | Some("pull_request_target" | "workflow_run")),
        "{claims:?}"
    );
    let rest = below_own_workflows(&claims, text(&claims, "workflow_ref").unwrap());
    let after = rest.strip_prefix("publish.yml@").expect("it is the workflow");
    assert!(after.starts_with("refs/") || after.bytes().all(|byte| byte.is_ascii_hexdigit()), "{rest}");
    if let Some(called) = claims.get("job_workflow_ref") {
        below_own_workflows(&claims, called.as_str().expect("a text"));
    }
    // What is learned is an id: digits, and there.
    let owner = text(&claims, "repository_owner_id").expect("an id to learn");
    assert!(!owner.is_empty() && owner.bytes().all(|byte| byte.is_ascii_digit()), "{owner:?}");
    let learned = grant.learned().expect("the owner's id is learned");
    assert!(learned.pins().any(|pin| pin == ("repository_owner_id", Some(owner))));
}

#[test]
fn a_grant_means_the_trusted_workflow_of_the_trusted_repository() {
    check(&[(4, 200, (0, vec![])), (4, 200, (0, vec![]))]);
    bolero::check!().with_test_time(BRIEFLY).with_type::<Changes>().for_each(check);
}
