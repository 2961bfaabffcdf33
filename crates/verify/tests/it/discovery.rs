//! Threats B13 and C5 to C9: discovery over real HTTP, on loopback.

use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use countersign_core::Algorithm;
use countersign_verify::{
    DiscoveryError, DiscoverySettings, Fetch, FetchFuture, HttpFetch, HttpSettings, IssuerKeys, KeyError,
    Network,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::signer::{RSA, jwk_set};

/// A server on a free port of loopback.
struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Serves a discovery document and an answer where the keys are; both may depend on the server's own URL.
    async fn start(document: impl FnOnce(&str) -> Response, keys: Response) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let (document, keys) = (Answer::of(document(&url)).await, Answer::of(keys).await);
        let serve = |answer: Answer| {
            let requests = Arc::clone(&requests);
            get(move || async move {
                requests.fetch_add(1, Ordering::SeqCst);
                answer.response()
            })
        };
        let app = Router::new()
            .route("/.well-known/openid-configuration", serve(document.clone()))
            .route("/tenant/.well-known/openid-configuration", serve(document))
            .route("/keys", serve(keys));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, requests }
    }

    /// Serves its own document and the usual key.
    async fn honest() -> Self {
        Self::start(|url| document(url, &format!("{url}/keys")), keys()).await
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Looks up the usual key with this server as issuer, and says why it was not found.
    async fn find(&self, settings: DiscoverySettings) -> Result<(), String> {
        find(&self.url, settings, &loopback()).await
    }

    #[track_caller]
    fn check_refusal(outcome: Result<(), String>, part: &str) {
        let message = outcome.expect_err("the keys were accepted");
        assert!(message.contains(part), "{message}");
    }
}

/// A response that can be given more than once.
#[derive(Clone)]
struct Answer(StatusCode, axum::http::HeaderMap, axum::body::Bytes);

impl Answer {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        Self(parts.status, parts.headers, axum::body::to_bytes(body, usize::MAX).await.unwrap())
    }

    fn response(self) -> Response {
        (self.0, self.1, self.2).into_response()
    }
}

async fn find(issuer: &str, settings: DiscoverySettings, http: &HttpSettings) -> Result<(), String> {
    let fetch = Arc::new(HttpFetch::new(http).unwrap());
    let keys = IssuerKeys::discovered(issuer.parse().unwrap(), vec![Algorithm::Rs256], fetch, settings);
    match keys.find(Some("rsa"), Algorithm::Rs256).await {
        Ok(_) => Ok(()),
        Err(KeyError::Unavailable { source: Some(cause), .. }) => {
            Err(format!("{cause}: {}", cause.source().map(ToString::to_string).unwrap_or_default()))
        }
        Err(other) => Err(other.to_string()),
    }
}

/// The issuers of these tests are on this machine.
fn loopback() -> HttpSettings {
    HttpSettings { network: Network::Any, ..HttpSettings::default() }
}

fn document(issuer: &str, jwks_uri: &str) -> Response {
    json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string().into_response()
}

fn keys() -> Response {
    jwk_set(&[RSA.jwk()]).into_response()
}

fn redirect(location: String) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
}

