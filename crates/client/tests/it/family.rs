//! The providers that share GitHub's contract: Forgejo, Gitea and Depot.

use serde_json::json;

use crate::fake::{HUB, Job, chain, claims, id_token};

fn mints_of(job: Job, issuer: &str) -> Job {
    let mut claims = claims();
    claims["iss"] = json!(issuer);
    // Depot writes even a single audience as an array.
    claims["aud"] = json!([HUB]);
    job.answers(200, &json!({ "value": id_token(&claims) }).to_string())
}

#[test]
fn the_issuer_says_which_of_them_it_was() {
    for (issuer, name) in [
        ("https://token.actions.githubusercontent.com", "github"),
        ("https://token.actions.githubusercontent.com/octo", "github"),
        ("https://token.actions.octo.ghe.com", "github"),
        ("https://ghes.example.com/_services/token", "github"),
        ("https://forge.example.com/api/actions", "forgejo"),
        ("https://identity.depot.dev", "depot"),
        ("https://issuer.example.com", "github"),
        ("no issuer", "github"),
    ] {
        let identity = mints_of(Job::github(), issuer).client().identify().unwrap();
        assert_eq!(identity.provider().unwrap().name(), name, "{issuer}");
    }
    let gitea = mints_of(Job::github().with("GITEA_ACTIONS", "true"), "https://gitea.example.com");
    assert_eq!(gitea.client().identify().unwrap().provider().unwrap().name(), "gitea");
}

#[test]
fn each_names_its_own_line_to_add() {
    let failure =
        |job: Job| chain(&job.without("ACTIONS_ID_TOKEN_REQUEST_URL").client().identify().unwrap_err());
    insta::assert_snapshot!(failure(Job::github().with("FORGEJO_ACTIONS", "true")), @"Forgejo Actions gives this job no id token: ACTIONS_ID_TOKEN_REQUEST_URL is not set; add `enable-openid-connect: true` to the job (Forgejo does not read `permissions`)");
    insta::assert_snapshot!(failure(Job::github().with("GITEA_ACTIONS", "true")), @"Gitea Actions gives this job no id token: ACTIONS_ID_TOKEN_REQUEST_URL is not set; add `permissions: id-token: write` to the job, and check that this version of Gitea has id tokens for Actions");
}
