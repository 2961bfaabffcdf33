//! The decision against every hostile run of the threat table's parts F, G and H. Each test changes one thing in a run
//! that would be let in.

use serde_json::{Map, Value, json};

use super::*;
use crate::access_token::Permission;
use crate::claims::{Claims, Scalar};
use crate::provider::Provider;
use crate::publisher::{InvalidRules, PublisherState, RawRules, Revision, Rules};
use crate::time::UnixTime;
use crate::verified::ReplayKey;

mod bitbucket;
mod buildkite;
mod circleci;
mod depot;
mod explanation;
mod forgejo;
mod github;
mod gitlab;
mod matching;
mod others;
mod tenants;

/// A run and a publisher that lets it in; tests change one of the two.
#[derive(Clone)]
struct Case {
    claims: Map<String, Value>,
    rules: RawRules,
    state: PublisherState,
}

const ID: &str = "01890000-0000-7000-8000-000000000001";

impl Case {
    fn new(provider: Provider, issuer: &str, conditions: &[(&str, &str)], claims: Value) -> Self {
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        let conditions = conditions.iter().map(|(name, value)| ((*name).to_owned(), vec![text(value)]));
        let rules = RawRules {
            issuer: issuer.parse().unwrap(),
            provider,
            conditions: conditions.collect(),
            pins: [].into(),
            allowed_events: [].into(),
        };
        Self { claims, rules, state: PublisherState::Enabled }
    }

    fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    fn without(mut self, name: &str) -> Self {
        assert!(self.claims.remove(name).is_some(), "{name} was there");
        self
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.rules.conditions.insert(name.to_owned(), vec![text(value)]);
        self
    }

    fn unset(mut self, name: &str) -> Self {
        assert!(self.rules.conditions.remove(name).is_some(), "{name} was set");
        self
    }

    fn pin(mut self, claim: &str, id: &str) -> Self {
        self.rules.pins.insert(claim.to_owned(), Some(id.to_owned()));
        self
    }

    fn allow(mut self, event: &str) -> Self {
        self.rules.allowed_events.insert(event.to_owned());
        self
    }

    fn rules(&self) -> Result<Rules, InvalidRules> {
        Rules::try_from(self.rules.clone())
    }

    fn publisher(&self) -> Publisher {
        publisher(ID, self.rules().unwrap(), self.state)
    }

    fn token(&self) -> VerifiedToken {
        token(self.rules.issuer.as_str(), self.claims.clone())
    }

    /// What is decided without words has to be what the words say.
    #[track_caller]
    fn decide(&self) -> Result<Grant, Refusal> {
        let (publishers, token) = ([self.publisher()], self.token());
        let explanation = explain(&resource(), &publishers, token.statement());
        let is_fine = explanation.publishers().iter().any(|report| report.failures().next().is_none());
        let decided = decide(&resource(), &publishers, &token);
        assert_eq!(decided.is_ok(), is_fine);
        decided
    }

    #[track_caller]
    fn granted(&self) -> Grant {
        self.decide().unwrap_or_else(|refusal| panic!("refused: {}", refusal.for_owner()))
    }

    /// Checks that the run is refused, and that the owner reads `reason` among the reasons.
    #[track_caller]
    fn refused(&self, reason: &str) {
        match self.decide() {
            Ok(_) => panic!("granted"),
            Err(refusal) => assert!(refusal.for_owner().contains(reason), "{}", refusal.for_owner()),
        }
    }

    /// Checks that such a publisher cannot be made, and what its maker reads.
    #[track_caller]
    fn not_saved(&self, reason: &str) {
        let error = self.rules().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

fn resource() -> Resource {
    "acme/awesome-model".parse().unwrap()
}

fn publisher(id: &str, rules: Rules, state: PublisherState) -> Publisher {
    Publisher {
        id: id.parse().unwrap(),
        resource: resource(),
        rules,
        permission: Permission::Write,
        state,
        revision: Revision(1),
    }
}

fn token(issuer: &str, claims: Map<String, Value>) -> VerifiedToken {
    VerifiedToken::vouched_by_signature(
        issuer.parse().unwrap(),
        "whatever the provider's template says".to_owned(),
        UnixTime::from_seconds(2_000_000_000),
        ReplayKey::from_jti("1"),
        Claims::new(claims),
    )
}

fn github() -> Case {
    let claims = json!({
        "jti": "1", "aud": "https://hub.example.com", "sub": "repo:acme/train:ref:refs/heads/main",
        "repository": "acme/train", "repository_id": "74", "repository_owner": "acme", "repository_owner_id": "65",
        "ref": "refs/heads/main", "ref_type": "branch", "event_name": "push", "sha": "0123", "run_id": "9", "run_attempt": "1",
        "workflow": "Publish", "workflow_ref": "acme/train/.github/workflows/publish.yml@refs/heads/main",
        "job_workflow_ref": "acme/train/.github/workflows/publish.yml@refs/heads/main",
        "runner_environment": "github-hosted", "head_ref": "", "base_ref": "",
    });
    let conditions = [("repository", "acme/train"), ("branch", "main"), ("workflow", "publish.yml")];
    Case::new(Provider::Github, "https://token.actions.githubusercontent.com", &conditions, claims)
}

fn gitlab() -> Case {
    let claims = json!({
        "jti": "1", "aud": "https://hub.example.com", "sub": "project_path:acme/train:ref_type:branch:ref:main",
        "project_path": "acme/train", "project_id": "20", "namespace_path": "acme", "namespace_id": "72",
        "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true",
        "pipeline_source": "push", "pipeline_id": "1", "job_id": "2", "runner_id": 1, "sha": "0123",
        "ci_config_ref_uri": "gitlab.com/acme/train//.gitlab-ci.yml@refs/heads/main",
    });
    let conditions = [("project", "acme/train"), ("ref", "main"), ("workflow", ".gitlab-ci.yml")];
    Case::new(Provider::Gitlab, "https://gitlab.com", &conditions, claims)
}

fn generic() -> Case {
    let claims = json!({ "sub": "job:7", "team": "ml", "nested": { "a.b": { "c/d": "x" } }, "flag": true, "number": 12 });
    Case::new(Provider::Generic, "https://ci.example.com", &[("/team", "ml")], claims)
}
