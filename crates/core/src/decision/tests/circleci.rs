//! Threats H7: runs on CircleCI.

use super::*;

const ORGANIZATION: &str = "a64b1c5e-0000-4000-8000-000000000001";
const PROJECT: &str = "5a30c2ec-0000-4000-8000-000000000002";
const OTHER: &str = "00000000-0000-4000-8000-000000000009";
const ROOT: &str = "https://oidc.circleci.com";

pub(super) fn case() -> Case {
    let claims = json!({
        "aud": "https://hub.example.com", "sub": format!("org/{ORGANIZATION}/project/{PROJECT}/user/u"),
        "oidc.circleci.com/context-ids": ["c"], "oidc.circleci.com/job-id": "j",
        "oidc.circleci.com/org-id": ORGANIZATION, "oidc.circleci.com/project-id": PROJECT,
        "oidc.circleci.com/pipeline-definition-id": "17c5f0aa-0000-4000-8000-000000000003",
        "oidc.circleci.com/pipeline-id": "p", "oidc.circleci.com/ssh-rerun": false, "oidc.circleci.com/workflow-id": "w",
        "oidc.circleci.com/vcs-origin": "github.com/acme/train", "oidc.circleci.com/vcs-ref": "refs/heads/main",
    });
    let issuer = format!("https://oidc.circleci.com/org/{ORGANIZATION}");
    let conditions = [("project", PROJECT), ("origin", "github.com/acme/train"), ("ref", "refs/heads/main")];
    Case::new(Provider::Circleci, &issuer, &conditions, claims)
}

#[test]
fn h7_the_same_project_from_another_organization() {
    let elsewhere = token(&format!("https://oidc.circleci.com/org/{OTHER}"), case().claims);
    assert!(decide(&resource(), &[case().publisher()], &elsewhere).unwrap_err().publishers().is_empty());
    let mut root = case().pin("oidc.circleci.com/org-id", ORGANIZATION);
    root.rules.issuer = ROOT.parse().unwrap();
    root.granted();
    root.claim("oidc.circleci.com/org-id", OTHER).refused("pin oidc.circleci.com/org-id: expected a64b1c5e");
}

#[test]
fn the_root_issuer_needs_an_organization_or_a_project() {
    let mut root = case().unset("project");
    root.clone().granted();
    root.rules.issuer = ROOT.parse().unwrap();
    root.not_saved("set organization=UUID or project=UUID where organizations share the issuer");
    root.clone().set("organization", ORGANIZATION).granted();
    root.pin("oidc.circleci.com/project-id", PROJECT).granted();
}

#[test]
fn a_fork_may_have_a_branch_of_that_name() {
    case().unset("origin").not_saved("origin=HOST/OWNER/NAME with a ref");
    case().unset("origin").unset("ref").granted();
    case()
        .claim("oidc.circleci.com/vcs-origin", "github.com/evil/train")
        .refused("origin: expected github.com/acme/train");
}

#[test]
fn a_person_with_a_shell_is_no_job() {
    let rerun = case().claim("oidc.circleci.com/ssh-rerun", true);
    rerun.refused("ssh rerun: expected boolean false, came true (a person may have had a shell");
    case().without("oidc.circleci.com/ssh-rerun").refused("ssh rerun: expected boolean false, came nothing");
    case().claim("oidc.circleci.com/ssh-rerun", "false").refused("ssh rerun");
    let mut allowed = rerun;
    allowed.rules.conditions.insert("/oidc.circleci.com~1ssh-rerun".to_owned(), vec![Scalar::Boolean(true)]);
    allowed.granted();
}

#[test]
fn wrong_claims_are_refused() {
    case().claim("oidc.circleci.com/project-id", OTHER).refused("project: expected 5a30c2ec");
    case().claim("oidc.circleci.com/vcs-ref", "refs/tags/main").refused("ref: expected refs/heads/main");
    case().without("oidc.circleci.com/vcs-ref").refused("ref: expected refs/heads/main, came nothing");
    case().set("project", "acme/train").not_saved("expected a UUID such as");
    case().set("ref", "main").not_saved("refs/heads/BRANCH");
    case().set("/sub", "x").not_saved("a condition on /sub is refused");
}
