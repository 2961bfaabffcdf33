//! Threats J1 and J4: access tokens as registries check them.

use countersign_core::access_token::{AccessTokenClaims, Actor, AuthorizationDetail};
use countersign_core::{AccessToken, Permission, UnixTime};
use countersign_verify::{AccessTokenVerifier, AuthorizedAccess};
use serde_json::{Value, json};

use crate::signer::{EC, RSA, Signer, key_set};
use crate::token::{NOW, Token, check_message};

pub(crate) const REGISTRY: &str = "https://hub.example.com";

/// As the server makes them: at+jwt, ES256, one resource.
pub(crate) fn valid() -> Token {
    let claims = AccessTokenClaims {
        iss: REGISTRY.to_owned(),
        sub: "publisher:p1".to_owned(),
        aud: REGISTRY.to_owned(),
        exp: UnixTime::from_seconds(NOW + 3600),
        iat: UnixTime::from_seconds(NOW),
        jti: "t1".to_owned(),
        client_id: "p1".to_owned(),
        authorization_details: vec![AuthorizationDetail::new(
            "acme/model".parse().unwrap(),
            Permission::Write,
        )],
        status: None,
        act: Actor { iss: "https://token.example.com".to_owned(), sub: "repo:octo-org/octo-repo".to_owned() },
    };
    let header = json!({"alg": "ES256", "kid": "ec", "typ": "at+jwt"});
    Token { header, claims: serde_json::to_value(claims).unwrap() }
}

fn verify(
    token: &str,
    resource: &str,
    permission: Permission,
) -> Result<AuthorizedAccess, (&'static str, String)> {
    let keys = key_set(&[EC.jwk(), RSA.jwk()]);
    let verifier = AccessTokenVerifier::offline(REGISTRY.parse().unwrap(), REGISTRY.parse().unwrap(), keys);
    let (token, now) = (AccessToken::from(token.to_owned()), UnixTime::from_seconds(NOW));
    verifier
        .verify(&token, &resource.parse().unwrap(), permission, now)
        .map_err(|error| (error.code(), error.to_string()))
}

#[track_caller]
fn check(token: &str, code: &str) {
    let (found, message) =
        verify(token, "acme/model", Permission::Write).expect_err("the token was accepted");
    assert_eq!(found, code, "{message}");
    check_message(&message, token);
}

pub(crate) fn signed(token: &Token) -> String {
    format!("hf_jwt_{}", token.signed_by(&EC))
}

#[test]
fn a_good_token_says_who_and_what() {
    for token in
        [signed(&valid()), valid().signed_by(&EC), signed(&valid().header("typ", "application/at+jwt"))]
    {
        let access = verify(&token, "acme/model", Permission::Write).unwrap();
        assert_eq!(access.resource().to_string(), "acme/model");
        assert_eq!(access.permission(), Permission::Write);
        assert_eq!(access.subject(), "publisher:p1");
        assert_eq!(access.publisher(), "p1");
        assert_eq!(access.run().sub, "repo:octo-org/octo-repo");
        assert_eq!(access.token_id(), "t1");
        assert_eq!(access.expires_at().as_seconds(), NOW + 3600);
        verify(&token, "acme/model", Permission::Read).unwrap();
    }
}

#[test]
fn j1_tokens_for_another_resource_are_refused() {
    for resource in ["acme/other", "datasets/acme/model", "Acme/model", "acme", "pkg:pypi/model"] {
        assert_eq!(verify(&signed(&valid()), resource, Permission::Read).unwrap_err().0, "resource");
    }
}

#[test]
fn a_reading_token_does_not_write() {
    let detail = AuthorizationDetail::new("acme/model".parse().unwrap(), Permission::Read);
    let reads = signed(&valid().claim("authorization_details", json!([detail])));
    verify(&reads, "acme/model", Permission::Read).unwrap();
    check(&reads, "permission");
    let none = json!([{"type": "trusted_publishing", "identifier": "acme/model", "actions": []}]);
    check(&signed(&valid().claim("authorization_details", none)), "permission");
}

