//! A registry behind a certificate of a private authority.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use crate::job::{Job, serve};

/// The job with its registry behind TLS, and the certificate to trust.
fn job() -> (Job, TempDir, PathBuf) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let certificate = directory.path().join("authority.pem");
    std::fs::write(&certificate, cert.pem()).unwrap();

    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());

    let job = Job::github().with("HF_ENDPOINT", &endpoint).with("HF_OIDC_ID_TOKEN", "a.b.c");
    let answers = Arc::clone(&job.answers);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            serve(StreamOwned::new(connection, stream.unwrap()), &answers);
        }
    });
    (job, directory, certificate)
}

#[test]
fn a_private_authority_is_trusted_when_it_is_named() {
    let (job, _directory, certificate) = job();
    let shown = job.with("SSL_CERT_FILE", certificate.to_str().unwrap()).run(&["token", "acme/model"]);
    assert!(shown.starts_with("exit 0\n--- stdout\nhf_jwt_the-access-token\n"), "{shown}");
}

#[test]
fn an_unknown_authority_is_refused_before_anything_is_sent() {
    let (job, _directory, _) = job();
    let shown = job.fail(&["token", "acme/model"]);
    assert!(shown.starts_with("exit 5") && shown.contains("SSL_CERT_FILE"), "{shown}");
    assert!(job.requests().is_empty());
}
