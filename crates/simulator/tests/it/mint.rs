//! The endpoint that mints id tokens in a GitHub job.

use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::{Provider, UnixTime};
use countersign_simulator::{Overrides, Simulator};
use serde_json::{Value, json};

use crate::{jwt, wire};

const NOW: i64 = 1_800_000_000;

async fn simulator() -> Simulator {
    Simulator::listen(0, Arc::new(|| UnixTime::from_seconds(NOW))).await.unwrap()
}

fn job(simulator: &Simulator) -> (String, String) {
    let overrides = Overrides::new().set("repository", "octo/other");
    let mut variables: HashMap<_, _> = simulator.github().job(&overrides).into_iter().collect();
    assert_eq!(variables["GITHUB_ACTIONS"], "true");
    assert_eq!(variables["GITHUB_REPOSITORY_OWNER"], "octo");
    assert_eq!(variables["GITHUB_REF_NAME"], "main");
    let mut take = |name: &str| variables.remove(name).unwrap();
    (take("ACTIONS_ID_TOKEN_REQUEST_URL"), take("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
}

#[tokio::test]
async fn each_request_mints_anew_for_the_audience_asked() {
    let simulator = simulator().await;
    let (url, token) = job(&simulator);
    let mut ids = Vec::new();
    for (url, scheme, audience) in [
        (format!("{url}&audience=https%3A%2F%2Ftrust.example.com"), "Bearer", "https://trust.example.com"),
        (format!("{url}&audience=https://trust.example.com"), "bearer", "https://trust.example.com"),
        (url.clone(), "Bearer", "https://github.com/octo"),
        // The Hub's own client replaces the query instead of appending to it.
        (
            url.replace("?api-version=2.0", "?audience=http%3A%2F%2F127.0.0.1%3A80"),
            "Bearer",
            "http://127.0.0.1:80",
        ),
    ] {
        let (status, answer) = wire::get(&url, Some(&format!("{scheme} {token}"))).await;
        assert_eq!((status, &answer["count"]), (200, &1.into()), "{url}");
        let claims = jwt::claims(answer["value"].as_str().unwrap());
        assert_eq!(claims["aud"], audience);
        assert_eq!(claims["repository"], "octo/other");
        assert_eq!(claims["iat"], NOW);
        assert_eq!(claims["nbf"], NOW - 600);
        assert_eq!(claims["exp"], NOW + 300);
        ids.push(claims["jti"].to_string());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "a token id came twice");
}

#[tokio::test]
async fn only_the_jobs_own_bearer_token_mints() {
    let simulator = simulator().await;
    let (url, token) = job(&simulator);
    let (_, other) = job(&simulator);
    for authorization in [
        None,
        Some("Bearer "),
        Some(&*token),
        Some(&format!("Basic {token}")),
        Some(&format!("Bearer {other}")),
    ] {
        let (status, answer) = wire::get(&url, authorization).await;
        assert_eq!(status, 401, "{authorization:?}");
        assert!(answer["message"].as_str().unwrap().contains("ACTIONS_ID_TOKEN_REQUEST_TOKEN"));
    }
    let unknown = url.replace("/jobs/", "/jobs/x");
    assert_eq!(wire::get(&unknown, Some(&format!("Bearer {token}"))).await.0, 401);
}

/// The variables of a job of that provider.
fn job_of(simulator: &Simulator, provider: Provider) -> HashMap<String, String> {
    simulator.provider(provider).unwrap().job(&Overrides::new(), "unasked").into_iter().collect()
}

#[tokio::test]
async fn those_who_keep_githubs_contract_mint_in_the_same_way() {
    let simulator = simulator().await;
    for (provider, audience) in [
        (Provider::Forgejo, json!("https://trust.example.com")),
        (Provider::Gitea, json!(["https://trust.example.com"])),
        (Provider::Depot, json!(["https://trust.example.com"])),
    ] {
        let job = job_of(&simulator, provider);
        let url = format!("{}&audience=https://trust.example.com", job["ACTIONS_ID_TOKEN_REQUEST_URL"]);
        let bearer = format!("Bearer {}", job["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]);
        let (status, answer) = wire::get(&url, Some(&bearer)).await;
        assert_eq!(status, 200);
        let claims = jwt::claims(answer["value"].as_str().unwrap());
        assert_eq!(
            (&claims["aud"], &claims["iss"]),
            (&audience, &json!(simulator.provider(provider).unwrap().issuer()))
        );
    }
}

#[tokio::test]
async fn buildkites_ids_come_only_if_asked_for() {
    let simulator = simulator().await;
    let job = job_of(&simulator, Provider::Buildkite);
    let url = format!("{}/jobs/{}/oidc/tokens", job["BUILDKITE_AGENT_ENDPOINT"], job["BUILDKITE_JOB_ID"]);
    let credential = format!("Token {}", job["BUILDKITE_AGENT_ACCESS_TOKEN"]);
    let (status, answer) = wire::post(&url, Some(&credential), &json!({})).await;
    assert_eq!(status, 200);
    let claims = jwt::claims(answer["token"].as_str().unwrap());
    assert_eq!(
        (&claims["aud"], &claims["pipeline_id"]),
        (&json!("https://buildkite.com/acme"), &json!(null))
    );
    let asked =
        json!({ "audience": "https://trust.example.com", "claims": ["organization_id", "pipeline_id"] });
    let (_, answer) = wire::post(&url, Some(&credential), &asked).await;
    let claims = jwt::claims(answer["token"].as_str().unwrap());
    assert_eq!(claims["aud"], "https://trust.example.com");
    assert!(claims["organization_id"].is_string() && claims["pipeline_id"].is_string());
    assert_eq!(wire::post(&url, Some("Token x"), &asked).await.0, 401);
}

/// Mints by the variables of the job, then without what the request has to show.
async fn check(
    provider: Provider,
    url: &str,
    member: &str,
    header: (&str, &str),
    body: Option<Value>,
    audience: &str,
) {
    let simulator = simulator().await;
    let job = job_of(&simulator, provider);
    let fill = |text: &str| {
        job.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
    };
    let (url, header) = (fill(url), format!("{}: {}", header.0, fill(header.1)));
    let (status, answer) = wire::ask(&url, &header, body.as_ref()).await;
    assert_eq!(status, 200, "{provider}: {answer}");
    let token = if member.is_empty() { answer.as_str() } else { answer[member].as_str() };
    let claims = jwt::claims(token.unwrap());
    assert_eq!(
        (&claims["aud"], &claims["iss"]),
        (&json!(audience), &json!(simulator.provider(provider).unwrap().issuer()))
    );
    let (status, _) = wire::ask(&url, "x-nothing: to-show", body.as_ref()).await;
    assert!(matches!(status, 401 | 403), "{provider}: {status}");
}

#[tokio::test]
async fn each_service_wants_its_own_credential() {
    const HUB: &str = "https://hub.example.com";
    let fixed = "api://AzureADTokenExchange";
    let bearer = ("authorization", "Bearer $SYSTEM_ACCESSTOKEN");
    let url = "$SYSTEM_OIDCREQUESTURI?api-version=7.1";
    check(Provider::AzureDevops, url, "oidcToken", bearer, Some(json!({})), fixed).await;

    let bare = ("authorization", "$CF_OIDC_REQUEST_TOKEN");
    let url = "$CF_OIDC_REQUEST_URL?audience=https://hub.example.com";
    check(Provider::Codefresh, url, "id_token", bare, None, HUB).await;

    let own = ("build_api_token", "$BITRISE_BUILD_API_TOKEN");
    let body = json!({ "aud": HUB, "sub": "chosen" });
    check(Provider::Bitrise, "$BITRISE_BUILD_URL/id_token.json", "id_token", own, Some(body), HUB).await;

    let own = ("x-identity-header", "$IDENTITY_HEADER");
    let url = "$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://hub.example.com";
    check(Provider::Azure, url, "access_token", own, None, HUB).await;

    let own = ("metadata-flavor", "Google");
    let url = "http://$GCE_METADATA_HOST/computeMetadata/v1/instance/service-accounts/default/identity?audience=https://hub.example.com";
    check(Provider::Google, url, "", own, None, HUB).await;
}
