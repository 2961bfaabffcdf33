//! GitLab's claims: a grant means that the run is the trusted one, said once more in the plainest way.

use serde_json::{Value, json};

use crate::BRIEFLY;
use crate::run::{Changes, decide_on, text};

fn rules() -> Value {
    json!({
        "issuer": "https://gitlab.com", "provider": "gitlab",
        "conditions": { "project": ["acme/train"], "ref": ["main"], "workflow": [".gitlab-ci.yml"] },
        "pins": { "project_id": "20", "namespace_id": null },
    })
}

fn claims() -> Value {
    json!({
        "project_path": "acme/train", "project_id": "20", "namespace_path": "acme", "namespace_id": "72",
        "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "pipeline_source": "push",
        "ci_config_ref_uri": "gitlab.com/acme/train//.gitlab-ci.yml@refs/heads/main",
    })
}

fn check(changes: &Changes) {
    let (claims, grant) = decide_on(&rules(), &claims(), changes);
    let Some(grant) = grant else { return };
    let project = text(&claims, "project_path").unwrap();
    assert!(project.eq_ignore_ascii_case("acme/train"));
    assert_eq!(text(&claims, "project_id"), Some("20"));
    assert_eq!(text(&claims, "ref_path"), Some("refs/heads/main"));
    let source = text(&claims, "pipeline_source");
    assert!(
        !matches!(source, None | Some("merge_request_event" | "external_pull_request_event")),
        "{source:?}"
    );
    let uri = format!("gitlab.com/{project}//.gitlab-ci.yml@refs/heads/main");
    assert_eq!(text(&claims, "ci_config_ref_uri"), Some(uri.as_str()));
    let namespace = text(&claims, "namespace_id").expect("an id to learn");
    assert!(!namespace.is_empty() && namespace.bytes().all(|byte| byte.is_ascii_digit()), "{namespace:?}");
    let learned = grant.learned().expect("the namespace's id is learned");
    assert!(learned.pins().any(|pin| pin == ("namespace_id", Some(namespace))));
}

#[test]
fn a_grant_means_the_trusted_pipeline_of_the_trusted_project() {
    check(&[(4, 200, (0, vec![])), (4, 200, (0, vec![]))]);
    bolero::check!().with_test_time(BRIEFLY).with_type::<Changes>().for_each(check);
}
