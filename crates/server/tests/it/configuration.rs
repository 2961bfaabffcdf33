//! Bad configuration: the server does not start, and says which line and why.

use countersign_server::config::{Config, Database, DatabaseTls, Environment, KeySettings, PostgresSettings};
use countersign_verify::Network;
use std::path::Path;

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let error = Config::parse(text, Path::new("countersign.toml")).unwrap_err().to_string();
    for words in expected {
        assert!(error.contains(words), "{words:?} is not in: {error}");
    }
}

#[test]
fn the_defaults_need_no_file() {
    let config = Config::without_file(&Environment::default()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.to_string(), "countersign-data/countersign.db");
    let issuers: Vec<&str> = config.issuers.iter().map(|issuer| issuer.url.as_str()).collect();
    assert_eq!(issuers, ["https://token.actions.githubusercontent.com", "https://gitlab.com"]);
}

#[test]
fn every_toml_of_the_documentation_is_valid() {
    let manual = include_str!("../../../../docs/configuration.md");
    let operating = include_str!("../../../../docs/operating.md");
    let examples = [manual, operating].into_iter().flat_map(|page| page.split("```toml\n").skip(1));
    let parsed: Vec<Config> = examples
        .map(|rest| rest.split("```").next().unwrap())
        .map(|text| Config::parse(text, Path::new("/etc/countersign/countersign.toml")).unwrap())
        .collect();
    assert_eq!(parsed.len(), 3);
    assert_eq!(parsed[0].database.to_string(), "/etc/countersign/countersign-data/countersign.db");
    assert_eq!(parsed[0].issuers.len(), 3);
    assert_eq!(parsed[1].database.to_string(), "postgres://db1.example.com,db2.example.com/countersign");
    assert_eq!(parsed[2].tls.as_ref().unwrap().key, Path::new("/etc/countersign/privkey.pem"));
    // Every key is in the manual: its names are those of the raw configuration's fields.
    let raw = include_str!("../../src/config/raw.rs");
    for line in raw.lines().filter_map(|line| line.trim().strip_prefix("pub(super) ")) {
        let Some((name, _)) = line.split_once(':').filter(|(name, _)| !name.contains(' ')) else { continue };
        let is_described =
            manual.lines().map(|line| line.trim_start_matches("# ").trim_start_matches('[')).any(|line| {
                line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(['=', ']']))
            });
        assert!(is_described, "{name} is not in docs/configuration.md");
    }
}

#[test]
fn d8_an_issuer_without_audience_stops_the_start() {
    let issuer = "[[issuers]]\nurl = \"https://ci.example.com\"\npreset = \"generic\"\n";
    check(
        &format!("{issuer}audiences = []"),
        &["line 1", "audiences is empty, so every token would be for us"],
    );
    check(&format!("{issuer}audiences = [\"\"]"), &["line 4", "expected an audience"]);
    check(&format!("{issuer}algorithms = []"), &["line 1", "algorithms is empty"]);
    check(&format!("{issuer}algorithms = [\"HS256\"]"), &["line 4", "expected one of RS256", "HS256"]);
    check(&format!("{issuer}algorithms = [\"none\"]"), &["line 4", "expected one of RS256"]);
    check(&format!("{issuer}max_exchanges = 0"), &["line 1", "max_exchanges is 0"]);
    check(&format!("{issuer}max_lifetime = \"soon\""), &["line 4", "expected a duration"]);
    check(&format!("{issuer}{issuer}"), &["line 4", "is there twice"]);
}

#[test]
fn c2_confusable_issuers_stop_the_start() {
    for url in [
        "http://ci.example.com",
        "https://CI.example.com",
        "https://ci.example.com/",
        "https://ci@evil",
        "https://*.example.com",
    ] {
        let text = format!("listen = \"127.0.0.1:1\"\n[[issuers]]\nurl = \"{url}\"\npreset = \"generic\"\n");
        check(&text, &["line 3"]);
    }
    let text = "public_url = \"https://a.example.com\"\n[[issuers]]\nurl = \"https://a.example.com\"\npreset = \"generic\"";
    check(text, &["line 2", "does not exchange its own tokens"]);
    let text = "[[issuers]]\nurl = \"https://gitlab.com\"\npreset = \"generic\"";
    check(text, &["line 1", "set preset = \"gitlab\""]);
}

