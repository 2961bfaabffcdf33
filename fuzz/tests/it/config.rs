//! The server's configuration.

use std::path::Path;
use std::time::Duration;

use countersign_server::config::{Config, ConfigError};

use crate::BRIEFLY;
use crate::edit::{Edits, edited};

const EXAMPLES: &[&str] = &[
    "public_url = \"https://trust.example.com\"\nlisten = \"127.0.0.1:8080\"\ndatabase = \"sqlite:a/b.db\"\nerror_profile = \"hub\"\n",
    "listen = \"0.0.0.0:443\"\nplain_listen = \"127.0.0.1:80\"\n[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n",
    "[tokens]\naudience = \"https://registry.example.com\"\nlifetime = \"30m\"\nend_with_id_token = true\nprefix = \"acme_\"\n",
    "[[issuers]]\nurl = \"https://gitlab.example.com\"\npreset = \"gitlab\"\naudiences = [\"a\"]\nalgorithms = [\"RS256\"]\nmax_lifetime = \"1h\"\nmax_exchanges = 3\njwks_file = \"keys.json\"\n",
    "behind_tls_proxy = true\nlisten = \"[::]:80\"\nlog_format = \"json\"\n",
];

#[test]
fn an_accepted_configuration_is_safe_and_a_refused_one_is_explained() {
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(|edits| {
        let text = edited(EXAMPLES, edits);
        match Config::parse(&text, Path::new("folder/countersign.toml")) {
            Ok(config) => check(&config, &text),
            Err(ConfigError::Invalid { line, message, .. }) => {
                assert!((1..=text.lines().count().max(1) + 1).contains(&line), "line {line} of {text}");
                assert!(!message.is_empty());
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

fn check(config: &Config, text: &str) {
    let is_encrypted = config.tls.is_some() || text.contains("behind_tls_proxy");
    assert!(config.listen.ip().is_loopback() || is_encrypted, "{text}");
    assert!(config.plain_listen.is_none_or(|address| address.ip().is_loopback()), "{text}");
    assert!((1..=3600).contains(&config.tokens.lifetime.as_secs()), "{text}");
    for prefix in [&config.tokens.prefix, &config.tokens.user_prefix] {
        assert!(prefix.ends_with('_') && prefix.len() <= 32 && prefix.is_ascii(), "{prefix:?}");
    }
    for issuer in &config.issuers {
        assert!(!issuer.algorithms.is_empty() && issuer.max_exchanges > 0, "{text}");
        assert!(
            issuer.max_lifetime >= Duration::from_secs(1) && issuer.max_age >= Duration::from_secs(1),
            "{text}"
        );
        let same = config.issuers.iter().filter(|other| other.url == issuer.url).count();
        assert_eq!(same, 1, "{text}");
    }
}
