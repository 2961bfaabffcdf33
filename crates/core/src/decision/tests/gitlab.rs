//! Threats H: runs on GitLab CI.

use super::*;

#[test]
fn h1_subgroups() {
    let deep = format!("{}/train", vec!["g"; 20].join("/"));
    let uri = format!("gitlab.com/{deep}//ci/publish.yml@refs/heads/main");
    let case =
        gitlab().set("project", &deep).set("workflow", "ci/publish.yml").claim("project_path", deep.as_str());
    case.clone().claim("ci_config_ref_uri", uri).granted();
    case.claim("project_path", "g/train").refused("project: expected");
    for project in ["acme", "acme/", "/acme/train", "acme//train", "acme/../train", ""] {
        gitlab().set("project", project).not_saved("GROUP/PROJECT");
    }
}

#[test]
fn h2_the_pipeline_file_of_another_project() {
    for uri in [
        "gitlab.com/evil/train//.gitlab-ci.yml@refs/heads/main",
        "gitlab.com/acme/train2//.gitlab-ci.yml@refs/heads/main",
        "gitlab.com/acme/train//evil.yml@refs/heads/main",
        "gitlab.com/acme/train//.gitlab-ci.yml@refs/heads/other",
        "gitlab.com/acme/train//evil.yml@refs/heads/x//.gitlab-ci.yml@refs/heads/main",
        "gitlab.com.evil/acme/train//.gitlab-ci.yml@refs/heads/main",
        "evil/gitlab.com/acme/train//.gitlab-ci.yml@refs/heads/main",
        "gitlab.com/acme/train//@refs/heads/main",
        "",
    ] {
        gitlab().claim("ci_config_ref_uri", uri).refused("workflow: expected .gitlab-ci.yml");
    }
    gitlab()
        .claim("ci_config_ref_uri", Value::Null)
        .refused("workflow: expected .gitlab-ci.yml, came nothing");
}

#[test]
fn h3_booleans_are_strings() {
    let case = gitlab().set("/ref_protected", "true");
    case.granted();
    case.clone().claim("ref_protected", "false").refused("/ref_protected: expected true, came false");
    case.claim("ref_protected", true).refused("/ref_protected: expected true, came boolean true");
}

#[test]
fn h4_the_group_was_created_again() {
    let case = gitlab().pin("project_id", "20").pin("namespace_id", "72");
    case.granted();
    case.clone().claim("namespace_id", "73").refused("pin namespace_id: expected 72, came 73");
    case.claim("project_id", "21").refused("pin project_id: expected 20, came 21");
}

#[test]
fn h6_instances_are_isolated() {
    let token = token("https://gitlab.example.com", gitlab().claims);
    assert!(decide(&resource(), &[gitlab().publisher()], &token).is_err());
    let mut case = gitlab();
    case.rules.issuer = "https://gitlab.example.com:8443".parse().unwrap();
    case.refused("workflow: expected .gitlab-ci.yml");
    case.claim("ci_config_ref_uri", "gitlab.example.com/acme/train//.gitlab-ci.yml@refs/heads/main")
        .granted();
}

#[test]
fn refs_are_branches_unless_they_say_tag() {
    gitlab()
        .claim("ref_path", "refs/tags/main")
        .refused("ref: expected refs/heads/main, came refs/tags/main");
    gitlab().set("ref", "refs/heads/main").granted();
    gitlab().unset("workflow").set("ref", "refs/tags/v1").claim("ref_path", "refs/tags/v1").granted();
}

#[test]
fn merge_requests_run_foreign_code() {
    let case = gitlab().claim("pipeline_source", "merge_request_event");
    case.refused("event: expected any pipeline_source but merge_request_event, external_pull_request_event, parent_pipeline");
    case.allow("merge_request_event").granted();
    // Their child pipelines, too, and jobs that run elsewhere than the claims say.
    gitlab().claim("pipeline_source", "parent_pipeline").refused("event");
    gitlab().claim("job_project_id", "20").granted();
    for other in [json!("21"), json!(20), Value::Null] {
        gitlab().claim("job_project_id", other).refused("job project: expected the pipeline's, 20");
    }
}

#[test]
fn projects_fold_as_gitlab_does() {
    let case = gitlab().unset("workflow").claim("project_path", "Acme/Train");
    assert!(case.granted().learned().unwrap().has_given_pin("project_id"));
}
