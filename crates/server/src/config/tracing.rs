//! Where traces go.

use axum::http::Uri;

use super::Misfit;
use super::raw::RawTracing;

/// A collector, and what it gets.
#[derive(Clone, Debug)]
pub struct TracingSettings {
    /// Its URL without a slash at the end, to which `/v1/traces` is added.
    pub otlp_endpoint: String,
    /// The share of requests that is traced.
    pub sample_ratio: f64,
}

pub(super) fn valid(raw: RawTracing) -> Result<TracingSettings, Misfit> {
    let written = raw.otlp_endpoint.get_ref();
    let is_http = |url: &Uri| matches!(url.scheme_str(), Some("http" | "https")) && url.query().is_none();
    if !written.parse().is_ok_and(|url| is_http(&url)) {
        return Err(Misfit::at(
            &raw.otlp_endpoint,
            format!("tracing.otlp_endpoint: expected a URL such as http://127.0.0.1:4318, found {written:?}"),
        ));
    }
    let otlp_endpoint = written.trim_end_matches('/').to_owned();
    let sample_ratio = match raw.sample_ratio {
        None => 1.0,
        Some(ratio) if (0.0..=1.0).contains(ratio.get_ref()) => ratio.into_inner(),
        Some(ratio) => return Err(Misfit::at(&ratio, "tracing.sample_ratio: expected 0.0 to 1.0")),
    };
    Ok(TracingSettings { otlp_endpoint, sample_ratio })
}
