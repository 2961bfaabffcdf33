//! A registry with the real server, on real time, and a pretend GitHub and GitLab whose jobs publish there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::publisher::{PublisherState, RawRules, Revision};
use countersign_core::{AccessToken, IssuerUrl, Permission, Provider, Publisher, Resource, Rules, Scalar};
use countersign_server::admin::{NewAdminToken, Role};
use countersign_server::clock::{Clock as _, SystemClock, SystemRandomness, fresh_id};
use countersign_server::config::Config;
use countersign_server::http::App;
use countersign_server::serve::{Server, Surroundings};
use countersign_server::store::{
    Actor, Author, ExchangeFilter, ExchangeId, Page, PublisherChange, RecordedExchange,
};
use countersign_simulator::{Overrides, Simulator};
use countersign_verify::{AccessTokenError, AccessTokenVerifier, AuthorizedAccess};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

use crate::job::Job;

pub(crate) const RESOURCE: &str = "acme/model";
/// A configured issuer whose keys cannot be had.
pub(crate) const ISSUER_THAT_IS_DOWN: &str = "http://127.0.0.1:1";

pub(crate) struct Registry {
    /// Its public URL.
    pub(crate) url: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    pub(crate) simulator: Simulator,
    app: Arc<App>,
    /// Its configuration and its data.
    pub(crate) folder: TempDir,
}

impl Registry {
    /// Trusts the usual runs on GitHub and GitLab for a few resources.
    pub(crate) async fn new() -> Self {
        Self::configured("").await
    }

    /// The same with more tables in the server's configuration.
    pub(crate) async fn configured(more: &str) -> Self {
        Self::start("", more).await
    }

    /// The same where clients reach the server at this URL.
    pub(crate) async fn behind(public_url: &str) -> Self {
        Self::start(&format!("public_url = \"{public_url}\"\n"), "").await
    }

    async fn start(keys: &str, tables: &str) -> Self {
        let configuration = |simulator: &Simulator| {
            let (github, gitlab) = (simulator.github().issuer(), simulator.gitlab().issuer());
            format!(
                "{keys}[[issuers]]\nurl = \"{github}\"\npreset = \"github\"\n[[issuers]]\nurl = \"{gitlab}\"\npreset = \"gitlab\"\n\
                 [[issuers]]\nurl = \"{ISSUER_THAT_IS_DOWN}\"\npreset = \"generic\"\n{tables}"
            )
        };
        let registry = Self::serving(configuration).await;
        let (github, gitlab) =
            (registry.simulator.github().issuer().clone(), registry.simulator.gitlab().issuer().clone());
        for resource in [RESOURCE, "acme", "pkg:pypi/acme-lib", "pkg:cargo/acme-lib"] {
            let conditions = [("repository", "acme/train"), ("branch", "main"), ("workflow", "publish.yml")];
            let pins = [("repository_id", "74"), ("repository_owner_id", "65")];
            registry.trust(resource, Provider::Github, &github, &conditions, &pins).await;
        }
        registry.trust(RESOURCE, Provider::Gitlab, &gitlab, &[("project", "acme/train")], &[]).await;
        registry
    }

    /// Trusts nobody yet. The configuration may name the issuers of the simulator.
    pub(crate) async fn serving(configuration: impl FnOnce(&Simulator) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulator = Simulator::start().await.unwrap();
        let configuration = format!("listen = \"127.0.0.1:0\"\n{}", configuration(&simulator));
        let file = folder.path().join("countersign.toml");
        std::fs::write(&file, &configuration).unwrap();
        let config = Config::parse(&configuration, &file).unwrap();
        let (clock, randomness) = (Arc::new(SystemClock), Arc::new(SystemRandomness));
        let surroundings = Surroundings { clock, randomness, encryption_key: None, idleness: None };
        let server = Server::prepare(config, surroundings).await.unwrap();
        let registry = Self {
            url: server.public_url().to_string(),
            address: server.address().unwrap(),
            simulator,
            app: Arc::clone(server.app()),
            folder,
        };
        tokio::spawn(server.run());
        registry
    }

    /// Trusts the usual runs of another pretend GitHub.
    pub(crate) async fn trust_github(&self, resource: &str, issuer: &str) {
        let (conditions, pins) = ([("repository", "acme/train")], [("repository_id", "74")]);
        self.trust(resource, Provider::Github, &issuer.parse().unwrap(), &conditions, &pins).await;
    }

