//! `/metrics`, read by the parser of Prometheus' own library.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::tool;
use crate::stage::Stage;

const RESOURCE: &str = "acme/awesome-model";

/// Samples by name and labels.
struct Scrape(Vec<(String, BTreeMap<String, String>, f64)>);

impl Scrape {
    async fn of(stage: &Stage) -> (Self, String) {
        let response = stage.http.get(stage.metrics.as_ref().unwrap()).send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
        let text = response.text().await.unwrap();
        let mut parser = Command::new(tool("venv/bin/python"))
            .args(["-c", include_str!("prometheus.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let parsed = parser.wait_with_output().unwrap();
        assert!(parsed.status.success(), "the parser refuses it: {text}");
        (Self(serde_json::from_slice(&parsed.stdout).unwrap()), text)
    }

    /// The value of the one sample with that name and those labels.
    #[track_caller]
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |found: &&(String, BTreeMap<String, String>, f64)| {
            found.0 == name
                && labels.iter().all(|(label, value)| found.1.get(*label).is_some_and(|it| it == value))
        };
        let found: Vec<_> = self.0.iter().filter(fits).collect();
        let [(_, _, value)] = found[..] else { panic!("{name} {labels:?}: {found:?}") };
        *value
    }

    #[track_caller]
    fn check(&self, name: &str, labels: &[(&str, &str)], expected: u32) {
        let value = self.value(name, labels);
        assert!((value - f64::from(expected)).abs() < f64::EPSILON, "{name} {labels:?} is {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_counted() {
    let limits = "[metrics]\nlisten = \"127.0.0.1:0\"\n[limits]\nconnections_per_address = 9\nexchanges_per_tenant = 7\n";
    let stage = Stage::with(limits).await;
    stage.trust(RESOURCE).await;
    let token = stage.token();
    for expected in [200, 400] {
        assert_eq!(stage.exchange(&token, RESOURCE).await.status, expected);
    }
    for _ in 0..3 {
        stage.exchange(&format!("{token}x"), RESOURCE).await;
    }
    stage.exchange(&stage.token_with("iss", "https://stranger.example.com"), RESOURCE).await;
    for _ in 0..5 {
        stage.exchange(&stage.token(), "acme/other").await;
    }
    assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 429);
    stage.http.get(format!("{}/{token}", stage.url)).send().await.unwrap();

    let (scrape, text) = Scrape::of(&stage).await;
    let issuer = stage.simulator.github().issuer().as_str();
    let exchanges = "countersign_exchanges_total";
    scrape.check(exchanges, &[("issuer", issuer), ("outcome", "issued")], 1);
    scrape.check(exchanges, &[("issuer", issuer), ("outcome", "replayed")], 1);
    scrape.check(exchanges, &[("issuer", issuer), ("outcome", "no_publisher")], 5);
    scrape.check(exchanges, &[("issuer", issuer), ("outcome", "rate_limited")], 1);
    scrape.check(exchanges, &[("issuer", ""), ("outcome", "unknown_issuer")], 1);
    scrape.check("countersign_rate_limited_total", &[("by", "tenant")], 1);
    scrape.check("countersign_exchange_duration_seconds_count", &[("to", "issued")], 1);
    scrape.check("countersign_exchange_duration_seconds_count", &[("to", "failed")], 1);
    assert!(
        scrape.value("countersign_ledger_record_duration_seconds_count", &[]) >= 11.0,
        "as many are on record"
    );
    scrape.check("countersign_ledger_waiting", &[], 0);
    assert!(scrape.value("countersign_ledger_batch_exchanges_sum", &[]) >= 11.0);
    assert!(scrape.value("countersign_ledger_batch_exchanges_count", &[]) >= 1.0);
    scrape.check("countersign_exchanges_in_flight", &[], 0);
    let token_requests = [("method", "POST"), ("route", "/oauth/token"), ("status", "400")];
    scrape.check("countersign_http_requests_total", &token_requests, 10);
    scrape.check("countersign_http_requests_total", &[("route", "none"), ("status", "404")], 1);
    scrape.check("countersign_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    assert!(scrape.value("countersign_connections", &[]) >= 1.0);
    scrape.check("countersign_key_set_failures", &[("issuer", issuer)], 0);
    assert!(scrape.value("countersign_key_set_age_seconds", &[("issuer", issuer)]) < 60.0);
    assert!(scrape.value("process_resident_memory_bytes", &[]) > 1_000_000.0);

    // I14: nothing that a request said is in it.
    for part in token.split('.').chain(["acme", "stranger", "refs/heads"]) {
        assert!(!text.contains(part), "{part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_tokens_are_counted_beside_the_exchanges() {
    let stage = Stage::with("[metrics]\nlisten = \"127.0.0.1:0\"\n").await;
    stage.trust(RESOURCE).await;
    for _ in 0..2 {
        assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 200);
    }
    let metrics = stage.metrics.as_ref().unwrap();
    let counted = async {
        loop {
            let text = stage.http.get(metrics).send().await.unwrap().text().await.unwrap();
            if text.contains("\ncountersign_live_tokens{} 2\n") {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), counted).await.unwrap();
    Scrape::of(&stage).await.0.check("countersign_live_tokens", &[], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_nowhere_else() {
    let stage = Stage::with("[metrics]\nlisten = \"127.0.0.1:0\"\n").await;
    let (public, metrics) = (format!("{}/metrics", stage.url), stage.metrics.as_ref().unwrap());
    assert_eq!(stage.http.get(public).send().await.unwrap().status(), 404);
    let token = metrics.replace("/metrics", "/oauth/token");
    assert_eq!(stage.http.post(token).send().await.unwrap().status(), 404);
    assert_eq!(Stage::new().await.metrics, None, "and by default not at all");
}
