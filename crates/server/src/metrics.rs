//! Figures for Prometheus, in the OpenMetrics text format.
//!
//! Labels are bounded: outcomes and reasons are codes of this program, issuers are configured ones, routes are patterns.
//! Nothing that a request says becomes a label: neither repository nor subject, least of all a token (invariant 9).

use std::sync::Arc;
use std::time::Duration;

use countersign_verify::IssuerHealth;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

mod process;

use crate::limits::Limited;
use process::Process;

/// What is counted and measured. Gauges that are known elsewhere are read when somebody asks.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_seconds: Family<RouteLabel, Histogram, fn() -> Histogram>,
    exchanges: Family<Exchanged, Counter>,
    exchange_seconds: Family<Came, Histogram, fn() -> Histogram>,
    limited: Family<LimitedBy, Counter>,
    ledger_seconds: Histogram,
    ledger_waiting: Gauge,
    ledger_batch: Histogram,
    live_tokens: Family<Unlabelled, Gauge>,
    connections_refused: Counter,
    connections: Gauge,
    in_flight: Gauge,
    signing_key_age: Gauge,
    key_set_age: Family<OfIssuer, Gauge>,
    key_set_failures: Family<OfIssuer, Gauge>,
}

/// Figures that are known elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Levels {
    /// Open connections.
    pub connections: usize,
    /// Exchanges that are worked on.
    pub in_flight: usize,
    /// How long the key that signs now has been doing so.
    pub signing_key_age: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Exchanged {
    issuer: Arc<str>,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfIssuer {
    issuer: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Came {
    to: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitedBy {
    by: &'static str,
}

/// For a figure that is not there before it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Unlabelled {}

/// What an exchange came to.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    /// A token.
    Issued,
    /// A refusal, for which the id token or the publishers are to blame.
    Refused,
    /// Neither, for which the server, its store, an issuer or the load is to blame.
    Failed,
}

impl Ending {
    const fn code(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// From half a millisecond to sixteen seconds.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_5, 2.0, 16))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut all = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            exchanges: Family::default(),
            exchange_seconds: Family::new_with_constructor(seconds),
            limited: Family::default(),
            ledger_seconds: seconds(),
            ledger_waiting: Gauge::default(),
            ledger_batch: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
            live_tokens: Family::default(),
            connections_refused: Counter::default(),
            connections: Gauge::default(),
            in_flight: Gauge::default(),
            signing_key_age: Gauge::default(),
            key_set_age: Family::default(),
            key_set_failures: Family::default(),
        };
        all.register();
        all
    }
}

impl Metrics {
    fn register(&mut self) {
        self.registry.register_collector(Box::new(Process));
        let all = self.registry.sub_registry_with_prefix("countersign");
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        all.register("build", "What is running", version);
        all.register("http_requests", "Requests answered", self.requests.clone());
        all.register_with_unit(
            "http_request_duration",
            "From the head of a request to the head of its answer",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        all.register(
            "exchanges",
            "Exchanges by outcome: issued, or the code of the reason; the issuer is empty if it is not configured",
            self.exchanges.clone(),
        );
        all.register_with_unit(
            "exchange_duration",
            "Of whole exchanges, by what they came to",
            Unit::Seconds,
            self.exchange_seconds.clone(),
        );
        all.register("rate_limited", "Requests and exchanges answered 429", self.limited.clone());
        all.register_with_unit(
            "ledger_record_duration",
            "From an exchange's decision to its record on disk",
            Unit::Seconds,
            self.ledger_seconds.clone(),
        );
        all.register("ledger_waiting", "Exchanges that wait for their record", self.ledger_waiting.clone());
        all.register(
            "ledger_batch_exchanges",
            "Exchanges in one transaction of the ledger",
            self.ledger_batch.clone(),
        );
        all.register("live_tokens", "Tokens that are good, as last counted", self.live_tokens.clone());
        all.register(
            "connections_refused",
            "Connections closed for want of room",
            self.connections_refused.clone(),
        );
        all.register("connections", "Open connections", self.connections.clone());
        all.register("exchanges_in_flight", "Exchanges that are worked on", self.in_flight.clone());
        all.register_with_unit(
            "signing_key_age",
            "How long the signing key has signed",
            Unit::Seconds,
            self.signing_key_age.clone(),
        );
        all.register_with_unit(
            "key_set_age",
            "Since an issuer's keys were fetched; none for those that were not yet, or are in a file",
            Unit::Seconds,
            self.key_set_age.clone(),
        );
        all.register(
            "key_set_failures",
            "Fetches of an issuer's keys that failed since one succeeded",
            self.key_set_failures.clone(),
        );
    }

    /// Counts a request.
    pub(crate) fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        self.requests.get_or_create(&Request { method, route: route.to_owned(), status }).inc();
        self.request_seconds
            .get_or_create(&RouteLabel { route: route.to_owned() })
            .observe(took.as_secs_f64());
    }

    /// Counts an exchange of a configured issuer's token, or of none.
    pub(crate) fn exchanged(
        &self,
        issuer: Option<&Arc<str>>,
        outcome: &'static str,
        ending: Ending,
        took: Duration,
    ) {
        let issuer = issuer.map_or_else(|| Arc::from(""), Arc::clone);
        self.exchanges.get_or_create(&Exchanged { issuer, outcome }).inc();
        self.exchange_seconds.get_or_create(&Came { to: ending.code() }).observe(took.as_secs_f64());
    }

    /// Counts what was answered 429.
    pub(crate) fn limited(&self, by: Limited) {
        self.limited.get_or_create(&LimitedBy { by: by.code() }).inc();
    }

    /// Counts a connection that found no room.
    pub(crate) fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    /// Takes down how many exchanges a transaction of the ledger recorded.
    pub(crate) fn committed(&self, exchanges: usize) {
        self.ledger_batch.observe(u32::try_from(exchanges).unwrap_or(u32::MAX).into());
    }

    /// Takes down how many tokens are good.
    pub(crate) fn note_live_tokens(&self, count: u64) {
        self.live_tokens.get_or_create(&Unlabelled {}).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts an exchange among those that wait for their record, until it is dropped.
    pub(crate) fn recording(&self) -> Recording<'_> {
        self.ledger_waiting.inc();
        Recording { metrics: self, since: tokio::time::Instant::now() }
    }

    /// Takes down how the keys of all issuers are doing; those that were removed are forgotten.
    pub(crate) fn note_health<'a>(&self, issuers: impl Iterator<Item = (&'a Arc<str>, IssuerHealth)>) {
        self.key_set_age.clear();
        self.key_set_failures.clear();
        for (issuer, health) in issuers {
            let issuer = OfIssuer { issuer: Arc::clone(issuer) };
            if let Some(age) = health.key_set_age {
                let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
                self.key_set_age.get_or_create(&issuer).set(age);
            }
            self.key_set_failures.get_or_create(&issuer).set(health.failures.into());
        }
    }

    /// Everything, as Prometheus reads it.
    pub(crate) fn written(&self, levels: Levels) -> Result<String, std::fmt::Error> {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.connections.set(count(levels.connections));
        self.in_flight.set(count(levels.in_flight));
        self.signing_key_age.set(i64::try_from(levels.signing_key_age.as_secs()).unwrap_or(i64::MAX));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// An exchange that waits for its record.
#[derive(Debug)]
pub(crate) struct Recording<'a> {
    metrics: &'a Metrics,
    since: tokio::time::Instant,
}

impl Drop for Recording<'_> {
    /// Also if whoever asked has gone: that it waited so long is true.
    fn drop(&mut self) {
        self.metrics.ledger_waiting.dec();
        self.metrics.ledger_seconds.observe(self.since.elapsed().as_secs_f64());
    }
}
