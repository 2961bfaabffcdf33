//! A running server with a pretend GitHub and GitLab beside it, on a clock that only tests move.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_core::publisher::{PublisherId, PublisherState, RawRules, Revision};
use countersign_core::token_exchange::{GRANT_TYPE, token_type};
use countersign_core::{IssuerUrl, Provider, Publisher, Rules, Scalar, UnixTime};
use countersign_server::clock::{Clock, SystemRandomness, fresh_id};
use countersign_server::config::Config;
use countersign_server::http::App;
use countersign_server::serve::{Server, Surroundings};
use countersign_server::store::{
    Actor, Author, Conflict, ExchangeFilter, ExchangeId, ListedPublisher, Page, PublisherChange,
    PublisherFilter, RecordedExchange,
};
use countersign_simulator::Simulator;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

pub(crate) type Claims = Map<String, Value>;

pub(crate) struct Stage {
    pub(crate) simulator: Simulator,
    pub(crate) url: String,
    pub(crate) metrics: Option<String>,
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) folder: TempDir,
    pub(crate) http: reqwest::Client,
}

/// What a request came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) request_id: String,
}

pub(crate) struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn since_epoch(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl TestClock {
    pub(crate) fn set(&self, time: UnixTime) {
        self.0.store(u64::try_from(time.as_seconds()).unwrap() * 1000, Ordering::SeqCst);
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// Starts with more configuration (keys before the issuers).
    pub(crate) async fn with(configuration: &str) -> Self {
        Self::with_both(configuration, "").await
    }

    /// The same, and something for the issuer of the pretend GitLab.
    pub(crate) async fn with_both(configuration: &str, gitlab: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulator = Simulator::start().await.unwrap();
        let clock = Arc::new(TestClock(AtomicU64::new(1_800_000_000_000)));
        let text = format!("{}{gitlab}\n", configuration_text(configuration, &simulator));
        let (url, app, metrics) = start(&text, folder.path(), Arc::clone(&clock)).await;
        Self { simulator, url, metrics, app, clock, folder, http: client() }
    }

    /// A second server over the same database and issuers.
    pub(crate) async fn second_node(&self) -> String {
        let text = configuration_text(&format!("public_url = {:?}", self.url), &self.simulator);
        start(&text, self.folder.path(), Arc::clone(&self.clock)).await.0
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// The claims of a good run on GitHub, for us.
    pub(crate) fn claims(&self) -> Claims {
        let mut claims = self.simulator.github().claims(self.now());
        claims.insert("aud".to_owned(), self.url.as_str().into());
        claims
    }

    pub(crate) fn token(&self) -> String {
        self.sign(&self.claims())
    }

    pub(crate) fn sign(&self, claims: &Claims) -> String {
        self.simulator.github().sign(claims)
    }

    /// The token of a good run in which one claim is another.
    pub(crate) fn token_with(&self, claim: &str, value: impl Into<Value>) -> String {
        let mut claims = self.claims();
        claims.insert(claim.to_owned(), value.into());
        self.sign(&claims)
    }

    /// Trusts the good run on GitHub for a resource.
    pub(crate) async fn trust(&self, resource: &str) -> PublisherId {
        let conditions = [("repository", "acme/train"), ("branch", "main"), ("workflow", "publish.yml")];
        self.trust_with(resource, Provider::Github, self.simulator.github().issuer(), &conditions).await
    }

    pub(crate) async fn trust_with(
        &self,
        resource: &str,
        provider: Provider,
        issuer: &IssuerUrl,
        conditions: &[(&str, &str)],
    ) -> PublisherId {
        let conditions = conditions
            .iter()
            .map(|(name, value)| ((*name).to_owned(), vec![Scalar::Text((*value).to_owned())]));
        let rules = RawRules {
            issuer: issuer.clone(),
            provider,
            conditions: conditions.collect(),
            pins: [].into(),
            allowed_events: [].into(),
        };
        let resource: countersign_core::Resource = resource.parse().unwrap();
        let publisher = Publisher {
            id: fresh_id(&*self.clock, &SystemRandomness).parse().unwrap(),
            permission: resource.highest_permission(),
            resource,
            rules: Rules::try_from(rules).unwrap(),
            state: PublisherState::Enabled,
            revision: Revision(1),
        };
        let id = publisher.id.clone();
        self.change(PublisherChange::Add { publisher: Box::new(publisher), pending_until: None })
            .await
            .unwrap();
        id
    }

    /// Whoever changes something on this stage.
    pub(crate) fn author(&self) -> Author {
        let request = ExchangeId(fresh_id(&*self.clock, &SystemRandomness));
        Author { actor: Actor::Command, at: self.now(), request }
    }

    /// Makes one change of the publishers.
    pub(crate) async fn change(&self, change: PublisherChange) -> Result<Vec<ListedPublisher>, Conflict> {
        self.app.exchange.store.change_publishers(vec![change], &self.author(), None).await.unwrap()
    }

    pub(crate) async fn remove(&self, id: &PublisherId) {
        self.change(PublisherChange::Remove { id: id.clone(), expected: None }).await.unwrap();
    }

    /// All publishers, oldest first.
    pub(crate) async fn publishers(&self) -> Vec<ListedPublisher> {
        let (filter, page) = (PublisherFilter::default(), Page::first(100));
        self.app.exchange.store.publishers(&filter, &page).await.unwrap().entries
    }

    /// Exchanges as the Hub's client does.
    pub(crate) async fn exchange(&self, token: &str, resource: &str) -> Answer {
        self.post_json(&exchange_parameters(token, resource)).await
    }

    pub(crate) async fn post_json(&self, body: &Value) -> Answer {
        self.post("application/json", body.to_string()).await
    }

    pub(crate) async fn post(&self, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        post_to(&self.http, &self.url, content_type, body).await
    }

    /// Checks that an exchange is refused in the same words through JSON and through a form, issues nothing, leaves the id
    /// token unused, and is on record with its reason.
    #[track_caller]
    pub(crate) fn refused<'a>(
        &'a self,
        token: &'a str,
        resource: &'a str,
        code: &'a str,
        words: &'a str,
    ) -> impl Future<Output = Answer> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.exchange(token, resource).await;
            assert_eq!(answer.status, 400, "{caller}: {answer:?}");
            assert_eq!(answer.body["error"], "invalid_grant", "{caller}: {answer:?}");
            let description = answer.body["error_description"].as_str().unwrap();
            assert!(description.contains(words), "{caller}: {description}");
            let recorded = self.recorded(&answer).await;
            assert_eq!((recorded.outcome.as_str(), recorded.publisher), (code, None), "{caller}");
            let parameters = exchange_parameters(token, resource);
            let parameters =
                parameters.as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap()));
            let form = form_urlencoded_body(parameters);
            let through_form = self.post("application/x-www-form-urlencoded", form).await;
            assert_eq!((through_form.status, &through_form.body), (answer.status, &answer.body), "{caller}");
            answer
        }
    }

    /// The record of an answer.
    pub(crate) async fn recorded(&self, answer: &Answer) -> RecordedExchange {
        let recorded =
            self.latest(10_000).await.into_iter().find(|exchange| exchange.id.0 == answer.request_id);
        recorded.unwrap_or_else(|| panic!("{answer:?} is not on record"))
    }

    pub(crate) async fn latest(&self, limit: u32) -> Vec<RecordedExchange> {
        self.app
            .exchange
            .store
            .exchanges(&ExchangeFilter::default(), &Page::first(limit))
            .await
            .unwrap()
            .entries
    }

    /// How many tokens the ledger says were issued.
    pub(crate) async fn issued(&self) -> usize {
        self.latest(100_000).await.iter().filter(|exchange| exchange.outcome == "issued").count()
    }
}

