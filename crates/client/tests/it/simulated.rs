//! The real HTTP agent in a job of every provider that the simulator plays, and what the presets of servers read there.

use countersign_client::{Client, Identity, Settings, system};
use countersign_core::{Provider, ReplayKey, UnixTime, VerifiedToken};
use countersign_simulator::{Overrides, Pretended, Simulator};

const HUB: &str = "https://hub.example.com";

/// A job's identity. Calls block, so they are made beside the simulator's threads.
async fn identity(job: Vec<(String, String)>, audience: &str) -> Identity {
    let settings = Settings { audience: Some(audience.parse().unwrap()), ..Settings::default() };
    let client = Client::new(system::surroundings(job.into_iter().collect()), settings).unwrap();
    tokio::task::spawn_blocking(move || client.identify().unwrap()).await.unwrap()
}

/// What these ask is no HTTP server: their token is supplied.
const SUPPLIED: [Provider; 4] = [Provider::Fly, Provider::Kubernetes, Provider::Aws, Provider::Spiffe];

/// What tokens of this provider are for, whoever asks.
fn audience(played: &dyn Pretended) -> String {
    let fixed = [
        (Provider::AzureDevops, "api://AzureADTokenExchange"),
        (Provider::Semaphore, played.issuer().as_str()),
        (Provider::Spacelift, played.issuer().authority()),
        (Provider::Env0, "https://prod.env0.com"),
        (Provider::Modal, "oidc.modal.com"),
    ];
    let fixed = fixed.iter().find(|(provider, _)| *provider == played.preset());
    fixed.map_or(HUB, |(_, audience)| audience).to_owned()
}

/// Whom the client takes the job for. Depot is told from GitHub by an issuer that only the real one has.
fn recognised_as(provider: Provider) -> Option<&'static str> {
    let recognised = if provider == Provider::Depot { Provider::Github } else { provider };
    (!SUPPLIED.contains(&provider)).then(|| recognised.preset().name)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_provider_gives_a_token_whose_claims_its_preset_reads() {
    let simulator = Simulator::start().await.unwrap();
    for played in simulator.providers() {
        let (provider, audience) = (played.preset(), audience(played));
        let identity = identity(played.job(&Overrides::new(), &audience), &audience).await;
        let asked = identity.provider().map(countersign_client::AmbientProvider::name);
        assert_eq!(asked, recognised_as(provider), "{provider}");

        let claims = identity.claims().unwrap();
        assert_eq!(claims.issuer().as_ref(), Some(played.issuer()), "{provider}");
        let seconds = |name: &str| claims.claims().value(name).unwrap().as_u64().unwrap();
        let preset = provider.preset();
        assert!(seconds("exp") - seconds("iat") <= preset.defaults.max_lifetime.as_secs(), "{provider}");
        let token = VerifiedToken::vouched_by_signature(
            played.issuer().clone(),
            String::new(),
            UnixTime::from_seconds(0),
            ReplayKey::from_jti("1"),
            claims.claims().clone(),
        );
        for pin in preset.pins {
            assert!(
                pin.value_in(token.statement()).is_some_and(|id| (pin.is_id)(&id)),
                "{provider}: {}",
                pin.claim
            );
        }
        let values =
            preset.fields.iter().filter_map(|field| Some((field, field.value_in(token.statement())?)));
        let values: Vec<_> = values.collect();
        assert!(!values.is_empty() || provider == Provider::Bitrise, "{provider}");
        for (field, value) in values {
            assert_eq!((field.parse)(&value).as_deref(), Ok(&*value), "{provider}: {}", field.name);
        }
    }
}
