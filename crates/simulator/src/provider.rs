//! What the pretend providers have in common.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use axum::Router;
use countersign_core::{IssuerUrl, Provider as Preset, UnixTime};
use serde_json::{Map, Value};

use crate::clock::Clock;
use crate::jobs::Jobs;
use crate::keys::{KeyRing, OldKey};
use crate::overrides::Overrides;
use crate::random;

/// One provider's own part: which claims its tokens carry, and what its jobs see.
pub trait Platform: Send + Sync + Sized + 'static {
    /// What servers know of it; its name is the path segment of the issuer.
    const PRESET: Preset;
    /// Where the key set is, below the issuer.
    const KEY_SET: &'static str;

    /// A JSON object of all claims but `aud`, which is known when the token is minted. Overrides are considered in what
    /// depends on them; they are themselves put over the result.
    fn claims(run: &Run<'_>) -> Value;

    /// How `aud` is written.
    fn audience(audience: &str) -> Value {
        audience.into()
    }

    /// Starts a job: the environment variables that its steps see. `audience` is what its definition or the settings of the
    /// provider say, where they say it.
    fn environment(provider: &Provider<Self>, overrides: &Overrides, audience: &str)
    -> Vec<(String, String)>;

    /// What it serves beside discovery and key set.
    fn routes(_provider: Arc<Provider<Self>>) -> Router {
        Router::new()
    }
}

/// What the claims of one token depend on.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The issuer of the token.
    pub issuer: &'a IssuerUrl,
    /// When it is minted.
    pub now: UnixTime,
    /// Its `jti`.
    pub token_id: &'a str,
    /// What is different from the usual run.
    pub overrides: &'a Overrides,
}

/// A pretend CI provider: its issuer, its keys and its jobs.
pub struct Provider<P> {
    platform: PhantomData<P>,
    issuer: IssuerUrl,
    /// Those that mint over HTTP.
    pub(crate) jobs: Jobs,
    /// Made when first needed: a test that plays one provider should not wait for another's key.
    keys: LazyLock<KeyRing>,
    clock: Clock,
    key_set_requests: AtomicUsize,
}

impl<P: Platform> Provider<P> {
    pub(crate) fn new(issuer: IssuerUrl, clock: Clock) -> Self {
        Self {
            platform: PhantomData,
            issuer,
            jobs: Jobs::default(),
            keys: LazyLock::new(KeyRing::new),
            clock,
            key_set_requests: AtomicUsize::new(0),
        }
    }

    /// The issuer URL: what `iss` is, and where discovery starts.
    pub fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    /// All claims of a run of `acme/train` on `main`, with a fresh `jti`; without `aud`.
    pub fn claims(&self, now: UnixTime) -> Map<String, Value> {
        self.claims_of(&Overrides::new(), now)
    }

    /// The same of a run that differs.
    pub fn claims_of(&self, overrides: &Overrides, now: UnixTime) -> Map<String, Value> {
        let run = Run { issuer: &self.issuer, now, token_id: &random::id(), overrides };
        let mut claims = match P::claims(&run) {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        overrides.apply(&mut claims);
        claims
    }

    /// Signs whatever the claims are. A key is never refused: tests need bad tokens too.
    pub fn sign(&self, claims: &Map<String, Value>) -> String {
        self.keys.sign(claims)
    }

    /// Signs with a key that is not in the key set, under the `kid` of one that is.
    pub fn forge(&self, claims: &Map<String, Value>) -> String {
        self.keys.forge(claims)
    }

    /// Mints an id token as of now, each time a new one. An overridden `aud` has its way.
    pub fn mint(&self, overrides: &Overrides, audience: &str) -> String {
        let mut claims = self.claims_of(overrides, self.now());
        claims.entry("aud").or_insert_with(|| P::audience(audience));
        self.sign(&claims)
    }

    /// Signs with a new key from now on.
    pub fn rotate_key(&self, old: OldKey) {
        self.keys.rotate(old);
    }

    /// How often the key set was asked for: for tests of caches.
    pub fn key_set_requests(&self) -> usize {
        self.key_set_requests.load(Ordering::Relaxed)
    }

    pub(crate) fn now(&self) -> UnixTime {
        (self.clock)()
    }

    /// Answers a request for the key set.
    pub(crate) fn serve_key_set(&self) -> Value {
        self.key_set_requests.fetch_add(1, Ordering::Relaxed);
        self.keys.set()
    }
}

/// Environment variables, from what is at hand.
pub(crate) fn variables<const COUNT: usize>(pairs: [(&str, &str); COUNT]) -> Vec<(String, String)> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}
