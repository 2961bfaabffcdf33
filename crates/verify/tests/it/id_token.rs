//! Threats B7, D and E6: the registered claims of id tokens.

use countersign_core::Algorithm;
use serde_json::{Value, json};

use crate::signer::{EC, FORGER, RSA, encode, key_set};
use crate::token::{AUDIENCE, NOW, Token, check, policy, verify, verify_with};

const LEEWAY: i64 = 30;

/// What is not a `NumericDate`, whatever the claim.
fn odd_times() -> Vec<Value> {
    vec![
        json!((NOW + 100).to_string()),
        json!(1_800_000_100.0),
        json!(1.8e9),
        json!(1e30),
        json!(-1),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(253_402_300_800_i64),
        Value::Null,
        json!(true),
        json!([NOW]),
        json!({}),
    ]
}

#[test]
fn b7_a_key_of_one_issuer_never_verifies_a_token_of_another() {
    // The other issuer's token is good, and signed with the other issuer's key of the same name.
    let theirs = Token::valid().claim("iss", "https://other.example.com").signed_by(&FORGER);
    check(&theirs, "signature");
    let their_keys = key_set(&[FORGER.jwk()]);
    let ours = policy(&[Algorithm::Rs256], &[AUDIENCE]);
    assert_eq!(verify_with(&theirs, &their_keys, &ours, NOW).unwrap_err().0, "issuer");
    assert_eq!(verify_with(&Token::valid().signed(), &their_keys, &ours, NOW).unwrap_err().0, "signature");
}

#[test]
fn d1_exp_must_be_a_whole_number() {
    check(&Token::valid().without("exp").signed(), "malformed_claim");
    for value in odd_times() {
        check(&Token::valid().claim("exp", value).signed(), "malformed_claim");
    }
    check(&Token::valid().claim("exp", 0).signed(), "expired");
}

#[test]
fn d2_exp_is_forgiven_the_leeway_and_no_more() {
    let at = |offset: i64| {
        let token = Token::valid().claim("exp", NOW + offset).claim("iat", NOW - 300).signed();
        verify(&token).map(|verified| verified.expires_at().as_seconds()).map_err(|(code, _)| code)
    };
    assert_eq!(at(-LEEWAY - 1), Err("expired"));
    assert_eq!(at(-LEEWAY), Err("expired"));
    assert_eq!(at(-LEEWAY + 1), Ok(NOW - LEEWAY + 1));
    assert_eq!(at(0), Ok(NOW));
}

#[test]
fn d3_nbf_must_not_lie_ahead() {
    for value in odd_times() {
        check(&Token::valid().claim("nbf", value).signed(), "malformed_claim");
    }
    check(&Token::valid().claim("nbf", NOW + LEEWAY + 1).signed(), "not_yet_valid");
    verify(&Token::valid().claim("nbf", NOW + LEEWAY).signed()).unwrap();
    verify(&Token::valid().without("nbf").signed()).unwrap();
    verify(&Token::valid().claim("nbf", 0).signed()).unwrap();
}

#[test]
fn d4_iat_is_required_and_must_not_lie_ahead() {
    check(&Token::valid().without("iat").signed(), "malformed_claim");
    for value in odd_times() {
        check(&Token::valid().claim("iat", value).signed(), "malformed_claim");
    }
    check(&Token::valid().claim("iat", NOW + LEEWAY + 1).signed(), "not_yet_valid");
    verify(&Token::valid().claim("iat", NOW + LEEWAY).signed()).unwrap();
}

#[test]
fn d5_lifetime_is_bounded() {
    let lifetime = |seconds: i64| Token::valid().claim("iat", NOW).claim("exp", NOW + seconds).signed();
    verify(&lifetime(3600)).unwrap();
    verify(&lifetime(1)).unwrap();
    check(&lifetime(3601), "lifetime");
    check(&lifetime(0), "lifetime");
    check(&lifetime(-1), "lifetime");
    check(&Token::valid().claim("exp", 253_402_300_799_i64).claim("iat", 0).signed(), "lifetime");
}

#[test]
fn d6_age_is_bounded() {
    let age = |seconds: i64| Token::valid().claim("iat", NOW - seconds).claim("exp", NOW + 60).signed();
    verify(&age(600 + LEEWAY)).unwrap();
    check(&age(600 + LEEWAY + 1), "too_old");
}

