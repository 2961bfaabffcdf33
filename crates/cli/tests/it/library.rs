//! The client library as a long-running program of a job uses it, against the real server.

use countersign_client::{Client, IdentityError, LoginError, Settings, TokenCache, system};
use countersign_core::Permission;
use countersign_simulator::Overrides;

use crate::registry::{RESOURCE, Registry};

/// The client in a job on GitHub, with some variables more or other ones.
fn client(registry: &Registry, more: &[(&str, &str)]) -> Client {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let endpoint = ("HF_ENDPOINT".to_owned(), registry.url.clone());
    let job = registry.simulator.github().job(&Overrides::new()).into_iter().chain([endpoint]).chain(more);
    Client::new(system::surroundings(job.collect()), Settings::default()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_exchange_serves_all_who_ask() {
    let registry = Registry::new().await;
    let cache =
        TokenCache::new(client(&registry, &[("HF_OIDC_RESOURCE", RESOURCE), ("HF_TOKEN", "hf_other")]));
    let tokens: Vec<_> = std::thread::scope(|scope| {
        let ask = || cache.resolve().unwrap().unwrap().token;
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(tokens.iter().all(|token| token.expose() == tokens[0].expose()));
    registry.verify(tokens[0].expose(), RESOURCE, Permission::Write).await;
    assert_eq!(registry.exchanges().await.len(), 1);
    cache.token(&"acme".parse().unwrap()).unwrap();
    assert_eq!(registry.exchanges().await.len(), 2, "each resource has a token of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mint_endpoint_wants_this_jobs_bearer_token() {
    let registry = Registry::new().await;
    let other = registry.simulator.github().job(&Overrides::new());
    let (_, others) = other.iter().find(|(name, _)| name == "ACTIONS_ID_TOKEN_REQUEST_TOKEN").unwrap();
    for bearer in [others.as_str(), "nonsense"] {
        let client = client(&registry, &[("ACTIONS_ID_TOKEN_REQUEST_TOKEN", bearer)]);
        let error = client.login(&RESOURCE.parse().unwrap()).unwrap_err();
        assert!(matches!(error, LoginError::Identity(IdentityError::Mint(_))), "{error:?}");
        assert!(error.to_string().contains("answered with status 401"), "{error}");
        assert!(!format!("{error:?}").contains(bearer));
    }
    assert!(registry.exchanges().await.is_empty(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_exchange_falls_back_to_nothing() {
    let registry = Registry::new().await;
    let client = client(&registry, &[("HF_OIDC_RESOURCE", "acme/unknown"), ("HF_TOKEN", "hf_other")]);
    let error = TokenCache::new(client).resolve().unwrap_err();
    insta::assert_snapshot!(error, @"HF_OIDC_RESOURCE asks for a token from the job's identity, and there is none");
    let id = registry.exchanges().await[0].id.to_string();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains(&id) && cause.contains("no trusted publisher of acme/unknown matches"), "{cause}");
}