pub(crate) async fn post_to(
    http: &reqwest::Client,
    url: &str,
    content_type: &str,
    body: impl Into<reqwest::Body>,
) -> Answer {
    let request = http.post(format!("{url}/oauth/token")).header("content-type", content_type).body(body);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(response.headers()["cache-control"], "no-store", "i12");
    let text = response.text().await.unwrap();
    Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)), request_id }
}

pub(crate) fn exchange_parameters(token: &str, resource: &str) -> Value {
    json!({
        "grant_type": GRANT_TYPE,
        "subject_token_type": token_type::ID_TOKEN,
        "subject_token": token,
        "resource": resource,
    })
}

pub(crate) fn form_urlencoded_body<'a>(parameters: impl Iterator<Item = (&'a String, &'a str)>) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect()
    };
    parameters.map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn configuration_text(more: &str, simulator: &Simulator) -> String {
    let (github, gitlab) = (simulator.github().issuer(), simulator.gitlab().issuer());
    format!(
        "listen = \"127.0.0.1:0\"\n{more}\n[[issuers]]\nurl = \"{github}\"\npreset = \"github\"\n\
         [[issuers]]\nurl = \"{gitlab}\"\npreset = \"gitlab\"\n"
    )
}

async fn start(
    configuration: &str,
    folder: &Path,
    clock: Arc<TestClock>,
) -> (String, Arc<App>, Option<String>) {
    let config = Config::parse(configuration, &folder.join("countersign.toml")).unwrap();
    let randomness = Arc::new(SystemRandomness);
    let surroundings = Surroundings { clock, randomness, encryption_key: None, idleness: None };
    let server = Server::prepare(config, surroundings).await.unwrap();
    let url = format!("http://{}", server.address().unwrap());
    let app = Arc::clone(server.app());
    let metrics = server.metrics_address().map(|address| format!("http://{}/metrics", address.unwrap()));
    tokio::spawn(server.run());
    (url, app, metrics)
}
