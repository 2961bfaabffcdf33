//! URLs of issuers and of ourselves.

use countersign_core::{IssuerUrl, PublicUrl};

use crate::BRIEFLY;
use crate::edit::{Edits, edited};

const EXAMPLES: &[&str] = &[
    "https://token.actions.githubusercontent.com",
    "https://token.actions.githubusercontent.com/octo-enterprise",
    "https://ghes.example.com/_services/token",
    "https://gitlab.example.com:8443/",
    "https://oidc.prod-aks.azure.com/00000000-0000-4000-8000-000000000000/",
    "http://127.0.0.1:4000/github",
    "http://localhost:4000",
    "http://[::1]:4000",
    "https://203.0.113.7",
];

/// Scheme and authority, as the plainest reader sees them.
fn split(text: &str) -> (&str, &str) {
    let (scheme, rest) = text.split_once("://").unwrap();
    (scheme, rest.split('/').next().unwrap())
}

/// Whether only this machine can be meant.
pub(crate) fn is_loopback(authority: &str) -> bool {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    authority == "[::1]"
        || matches!(host, "localhost" | "[::1]")
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|host| host.is_loopback())
}

fn check_origin(text: &str) {
    let (scheme, authority) = split(text);
    assert!(text.is_ascii(), "{text}");
    assert!(!text.contains(['@', '?', '#', '%', '\\', '*']), "{text}");
    assert!(!text.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control()), "{text}");
    assert!(!authority.bytes().any(|byte| byte.is_ascii_uppercase()), "{text}");
    assert!(!authority.is_empty() && !authority.split('.').any(|label| label.starts_with("xn--")), "{text}");
    assert!(scheme == "https" || (scheme == "http" && is_loopback(authority)), "{text}");
    assert!(!authority.ends_with(":443") || scheme == "http", "{text}");
}

#[test]
fn an_accepted_issuer_cannot_be_mistaken_for_another() {
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(|edits| {
        let text = edited(EXAMPLES, edits);
        let Ok(issuer) = text.parse::<IssuerUrl>() else { return };
        assert_eq!(issuer.as_str(), text);
        assert_eq!(issuer.authority(), split(&text).1);
        assert!(text.len() <= 255);
        check_origin(&text);
        let path = &text[text.find("://").unwrap() + 3 + issuer.authority().len()..];
        assert!(
            !path.contains("//") && path.split('/').all(|segment| !matches!(segment, "." | "..")),
            "{text}"
        );
        let json = serde_json::to_string(&issuer).unwrap();
        assert_eq!(serde_json::from_str::<IssuerUrl>(&json).unwrap(), issuer);
    });
}

#[test]
fn a_public_url_is_an_origin() {
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(|edits| {
        let text = edited(EXAMPLES, edits);
        let Ok(url) = text.parse::<PublicUrl>() else { return };
        check_origin(url.as_str());
        assert_eq!(url.as_str(), text.strip_suffix('/').unwrap_or(&text));
        assert_eq!(url.as_str().matches('/').count(), 2, "{text}");
        assert_eq!(url.as_str().parse::<PublicUrl>().as_ref(), Ok(&url));
    });
}
