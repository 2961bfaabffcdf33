//! Traces for OpenTelemetry: a span for each request and for each step of an exchange.
//!
//! Off, they cost a comparison each: the level of their spans is below what the log takes. Their attributes are codes,
//! routes, configured issuers and the request's id, by which the log and the ledger have the rest (invariant 9); events of
//! the log are not part of them.

use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderName};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::field::Empty;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use crate::config::TracingSettings;
use crate::store::ExchangeId;

/// The target of all spans that are exported.
pub(crate) const TARGET: &str = "countersign_server::traces";

const SERVICE: &str = "countersign-server";
/// How long the collector may take for a batch. Spans wait for it in a bounded queue, and the newest are dropped when it is
/// full.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to a collector. Spans that wait are sent when it is shut down.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Makes ready to send to the collector, on the runtime that this is called on.
    pub fn to(settings: &TracingSettings) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            // As for issuers: the environment's proxies are not silently used (C9), and nothing is sent elsewhere.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}/v1/traces", settings.otlp_endpoint))
            .with_http_client(OnRuntime { runtime: Handle::current(), client })
            .build()
            .context("[tracing] no traces can be sent")?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder_empty().with_service_name(SERVICE).with_attribute(version).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            // What the caller says of sampling is not followed: anybody could have everything traced.
            .with_sampler(Sampler::TraceIdRatioBased(settings.sample_ratio))
            .with_batch_exporter(exporter)
            .build();
        Ok(Self(provider))
    }

    /// What takes the spans.
    pub fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> impl Layer<S> + use<S> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::TRACE))
    }

    /// Sends what waits, and ends.
    pub fn shut_down(&self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// The exporter has a thread of its own; the client needs the runtime.
#[derive(Debug)]
struct OnRuntime {
    runtime: Handle,
    client: reqwest::Client,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}

/// The span of a request, below the caller's if it says which that is (W3C Trace Context).
pub(crate) fn of_request(method: &str, route: &str, id: &ExchangeId, headers: &HeaderMap) -> Span {
    let span = tracing::trace_span!(
        target: TARGET,
        "request",
        otel.name = Empty,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        countersign.request_id = %id,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("{method} {route}"));
        let caller = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
        if caller.span().span_context().is_valid() {
            // Fails only for a span that has begun already.
            let _ = span.set_parent(caller);
        }
    }
    span
}

/// Notes what a request came to.
pub(crate) fn note_status(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
