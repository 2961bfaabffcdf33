//! What an exchange that succeeds comes to.

use std::time::Duration;

use countersign_core::{AccessToken, Permission, Provider};
use countersign_verify::AccessTokenVerifier;
use serde_json::json;

use crate::stage::Stage;

fn verifier(stage: &Stage) -> AccessTokenVerifier {
    let keys = serde_json::to_vec(stage.app.exchange.signer.keys().jwks()).unwrap();
    let keys = AccessTokenVerifier::keys(&keys).unwrap();
    AccessTokenVerifier::offline(stage.url.parse().unwrap(), stage.url.parse().unwrap(), keys)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_run_gets_a_token_for_its_one_resource() {
    let stage = Stage::new().await;
    let publisher = stage.trust("acme/awesome-model").await;
    let answer = stage.exchange(&stage.token(), "acme/awesome-model").await;
    assert_eq!(answer.status, 200);
    let body = answer.body.as_object().unwrap();
    assert_eq!(body.len(), 4, "the Hub's four fields: {:?}", body.keys());
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["expires_in"], 3600);
    assert_eq!(body["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    let token = body["access_token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("hf_jwt_eyJ"));

    let token = AccessToken::from(token);
    let verifier = verifier(&stage);
    let resource = "acme/awesome-model".parse().unwrap();
    let access = verifier.verify(&token, &resource, Permission::Write, stage.now()).unwrap();
    assert_eq!(access.token_id(), answer.request_id, "the token leads to its exchange");
    assert_eq!(access.publisher(), format!("publisher:{publisher}"));
    assert_eq!(access.run().sub, "repo:acme/train:ref:refs/heads/main");
    // J1: not for any other resource. And it ends.
    for other in ["acme/other", "datasets/acme/awesome-model", "acme"] {
        assert!(verifier.verify(&token, &other.parse().unwrap(), Permission::Read, stage.now()).is_err());
    }
    assert!(
        verifier
            .verify(&token, &resource, Permission::Write, stage.now() + Duration::from_secs(3631))
            .is_err()
    );

    let recorded = stage.recorded(&answer).await;
    assert_eq!(recorded.outcome, "issued");
    assert_eq!(recorded.detail["claims"]["run_id"], stage.claims()["run_id"]);
    let listed = stage.publishers().await.remove(0);
    assert_eq!((listed.exchanges, listed.last_used_at), (1, Some(stage.now())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_gets_a_token_that_only_reads() {
    let stage = Stage::new().await;
    stage.trust("julien").await;
    let answer = stage.exchange(&stage.token(), "julien").await;
    let token = AccessToken::from(answer.body["access_token"].as_str().unwrap().to_owned());
    assert!(token.expose().starts_with("hf_oauth_eyJ"));
    let resource = "julien".parse().unwrap();
    let access = verifier(&stage).verify(&token, &resource, Permission::Read, stage.now()).unwrap();
    assert_eq!(access.subject(), "julien");
    assert!(verifier(&stage).verify(&token, &resource, Permission::Write, stage.now()).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_clients_other_spellings() {
    let stage = Stage::new().await;
    stage.trust("datasets/acme/x").await;
    stage.trust("pkg:pypi/acme-lib").await;
    let absolute = format!("{}/datasets/acme/x", stage.url);
    for resource in ["datasets/acme/x", absolute.as_str(), "pkg:pypi/Acme_Lib"] {
        assert_eq!(stage.exchange(&stage.token(), resource).await.status, 200, "{resource}");
    }
    // google-auth: a form, `jwt`, and the target in `audience`.
    let form = |token: &str| {
        format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&audience=datasets/acme/x&subject_token={token}\
             &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt\
             &requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
             &scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform"
        )
    };
    let answer = stage.post("application/x-www-form-urlencoded; charset=utf-8", form(&stage.token())).await;
    assert_eq!(
        (answer.status, &answer.body["scope"]),
        (200, &json!("read write")),
        "i11: another scope than asked for is told"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn i11_a_narrower_scope_narrows_the_token() {
    let stage = Stage::new().await;
    stage.trust("acme/awesome-model").await;
    let mut parameters = crate::stage::exchange_parameters(&stage.token(), "acme/awesome-model");
    parameters["scope"] = json!("read");
    let answer = stage.post_json(&parameters).await;
    assert_eq!(answer.body["scope"], "read");
    let token = AccessToken::from(answer.body["access_token"].as_str().unwrap().to_owned());
    let resource = "acme/awesome-model".parse().unwrap();
    assert!(verifier(&stage).verify(&token, &resource, Permission::Read, stage.now()).is_ok());
    assert!(verifier(&stage).verify(&token, &resource, Permission::Write, stage.now()).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn d11_tokens_may_end_with_the_id_token() {
    let stage = Stage::with("[tokens]\nend_with_id_token = true\nprefix = \"acme_jwt_\"").await;
    stage.trust("acme/awesome-model").await;
    let answer = stage.exchange(&stage.token(), "acme/awesome-model").await;
    assert_eq!(answer.body["expires_in"], 300);
    assert!(answer.body["access_token"].as_str().unwrap().starts_with("acme_jwt_eyJ"));
    let token = stage.token();
    stage.clock.set(stage.now() + Duration::from_mins(5));
    stage.refused(&token, "acme/awesome-model", "expired", "mint another id token").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gitlab_jobs_too() {
    let stage = Stage::new().await;
    let gitlab = stage.simulator.gitlab();
    let conditions = [("project", "acme/train"), ("ref", "main"), ("workflow", ".gitlab-ci.yml")];
    stage.trust_with("acme/awesome-model", Provider::Gitlab, gitlab.issuer(), &conditions).await;
    let mut claims = gitlab.claims(stage.now());
    claims.insert("aud".to_owned(), stage.url.as_str().into());
    // E1: one id token serves all commands of a job.
    let token = gitlab.sign(&claims);
    for _ in 0..10 {
        assert_eq!(stage.exchange(&token, "acme/awesome-model").await.status, 200);
    }
    let answer = stage.exchange(&token, "acme/awesome-model").await;
    assert!(answer.body["error_description"].as_str().unwrap().contains("(10 allowed)"), "{answer:?}");
    let pins = stage.publishers().await.remove(0).publisher.unwrap();
    assert!(pins.rules.pins().eq([("namespace_id", Some("72")), ("project_id", Some("20"))]));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_and_keys_are_where_clients_look() {
    let stage = Stage::new().await;
    let fetch = async |path: &str| -> serde_json::Value {
        let response = stage.http.get(format!("{}{path}", stage.url)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    };
    let server = fetch("/.well-known/oauth-authorization-server").await;
    assert_eq!(server["issuer"], stage.url.as_str());
    assert_eq!(server["token_endpoint"], format!("{}/oauth/token", stage.url));
    let openid = fetch("/.well-known/openid-configuration").await;
    for (name, value) in server.as_object().unwrap() {
        assert_eq!(&openid[name], value);
    }
    let keys = fetch("/.well-known/jwks.json").await;
    assert_eq!(keys["keys"][0]["alg"], "ES256");
    assert!(keys["keys"][0].get("d").is_none());
    for path in ["/healthz", "/readyz"] {
        assert_eq!(stage.http.get(format!("{}{path}", stage.url)).send().await.unwrap().status(), 200);
    }
    assert_eq!(stage.http.get(format!("{}/nothing", stage.url)).send().await.unwrap().status(), 404);
}
