//! A database on the other side of a network: it proves its name, and the password stays between the two.

use std::net::TcpListener;
use std::path::Path;

use countersign_cluster::{Cluster, Setup};
use countersign_server::config::Config;
use countersign_server::store::{IfMissing, Store, open};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::postgres::connect;

const ACCESS: &str = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";

/// A certificate authority, and the key and certificate for `localhost` that it gave out.
fn authority() -> (String, String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (root, leaf.pem(), key.serialize_pem())
}

async fn opened(folder: &Path, address: &str, more: &str) -> Result<std::sync::Arc<dyn Store>, String> {
    let text = format!("database = {address:?}\n[postgres]\nmigrate = true\n{more}");
    let config = Config::parse(&text, &folder.join("countersign.toml")).unwrap();
    open(&config.database, IfMissing::Refuse).await.map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_the_database_proves_its_name_before_it_is_told_anything() {
    let (root, leaf, key) = authority();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = format!(
        "-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c ssl_cert_file=FOLDER/leaf.pem \
         -c ssl_key_file=FOLDER/key.pem -c hba_file=FOLDER/access"
    );
    let files = [("leaf.pem", leaf.as_str()), ("key.pem", &key), ("access", ACCESS)];
    let cluster =
        Cluster::start_with(Setup { settings: &settings, files: &files, ..Setup::default() }).unwrap();
    let owner = connect(&format!("postgres://postgres@{}:{port}/postgres", cluster.socket())).await;
    owner.batch_execute("CREATE ROLE registry LOGIN PASSWORD 'geheim'").await.unwrap();
    owner.batch_execute("CREATE DATABASE trust OWNER registry").await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("ca.pem", root.as_str()), ("other.pem", &authority().0), ("good", "geheim\n"), ("bad", "falsch")]
    {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let address = |host: &str, mode: &str| format!("postgres://registry@{host}:{port}/trust?sslmode={mode}");
    let check = async |address: String, ca: &str, password: &str, expected: &str| {
        let more = format!("password_file = {password:?}\n{ca}");
        let refused = opened(folder.path(), &address, &more).await.err().unwrap();
        assert!(refused.contains(expected), "{refused}");
        assert!(!refused.contains("geheim") && !refused.contains("falsch"), "{refused}");
    };
    let (ours, others) = ("ca_file = \"ca.pem\"", "ca_file = \"other.pem\"");
    check(address("localhost", "verify-full"), others, "good", "TLS handshake").await;
    check(address("127.0.0.1", "verify-full"), ours, "good", "TLS handshake").await;
    check(address("localhost", "verify-full"), ours, "bad", "password authentication failed").await;
    check(address("localhost", "disable"), "", "good", "no encryption").await;

    let more = format!("password_file = \"good\"\n{ours}");
    let store = opened(folder.path(), &address("localhost", "require"), &more).await.unwrap();
    store.check().await.unwrap();
    let encrypted = "SELECT count(*), bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'registry'";
    let row = owner.query_one(encrypted, &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) > 0 && row.get::<_, bool>(1));
}
