//! A pretend provider, whichever it is.

use countersign_core::{IssuerUrl, Provider as Preset, UnixTime};
use serde_json::{Map, Value};

use crate::overrides::Overrides;
use crate::provider::{Platform, Provider};

/// What all pretend providers can do; see [`Provider`], whose methods these are.
pub trait Pretended: Send + Sync {
    /// What servers know of the provider that is played.
    fn preset(&self) -> Preset;
    /// What `iss` is, and where discovery starts.
    fn issuer(&self) -> &IssuerUrl;
    /// All claims of a run but `aud`, with a fresh token id.
    fn claims_of(&self, overrides: &Overrides, now: UnixTime) -> Map<String, Value>;
    /// Signs whatever the claims are.
    fn sign(&self, claims: &Map<String, Value>) -> String;
    /// Mints an id token as of now.
    fn mint(&self, overrides: &Overrides, audience: &str) -> String;
    /// Starts a job: the environment variables that its steps see. Where the provider lets the job choose the audience
    /// when it mints, `audience` is not looked at; where it never changes, neither.
    fn job(&self, overrides: &Overrides, audience: &str) -> Vec<(String, String)>;
}

impl<P: Platform> Pretended for Provider<P> {
    fn preset(&self) -> Preset {
        P::PRESET
    }

    fn issuer(&self) -> &IssuerUrl {
        self.issuer()
    }

    fn claims_of(&self, overrides: &Overrides, now: UnixTime) -> Map<String, Value> {
        self.claims_of(overrides, now)
    }

    fn sign(&self, claims: &Map<String, Value>) -> String {
        self.sign(claims)
    }

    fn mint(&self, overrides: &Overrides, audience: &str) -> String {
        self.mint(overrides, audience)
    }

    fn job(&self, overrides: &Overrides, audience: &str) -> Vec<(String, String)> {
        P::environment(self, overrides, audience)
    }
}