#[test]
fn j4_an_id_token_is_no_access_token() {
    let id_token = Token::valid().header("alg", "ES256").header("kid", "ec");
    check(&id_token.signed_by(&EC), "token_type");
    check(&id_token.without("typ").signed_by(&EC), "token_type");
    for typ in ["JWT", "AT+JWT", "at+jwt ", "jwt+at", ""] {
        check(&signed(&valid().header("typ", typ)), "token_type");
    }
}

#[test]
fn the_envelope_is_as_strict_as_for_id_tokens() {
    check(&signed(&valid().header("alg", "none")), "algorithm");
    check(&signed(&valid().header("jwk", EC.jwk())), "forbidden_header_member");
    check(&signed(&valid().header("kid", "other")), "unknown_key");
    check(
        &format!("hf_jwt_{}", valid().header("alg", "RS256").header("kid", "rsa").signed_by(&RSA)),
        "algorithm",
    );
    check(&format!("hf_jwt_{}", valid().signed_by(&Signer::new("ec", EC.algorithm))), "signature");
    check(&format!("{}=", signed(&valid())), "encoding");
    check(&format!("HF_{}", valid().signed_by(&EC)), "prefix");
    check("hf_oauth_0123456789", "prefix");
    check("", "prefix");
}

#[test]
fn claims_are_required_and_exact() {
    let without = |claim: &str| signed(&valid().without(claim));
    let with = |claim: &str, value: Value| signed(&valid().claim(claim, value));
    for claim in ["iss", "aud", "exp", "iat", "sub", "jti", "client_id", "act", "authorization_details"] {
        check(&without(claim), "malformed_claim");
    }
    check(&with("iss", json!("https://hub.example.com/")), "issuer");
    check(&with("aud", json!("https://registry.example.com")), "audience");
    check(&with("aud", json!([REGISTRY])), "malformed_claim");
    check(&with("exp", json!(NOW - 30)), "expired");
    check(&with("exp", json!((NOW + 30).to_string())), "malformed_claim");
    check(&with("iat", json!(NOW + 31)), "not_yet_valid");
    check(&with("nbf", json!(NOW + 31)), "not_yet_valid");
    let detail = valid().claims["authorization_details"][0].clone();
    for details in [
        json!([]),
        json!([detail, detail]),
        json!([detail, {"type": "other"}]),
        json!([{"type": "other", "identifier": "acme/model", "actions": ["write"]}]),
        json!([{"type": "trusted_publishing", "identifier": "a/b/c/d", "actions": ["write"]}]),
        json!([{"type": "trusted_publishing", "identifier": "acme/model", "actions": ["delete"]}]),
        json!(detail),
    ] {
        check(&with("authorization_details", details), "malformed_claim");
    }
}

#[cfg(feature = "fetch")]
#[tokio::test]
async fn keys_are_discovered_from_the_server() {
    use std::sync::Arc;

    use countersign_verify::{AccessTokenError, DiscoverySettings};

    use crate::fake_issuer::FakeIssuer;

    let server = Arc::new(FakeIssuer::new(REGISTRY, &[EC.jwk()]));
    let fetch: Arc<dyn countersign_verify::Fetch> = Arc::<FakeIssuer>::clone(&server);
    let settings = DiscoverySettings::default();
    let verifier = AccessTokenVerifier::discovered(
        REGISTRY.parse().unwrap(),
        REGISTRY.parse().unwrap(),
        fetch,
        settings,
    );
    let (resource, now) = ("acme/model".parse().unwrap(), UnixTime::from_seconds(NOW));
    let token = AccessToken::from(signed(&valid()));
    verifier.verify(&token, &resource, Permission::Write, now).await.unwrap();
    assert_eq!(server.requests(), 1);

    let forged = AccessToken::from(signed(&valid().header("alg", "HS256")));
    let error = verifier.verify(&forged, &resource, Permission::Write, now).await.unwrap_err();
    assert!(matches!(error, AccessTokenError::Malformed(_)) && !error.is_temporary());
}