#[tokio::test]
async fn keys_are_found_where_the_document_says() {
    let server = Server::honest().await;
    server.find(DiscoverySettings::default()).await.unwrap();
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn an_issuer_with_a_trailing_slash_gets_no_second_one() {
    let server =
        Server::start(|url| document(&format!("{url}/tenant/"), &format!("{url}/keys")), keys()).await;
    let issuer = format!("{}/tenant/", server.url);
    find(&issuer, DiscoverySettings::default(), &loopback()).await.unwrap();
}

#[tokio::test]
async fn c5_redirects_are_refused() {
    let target = Server::honest().await;
    let discovery = format!("{}/.well-known/openid-configuration", target.url);
    let server = Server::start(|_| redirect(discovery), keys()).await;
    Server::check_refusal(server.find(DiscoverySettings::default()).await, "found 302");
    let target_keys = format!("{}/keys", target.url);
    let server = Server::start(|url| document(url, &format!("{url}/keys")), redirect(target_keys)).await;
    Server::check_refusal(server.find(DiscoverySettings::default()).await, "found 302");
    assert_eq!(target.requests(), 0);
}

#[tokio::test]
async fn c6_a_document_of_another_issuer_is_refused() {
    for change in [
        |url: &str| format!("{url}/"),
        |_: &str| "https://token.actions.githubusercontent.com".to_owned(),
        |url: &str| url.replace("127.0.0.1", "localhost"),
        |url: &str| url.to_uppercase(),
        |_: &str| String::new(),
    ] {
        let server = Server::start(|url| document(&change(url), &format!("{url}/keys")), keys()).await;
        Server::check_refusal(
            server.find(DiscoverySettings::default()).await,
            "expected the discovery document of",
        );
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn c6_a_document_that_is_none_is_refused() {
    for body in ["", "<html></html>", "[]", "{}", r#"{"issuer":7,"jwks_uri":"x"}"#] {
        let server = Server::start(|_| body.into_response(), keys()).await;
        Server::check_refusal(
            server.find(DiscoverySettings::default()).await,
            "expected a discovery document",
        );
    }
    for jwks_uri in [json!(7), Value::Null, json!("/keys"), json!(""), json!(["x"])] {
        let body = |url: &str| json!({"issuer": url, "jwks_uri": jwks_uri}).to_string().into_response();
        let server = Server::start(body, keys()).await;
        Server::check_refusal(server.find(DiscoverySettings::default()).await, "`jwks_uri` is not a URL");
    }
}

#[tokio::test]
async fn c7_keys_elsewhere_are_refused_unless_allowed() {
    let elsewhere = Server::honest().await;
    let server = Server::start(|url| document(url, &format!("{}/keys", elsewhere.url)), keys()).await;
    Server::check_refusal(server.find(DiscoverySettings::default()).await, "neither its own origin");
    assert_eq!(elsewhere.requests(), 0);
    let allowed = DiscoverySettings {
        key_origins: vec![elsewhere.url.parse().unwrap()],
        ..DiscoverySettings::default()
    };
    server.find(allowed).await.unwrap();
    assert_eq!(elsewhere.requests(), 1);
}

#[tokio::test]
async fn c7_urls_that_only_look_like_the_issuer_are_refused() {
    for spell in [
        |url: &str| url.replace("http://", "http://user@"),
        |url: &str| url.replace("http://", "http://user:pw@"),
        |url: &str| url.replace("http://", "https://"),
        |url: &str| format!("{url}@evil.example.com"),
        |url: &str| format!("{url}.evil.example.com"),
        |url: &str| url.replace("127.0.0.1", "localhost"),
        |_: &str| "file:///etc/keys".to_owned(),
        |_: &str| "data:application/json,{}".to_owned(),
    ] {
        let server = Server::start(|url| document(url, &spell(url)), keys()).await;
        let message = server.find(DiscoverySettings::default()).await.unwrap_err();
        let refused =
            message.contains("neither its own origin") || message.contains("`jwks_uri` is not a URL");
        assert!(refused && !message.contains("pw"), "{message}");
        assert_eq!(server.requests(), 1);
    }
}

/// An issuer on HTTPS whose keys are said to be on plain HTTP.
#[derive(Debug)]
struct Downgrade;

impl Fetch for Downgrade {
    fn get<'a>(&'a self, url: &'a str) -> FetchFuture<'a> {
        Box::pin(async move {
            assert_eq!(url, "https://token.example.com/.well-known/openid-configuration");
            let document =
                json!({"issuer": "https://token.example.com", "jwks_uri": "http://127.0.0.1:9/keys"});
            Ok(document.to_string().into_bytes())
        })
    }
}

#[tokio::test]
async fn c7_keys_of_an_https_issuer_never_come_over_plain_http() {
    let key_origins = vec!["http://127.0.0.1:9".parse().unwrap()];
    let allowed = DiscoverySettings { key_origins, ..DiscoverySettings::default() };
    let issuer = "https://token.example.com".parse().unwrap();
    let keys = IssuerKeys::discovered(issuer, vec![Algorithm::Rs256], Arc::new(Downgrade), allowed);
    keys.find(Some("rsa"), Algorithm::Rs256).await.unwrap_err();
    let failure = keys.last_failure().unwrap();
    assert!(matches!(*failure, DiscoveryError::ForeignKeys { .. }), "{failure}");
}

#[tokio::test]
async fn b13_bodies_beyond_100_kib_are_refused() {
    let padded = |length: usize| {
        format!("{}{}", String::from_utf8(jwk_set(&[RSA.jwk()])).unwrap(), " ".repeat(length))
    };
    let serve = async |length: usize| {
        let body = padded(length).into_response();
        let server = Server::start(|url| document(url, &format!("{url}/keys")), body).await;
        server.find(DiscoverySettings::default()).await
    };
    serve(90 * 1024).await.unwrap();
    Server::check_refusal(serve(100 * 1024).await, "expected at most 102400 bytes");
}

#[tokio::test]
async fn b13_compressed_answers_are_refused() {
    let bomb = ([(header::CONTENT_ENCODING, "gzip")], vec![0x1f, 0x8b, 8, 0]).into_response();
    let server = Server::start(|url| document(url, &format!("{url}/keys")), bomb).await;
    Server::check_refusal(server.find(DiscoverySettings::default()).await, "content-encoding \"gzip\"");
}

/// A server that writes `start` and then, for ever, `more`; or nothing more if that is empty.
async fn raw(start: &'static str, more: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _started = stream.write_all(start.as_bytes()).await;
            while !more.is_empty() && stream.write_all(more).await.is_ok() {}
            open.push(stream);
        }
    });
    url
}

