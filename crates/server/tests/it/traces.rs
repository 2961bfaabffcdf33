//! Traces as a collector gets them: a receiver of OTLP that reads the protobuf of the specification.

use std::collections::HashMap;
use std::process::Command;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use axum::routing::post;
use countersign_simulator::Overrides;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use tokio::sync::mpsc;

use crate::program::{Program, RESOURCE, prepare};
use crate::stage::{client, exchange_parameters};

/// A collector that passes on what it gets.
async fn collector() -> (String, mpsc::UnboundedReceiver<(String, Bytes)>) {
    let (sender, received) = mpsc::unbounded_channel();
    let receive = move |uri: Uri, headers: HeaderMap, body: Bytes| async move {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        sender.send((uri.path().to_owned(), body)).unwrap();
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(post(receive));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, received)
}

fn attributes(span: &Span) -> HashMap<&str, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let attribute = |pair: &opentelemetry_proto::tonic::common::v1::KeyValue| {
        pair.value.as_ref()?.value.as_ref().map(text)
    };
    span.attributes.iter().filter_map(|pair| Some((pair.key.as_str(), attribute(pair)?))).collect()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn i14_a_collector_gets_the_steps_of_an_exchange_and_no_secret() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let (url, mut received) = collector().await;
    let folder = tempfile::tempdir().unwrap();
    let simulator = prepare(folder.path()).await;
    let file = folder.path().join("countersign.toml");
    let configuration = std::fs::read_to_string(&file).unwrap();
    let tracing = format!("[tracing]\notlp_endpoint = \"{url}\"\n[[issuers]]");
    std::fs::write(&file, configuration.replacen("[[issuers]]", &tracing, 1)).unwrap();
    let mut program = Program::start(folder.path());

    let token = simulator.github().mint(&Overrides::new(), "https://trust.example.com");
    let response = client()
        .post(format!("{}/oauth/token", program.url))
        .header("content-type", "application/json")
        .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
        .body(exchange_parameters(&token, RESOURCE).to_string())
        .send()
        .await
        .unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let answer: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    let access_token = answer["access_token"].as_str().unwrap().to_owned();
    client().get(format!("{}/{token}", program.url)).send().await.unwrap();
    // What waits is sent before it ends.
    assert!(
        Command::new("kill").args(["-TERM", &program.child.id().to_string()]).status().unwrap().success()
    );
    assert!(program.child.wait().unwrap().success());

    let (path, body) = received.recv().await.unwrap();
    assert_eq!(path, "/v1/traces");
    let bytes = String::from_utf8_lossy(&body).into_owned();
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let service = &request.resource_spans[0].resource.as_ref().unwrap().attributes;
    assert!(service.iter().any(|pair| pair.key == "service.name"), "{service:?}");
    let spans: Vec<&Span> =
        request.resource_spans.iter().flat_map(|of| &of.scope_spans).flat_map(|of| &of.spans).collect();
    let named = |name: &str| *spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}"));

    let root = named("POST /oauth/token");
    assert_eq!(root.kind(), SpanKind::Server);
    assert_eq!(hex(&root.trace_id), TRACE, "the caller's trace");
    assert_eq!(hex(&root.parent_span_id), "b7ad6b7169203331");
    assert_eq!(attributes(root)["http.response.status_code"], "200");
    assert_eq!(attributes(root)["countersign.request_id"], id);
    let exchange = named("exchange");
    assert_eq!(exchange.parent_span_id, root.span_id);
    assert_eq!(attributes(exchange)["outcome"], "issued");
    for step in ["find key", "verify", "decide", "sign", "record"] {
        assert_eq!(named(step).parent_span_id, exchange.span_id, "{step}");
    }
    assert_eq!(attributes(named("find key"))["issuer"], simulator.github().issuer().as_str());
    assert_eq!(attributes(named("GET none"))["http.response.status_code"], "404");
    for part in token.split('.').chain(access_token.split('.')).chain(["acme", "refs/heads"]) {
        assert!(!bytes.contains(part), "{part} is in the traces");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