#[test]
fn d7_every_audience_is_ours() {
    check(&Token::valid().without("aud").signed(), "audience");
    for aud in [
        json!(""),
        json!([]),
        json!(7),
        Value::Null,
        json!({"https://hub.example.com": true}),
        json!("https://hub.example.com.evil"),
        json!("https://hub.example.com/"),
        json!("https://HUB.example.com"),
        json!("https://hub.example.co"),
        json!(" https://hub.example.com"),
        json!("https://hub.example.com\0"),
        json!([AUDIENCE, "https://other.example.com"]),
        json!(["https://other.example.com", AUDIENCE]),
        json!([AUDIENCE, 7]),
        json!([AUDIENCE, null]),
        json!([[AUDIENCE]]),
        json!(vec!["x".repeat(500); 20]),
    ] {
        check(&Token::valid().claim("aud", aud).signed(), "audience");
    }
    verify(&Token::valid().claim("aud", json!([AUDIENCE])).signed()).unwrap();
}

#[test]
fn d7_several_audiences_only_where_configured() {
    let several = policy(&[Algorithm::Rs256], &[AUDIENCE, "ari:cloud:bitbucket::workspace/1"]);
    let accepts = |aud: Value| {
        let token = Token::valid().claim("aud", aud).signed();
        verify_with(&token, &key_set(&[RSA.jwk()]), &several, NOW).is_ok()
    };
    assert!(accepts(json!("ari:cloud:bitbucket::workspace/1")));
    assert!(accepts(json!([AUDIENCE, "ari:cloud:bitbucket::workspace/1"])));
    assert!(!accepts(json!([AUDIENCE, "ari:cloud:bitbucket::workspace/2"])));
}

#[test]
fn d9_iss_is_one_string_and_the_issuer_of_the_key() {
    for token in [
        Token::valid().without("iss"),
        Token::valid().claim("iss", json!(["https://token.example.com"])),
        Token::valid().claim("iss", Value::Null),
        Token::valid().claim("iss", 7),
    ] {
        check(&token.signed(), "issuer");
    }
    for iss in [
        "",
        "https://token.example.com/",
        "https://token.example.com.evil",
        "https://TOKEN.example.com",
        "http://token.example.com",
        "https://other.example.com",
    ] {
        check(&Token::valid().claim("iss", iss).signed(), "issuer");
    }
}

#[test]
fn d10_sub_is_a_plain_string() {
    check(&Token::valid().without("sub").signed(), "malformed_claim");
    for sub in [
        json!(""),
        json!(7),
        Value::Null,
        json!(["a"]),
        json!("s".repeat(1025)),
        json!("s".repeat(10_000)),
        json!("a\nb"),
        json!("a\0b"),
        json!("a\u{85}b"),
        json!("a\u{7f}b"),
    ] {
        check(&Token::valid().claim("sub", sub).signed(), "malformed_claim");
    }
    verify(&Token::valid().claim("sub", "s".repeat(1024)).signed()).unwrap();
}

#[test]
fn e6_an_odd_jti_is_refused_and_a_missing_one_replaced() {
    let long = "j".repeat(10_000);
    for jti in
        [json!(""), json!(7), Value::Null, json!(["a"]), json!(long), json!("j".repeat(256)), json!("a\0")]
    {
        check(&Token::valid().claim("jti", jti).signed(), "malformed_claim");
    }
    verify(&Token::valid().claim("jti", "j".repeat(255)).signed()).unwrap();
    let replay_key = |token: Token| verify(&token.signed()).unwrap().replay_key().as_str().to_owned();
    let without = Token::valid().without("jti");
    assert!(replay_key(without.clone()).starts_with("sha256:"));
    assert_eq!(replay_key(without.clone()), replay_key(without.clone()));
    assert_ne!(replay_key(without.clone()), replay_key(without.claim("sub", "another")));
}

/// Whoever holds an ECDSA signature (r, s) can make (r, n − s) of it without the key.
#[test]
fn e6_a_second_signature_does_not_make_a_second_token() {
    let keys = key_set(&[EC.jwk()]);
    let es256 = policy(&[Algorithm::Es256], &[AUDIENCE]);
    let token = Token::valid().header("alg", "ES256").header("kid", "ec").without("jti").signed_by(&EC);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let twin = format!("{signed}.{}", encode(twin_of(signature)));
    let replay_key = |token: &str| verify_with(token, &keys, &es256, NOW).unwrap().replay_key().clone();
    assert_ne!(token, twin);
    assert_eq!(replay_key(&token), replay_key(&twin));
}

fn twin_of(signature: &str) -> Vec<u8> {
    use base64::Engine;
    /// The order of P-256.
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0;
    for (digit, order) in bytes[32..].iter_mut().zip(ORDER).rev() {
        let difference = i16::from(order) - i16::from(*digit) - borrow;
        borrow = i16::from(difference < 0);
        *digit = difference.to_le_bytes()[0];
    }
    bytes
}