#[test]
fn c3_an_issuer_on_a_private_network_is_the_operators_explicit_word() {
    let issuer =
        |url: &str, more: &str| format!("[[issuers]]\nurl = \"{url}\"\npreset = \"generic\"\n{more}");
    for url in
        ["https://10.0.0.5", "https://169.254.169.254", "https://[fd00::1]", "https://192.168.1.1:8443"]
    {
        check(&issuer(url, ""), &["line 1", "public addresses only", "private_network"]);
        let path = Path::new("countersign.toml");
        Config::parse(&issuer(url, "private_network = true"), path).unwrap();
        Config::parse(&issuer(url, "proxy = \"http://proxy.example.com\""), path).unwrap();
    }
    let network = |text: &str| {
        let config = Config::parse(text, Path::new("countersign.toml")).unwrap();
        match &config.issuers[0].keys {
            KeySettings::Discovery { network, .. } => *network,
            KeySettings::File(_) => panic!("{text}"),
        }
    };
    assert_eq!(network(""), Network::Public);
    assert_eq!(network(&issuer("https://ci.example.com", "")), Network::Public);
    assert_eq!(network(&issuer("https://ci.example.com", "private_network = true")), Network::Any);
    assert_eq!(network(&issuer("http://127.0.0.1:9", "")), Network::Any, "the URL itself says so");
    let origins = "key_origins = [\"http://127.0.0.1:9\"]";
    check(&issuer("https://ci.example.com", origins), &["line 1", "found 127.0.0.1, which is loopback"]);
    check(
        &issuer("https://ci.example.com", "private_network = true\njwks_file = \"x\""),
        &["line 1", "jwks_file replaces discovery"],
    );
}

#[test]
fn mistakes_are_shown_with_their_line_and_remedy() {
    check("lsten = \"x\"", &["line 1", "unknown field `lsten`", "listen"]);
    check("\nlisten = \"x\"", &["line 2", "expected an address such as 127.0.0.1:8080, found \"x\""]);
    check("listen = 8080", &["line 1"]);
    check(
        "listen = \"0.0.0.0:80\"",
        &["line 1", "id tokens would cross the network in clear", "behind_tls_proxy"],
    );
    check("listen = \"0.0.0.0:80\"\nbehind_tls_proxy = true", &["line 1", "public_url is missing"]);
    check("behind_tls_proxy = true", &["line 1", "public_url is missing"]);
    check("plain_listen = \"0.0.0.0:80\"", &["line 1", "expected a loopback address"]);
    check(
        "public_url = \"http://trust.example.com\"",
        &["line 1", "http:// is accepted for loopback addresses only"],
    );
    check("public_url = \"https://trust.example.com/x\"", &["line 1", "nothing after it"]);
    check("database = \"mysql:x\"", &["line 1", "expected sqlite:PATH"]);
    check("error_profile = \"oauth\"", &["line 1", "hub"]);
    check("[tokens]\nlifetime = \"2h\"", &["line 2", "expected 1s to 1h"]);
    check("[tokens]\nprefix = \"HF\"", &["line 2", "expected a prefix"]);
    check("[tls]\nkey = \"x\"", &["certificate"]);
    check(
        "[[issuers]]\nurl = \"https://ci.example.com\"\npreset = \"jenkins\"",
        &["line 3", "expected a provider: github, gitlab, "],
    );
    check("listen = ", &["line 1"]);
}