    pub(crate) async fn trust(
        &self,
        resource: &str,
        provider: Provider,
        issuer: &IssuerUrl,
        conditions: &[(&str, &str)],
        pins: &[(&str, &str)],
    ) {
        let resource: Resource = resource.parse().unwrap();
        let text = |value: &str| vec![Scalar::Text(value.to_owned())];
        let rules = RawRules {
            issuer: issuer.clone(),
            provider,
            conditions: conditions.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect(),
            pins: pins.iter().map(|(name, id)| ((*name).to_owned(), Some((*id).to_owned()))).collect(),
            allowed_events: [].into(),
        };
        let publisher = Publisher {
            id: fresh_id(&SystemClock, &SystemRandomness).parse().unwrap(),
            permission: resource.highest_permission(),
            resource,
            rules: Rules::try_from(rules).unwrap(),
            state: PublisherState::Enabled,
            revision: Revision(1),
        };
        let request = ExchangeId(fresh_id(&SystemClock, &SystemRandomness));
        let author = Author { actor: Actor::Command, at: SystemClock.now(), request };
        let add = PublisherChange::Add { publisher: Box::new(publisher), pending_until: None };
        self.app.exchange.store.change_publishers(vec![add], &author, None).await.unwrap().unwrap();
    }

    /// The secret of a new admin token.
    pub(crate) async fn admin(&self, role: Role, resources: &[&str]) -> String {
        let resources = resources.iter().map(|pattern| pattern.parse().unwrap()).collect();
        let new = NewAdminToken::new(role.to_string(), role, resources, Duration::from_hours(24)).unwrap();
        let (token, secret) = new.made(SystemClock.now(), &SystemRandomness);
        let request = ExchangeId(fresh_id(&SystemClock, &SystemRandomness));
        let author = Author { actor: Actor::Command, at: SystemClock.now(), request };
        self.app.exchange.store.add_admin_token(token, &author).await.unwrap();
        secret.expose_secret().to_owned()
    }

    /// A job on GitHub that may mint id tokens.
    pub(crate) fn github(&self, overrides: &Overrides) -> Job {
        Job::at(&self.url, self.simulator.github().job(overrides))
    }

    /// A job on GitLab with these (variable, audience) under `id_tokens`.
    pub(crate) fn gitlab(&self, id_tokens: &[(&str, &str)]) -> Job {
        Job::at(&self.url, self.simulator.gitlab().job(&Overrides::new(), id_tokens))
    }

    /// An id token of the usual run on GitHub, for this registry.
    pub(crate) fn id_token(&self, overrides: &Overrides) -> String {
        self.simulator.github().mint(overrides, &self.url)
    }

    /// The exchanges on record, newest first.
    pub(crate) async fn exchanges(&self) -> Vec<RecordedExchange> {
        self.app
            .exchange
            .store
            .exchanges(&ExchangeFilter::default(), &Page::first(100))
            .await
            .unwrap()
            .entries
    }

    /// Whether the token that was issued last is neither revoked nor withdrawn.
    pub(crate) async fn is_latest_token_live(&self) -> bool {
        let id = self.exchanges().await[0].id.clone();
        self.app.exchange.store.is_live(&id).await.unwrap()
    }

    /// Verifies an access token as a registry would.
    pub(crate) async fn verify(&self, token: &str, resource: &str, permission: Permission) {
        let access = self.verified(token, resource, permission);
        assert_eq!(access.token_id(), self.exchanges().await[0].id.to_string());
    }

    /// What a registry reads in an access token.
    pub(crate) fn verified(&self, token: &str, resource: &str, permission: Permission) -> AuthorizedAccess {
        self.judged(token, resource, permission).unwrap()
    }

    /// Whether a registry lets a request pass.
    pub(crate) fn permits(&self, token: &str, resource: &str, permission: Permission) -> bool {
        self.judged(token, resource, permission).is_ok()
    }

    fn judged(
        &self,
        token: &str,
        resource: &str,
        permission: Permission,
    ) -> Result<AuthorizedAccess, AccessTokenError> {
        let keys = serde_json::to_vec(self.app.exchange.signer.keys().jwks()).unwrap();
        let keys = AccessTokenVerifier::keys(&keys).unwrap();
        let own = &self.url;
        let verifier = AccessTokenVerifier::offline(own.parse().unwrap(), own.parse().unwrap(), keys);
        let (token, resource) = (AccessToken::from(token.to_owned()), resource.parse().unwrap());
        verifier.verify(&token, &resource, permission, SystemClock.now())
    }

    /// What a refused job wrote, without what changes from run to run: the id in it is that of the latest exchange.
    pub(crate) async fn refusal(&self, job: &Job, arguments: &[&str]) -> String {
        let shown = job.fail(arguments);
        let id = self.exchanges().await[0].id.to_string();
        assert!(shown.contains(&id), "{id} is not in {shown}");
        shown.replace(&id, "REQUEST").replace(self.simulator.github().issuer().as_str(), "GITHUB")
    }
}
