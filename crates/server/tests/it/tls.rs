//! The TLS listener, beside plain HTTP.

use std::sync::Arc;

use countersign_server::clock::{SystemClock, SystemRandomness};
use countersign_server::config::Config;
use countersign_server::serve::{Server, Surroundings};

#[tokio::test(flavor = "multi_thread")]
async fn https_with_a_private_authority() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let text = "listen = \"127.0.0.1:0\"\n[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    let config = Config::parse(text, &folder.path().join("countersign.toml")).unwrap();
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        encryption_key: None,
        idleness: None,
    };
    let server = Server::prepare(config, surroundings).await.unwrap();
    let url = server.public_url().to_string();
    assert!(url.starts_with("https://127.0.0.1:"));
    tokio::spawn(server.run());

    let authority = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let trusting = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap();
    let metadata =
        trusting.get(format!("{url}/.well-known/oauth-authorization-server")).send().await.unwrap();
    assert!(metadata.text().await.unwrap().contains(&format!("\"issuer\":\"{url}\"")));
    let stranger = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(
        stranger.get(format!("{url}/healthz")).send().await.is_err(),
        "an unknown authority is not trusted"
    );
}