#[tokio::test]
async fn b13_an_endless_body_is_cut_off() {
    let url = raw("HTTP/1.1 200 OK\r\n\r\n", &[b' '; 4096]).await;
    let outcome = find(&url, DiscoverySettings::default(), &loopback()).await;
    Server::check_refusal(outcome, "expected at most 102400 bytes");
}

#[tokio::test]
async fn b13_an_issuer_that_never_answers_times_out() {
    let quick = HttpSettings { total_timeout: Duration::from_millis(50), ..loopback() };
    for start in ["", "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"] {
        let outcome = find(&raw(start, b"").await, DiscoverySettings::default(), &quick).await;
        Server::check_refusal(outcome, "no complete answer within 50 ms");
    }
}

#[tokio::test]
async fn any_other_status_is_a_failure() {
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND, StatusCode::INTERNAL_SERVER_ERROR] {
        let server = Server::start(|_| status.into_response(), keys()).await;
        let expected = format!("expected status 200, found {}", status.as_u16());
        Server::check_refusal(server.find(DiscoverySettings::default()).await, &expected);
    }
}

#[tokio::test]
async fn c9_the_proxy_is_a_setting() {
    // The issuer's name does not exist: only the proxy can have answered.
    let url = raw("HTTP/1.1 418 Teapot\r\ncontent-length: 0\r\n\r\n", b"").await;
    let through = HttpSettings { proxy: Some(url), ..HttpSettings::default() };
    // Plain HTTP is for loopback issuers only, so the request is one for an address that nobody listens at.
    let outcome = find("http://127.255.255.254:9", DiscoverySettings::default(), &through).await;
    Server::check_refusal(outcome, "found 418");
}

#[test]
fn settings_that_cannot_work_stop_the_start() {
    let settings = HttpSettings { proxy: Some("not a url".to_owned()), ..HttpSettings::default() };
    assert!(HttpFetch::new(&settings).is_err());
    let certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
    let settings = HttpSettings { root_certificates: certificate, ..HttpSettings::default() };
    assert!(HttpFetch::new(&settings).is_err());
}