#[test]
fn limits_and_addresses_that_make_no_sense_stop_the_start() {
    check("[limits]\nconnections = 0", &["line 2", "limits.connections: expected 1 to 1000000, found 0"]);
    check("[limits]\nexchanges_in_flight = 0", &["line 2", "limits.exchanges_in_flight"]);
    check("[limits]\nidle = \"0s\"", &["line 2", "expected a duration"]);
    check("[limits]\nclient_address_header = \"x-real-ip\"", &["line 2", "x-forwarded-for"]);
    check("[limits]\nrequests = 1", &["line 2", "unknown field"]);
    let proxied =
        "public_url = \"https://a.example\"\nbehind_tls_proxy = true\n[limits]\ntrusted_proxies = 0";
    check(proxied, &["line 4", "0 cannot be with behind_tls_proxy"]);
    check("[metrics]\nlisten = \"9464\"", &["line 2", "expected an address such as"]);
    for endpoint in ["127.0.0.1:4318", "grpc://a.example", "http://a.example/?x=1", ""] {
        check(
            &format!("[tracing]\notlp_endpoint = {endpoint:?}"),
            &["line 2", "expected a URL such as http://"],
        );
    }
    let ratio = "[tracing]\notlp_endpoint = \"http://127.0.0.1:4318\"\nsample_ratio = 1.5";
    check(ratio, &["line 3", "expected 0.0 to 1.0"]);
}

fn postgres(text: &str) -> PostgresSettings {
    match Config::parse(text, Path::new("/etc/countersign.toml")).unwrap().database {
        Database::Postgres(settings) => *settings,
        Database::Sqlite(path) => panic!("{}", path.display()),
    }
}

#[test]
fn a_database_elsewhere_is_reached_through_verified_tls_unless_somebody_says_otherwise() {
    let reached = |address: &str, tls: DatabaseTls| {
        assert_eq!(postgres(&format!("database = \"postgres://{address}\"")).tls, tls, "{address}");
    };
    reached("u@db.example.com/x", DatabaseTls::Verified(None));
    reached("u@localhost,db.example.com/x", DatabaseTls::Verified(None));
    reached("u@db.example.com/x?sslmode=require", DatabaseTls::Verified(None));
    reached("u@localhost/x?sslmode=verify-full", DatabaseTls::Verified(None));
    reached("u@127.0.0.1:5433/x", DatabaseTls::Off);
    reached("u@%2Frun%2Fpostgresql/x", DatabaseTls::Off);
    reached("u@db.example.com/x?sslmode=disable&connect_timeout=3", DatabaseTls::Off);
    let own = "database = \"postgres://u@db/x\"\n[postgres]\nca_file = \"ca.pem\"";
    assert_eq!(postgres(own).tls, DatabaseTls::Verified(Some("/etc/ca.pem".into())));
    // What encrypts for whoever answers protects from nobody.
    for mode in ["prefer", "allow", "verify-ca"] {
        let text = format!("database = \"postgres://u@db/x?sslmode={mode}\"");
        check(&text, &["line 1", "disable, require and verify-full"]);
    }
    check(
        "database = \"postgres://u@localhost/x\"\n[postgres]\nca_file = \"x\"",
        &["line 2", "not encrypted"],
    );
    check("[postgres]\nconnections = 5", &["line 1", "is a file of SQLite"]);
    check("database = \"postgres://db/x\"", &["line 1", "names no user"]);
    check("database = \"postgres://u@db/x?colour=red\"", &["line 1", "a parameter that is not known"]);
    let with = |key: &str| format!("database = \"postgres://u@localhost/x\"\n[postgres]\n{key}");
    check(&with("connections = 1"), &["line 3", "expected 4 to 200"]);
    check(&with("statement_timeout = \"2m\""), &["line 3", "expected 1s to 30s"]);
    check(&with("password_file = \"missing\""), &["password_file", "cannot read"]);
}

#[test]
fn invariant_9_the_password_of_the_database_is_printed_nowhere() {
    let written = "database = \"postgres://u:geheim@localhost/x\"";
    let refused = Config::parse(written, Path::new("x.toml")).unwrap_err().to_string();
    assert!(refused.contains("a password does not belong in this file"), "{refused}");
    assert!(!refused.contains("geheim"), "{refused}");
    let given = |url: &str| Environment { database_url: Some(url.to_owned().into()) };
    let config = Config::without_file(&given("postgres://u:geheim@localhost/x")).unwrap();
    assert_eq!(config.database.to_string(), "postgres://localhost/x");
    assert!(!format!("{config:?}").contains("geheim"));
    let unreadable = Config::without_file(&given("postgres://u:geheim@localhost:geheim/x")).unwrap_err();
    assert!(!format!("{unreadable} {unreadable:?}").contains("geheim"), "{unreadable}");
}
