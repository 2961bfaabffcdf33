//! Threats A6 and B1 to B5: which keys of a set are used.

use countersign_core::Algorithm;
use countersign_verify::{IgnoredReason, KeySet, KeySetError, NoKey};
use serde_json::{Value, json};

use crate::signer::{EC, RSA, Signer, encode, jwk_set, key_set};

/// Checks that a key is ignored for a reason, and that the good key beside it works all the same (B3).
#[track_caller]
fn check(jwk: &Value, reason: &IgnoredReason) {
    let keys = KeySet::parse(&jwk_set(&[jwk.clone(), EC.jwk()]), &ALLOWED).unwrap();
    let found: Vec<_> = keys.ignored().iter().map(countersign_verify::IgnoredKey::reason).collect();
    assert_eq!(found, [reason], "{jwk}");
    assert!(keys.find(Some("ec"), Algorithm::Es256).is_ok());
    assert!(matches!(keys.find(Some("rsa"), Algorithm::Rs256), Err(NoKey::Unknown(_))), "{jwk}");
}

const ALLOWED: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

#[test]
fn a6_keys_that_are_not_for_signatures_are_ignored() {
    for (name, value) in [
        ("use", json!("enc")),
        ("use", json!("")),
        ("use", json!(["sig"])),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!([])),
        ("key_ops", json!("verify")),
    ] {
        check(&RSA.jwk_with(name, value), &IgnoredReason::NotForSignatures);
    }
    let fine = RSA.jwk_with("key_ops", json!(["verify", "sign"]));
    assert_eq!(key_set(&[fine, EC.jwk_without("use")]).ignored(), []);
}

#[test]
fn b1_unsound_rsa_keys_are_ignored() {
    let with_n = |n: &[u8]| RSA.jwk_with("n", encode(n));
    let modulus = |length: usize| [&[0xc5; 1][..], &vec![0x35; length - 1]].concat();
    check(&with_n(&modulus(128)), &IgnoredReason::ModulusSize(1024));
    check(&with_n(&modulus(1025)), &IgnoredReason::ModulusSize(8200));
    check(&with_n(&[&[0x7f][..], &modulus(255)].concat()), &IgnoredReason::ModulusSize(2047));
    check(&with_n(&[]), &IgnoredReason::ModulusSize(0));
    let even = [&modulus(255)[..], &[0x34]].concat();
    check(&with_n(&even), &IgnoredReason::UnsoundRsa);
    for exponent in [&[1][..], &[0, 1], &[0], &[], &[2], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
        check(&RSA.jwk_with("e", encode(exponent)), &IgnoredReason::UnsoundRsa);
    }
    check(&with_n(&power_of_65537()), &IgnoredReason::Roca);
    for (name, value) in
        [("n", json!("not base64")), ("n", json!(7)), ("e", json!("AQAB==")), ("kid", json!(7))]
    {
        check(&RSA.jwk_with(name, value), &IgnoredReason::Member(if name == "kid" { "kid" } else { name }));
    }
    check(&RSA.jwk_without("n"), &IgnoredReason::Member("n"));
}

/// 65537^128, which has the fingerprint and 2049 bits: a row of Pascal's triangle in base 2^16, with carries.
fn power_of_65537() -> Vec<u8> {
    let mut digits: Vec<u64> = vec![1];
    for _ in 0..128 {
        let mut next = digits.clone();
        next.push(0);
        for (index, digit) in digits.iter().enumerate() {
            next[index + 1] += digit;
        }
        for index in 0..next.len() - 1 {
            next[index + 1] += next[index] >> 16;
            next[index] &= 0xffff;
        }
        digits = next;
    }
    let bytes = digits.iter().rev().flat_map(|digit| u16::try_from(*digit).unwrap().to_be_bytes());
    bytes.skip_while(|byte| *byte == 0).collect()
}

#[test]
fn b1_points_off_the_curve_are_ignored() {
    let ec = Signer::new("rsa", Algorithm::Es256);
    check(&ec.jwk_with("y", encode([7; 32])), &IgnoredReason::Invalid);
    check(&ec.jwk_with("x", encode([0; 32])), &IgnoredReason::Invalid);
    check(&ec.jwk_with("x", encode([7; 31])), &IgnoredReason::Member("x"));
    check(&ec.jwk_with("y", encode([7; 33])), &IgnoredReason::Member("y"));
    check(&ec.jwk_without("y"), &IgnoredReason::Member("y"));
    let ed = Signer::new("rsa", Algorithm::EdDsa);
    check(&ed.jwk_with("x", encode([7; 33])), &IgnoredReason::Member("x"));
}

#[test]
fn b2_keys_that_share_a_name_are_all_ignored() {
    let twin = EC.jwk_with("kid", "rsa");
    let keys = key_set(&[RSA.jwk(), twin.clone(), EC.jwk()]);
    assert_eq!(keys.ignored().len(), 2);
    assert!(matches!(keys.find(Some("rsa"), Algorithm::Rs256), Err(NoKey::Unknown(_))));
    assert!(matches!(keys.find(Some("rsa"), Algorithm::Es256), Err(NoKey::Unknown(_))));
    assert!(keys.find(Some("ec"), Algorithm::Es256).is_ok());
    let triplets = KeySet::parse(&jwk_set(&[RSA.jwk(), twin.clone(), twin]), &Algorithm::ALL);
    assert!(matches!(triplets, Err(KeySetError::NoUsableKey(ignored)) if ignored.len() == 3));
}

#[test]
fn b3_keys_that_are_unknown_or_not_allowed_cost_only_themselves() {
    for jwk in [
        json!({"kty": "PQ", "kid": "rsa", "alg": "ML-DSA-44"}),
        RSA.jwk_with("alg", "RSA-OAEP"),
        RSA.jwk_with("alg", "none"),
        RSA.jwk_with("alg", "HS256"),
        RSA.jwk_with("alg", "ES256"),
        RSA.jwk_with("kty", "rsa"),
        EC.jwk_with("kid", "rsa")
            .as_object()
            .map(|jwk| json!({"kty": "EC", "crv": "P-256K", "x": jwk["x"]}))
            .unwrap(),
        json!({"kty": "EC", "kid": "rsa", "crv": "P-384", "alg": "ES256"}),
        json!({"kty": "OKP", "kid": "rsa", "crv": "X25519", "x": encode([7; 32])}),
        json!({"kty": "OKP", "kid": "rsa", "crv": "P-256", "x": encode([7; 32])}),
        json!({"kty": "EC", "kid": "rsa", "crv": "Ed25519", "x": encode([7; 32])}),
    ] {
        check(&jwk, &IgnoredReason::Unsupported);
    }
    for jwk in [json!("text"), json!([]), json!({}), Value::Null] {
        check(&jwk, &IgnoredReason::NotAKey);
    }
    check(&RSA.jwk_with("alg", "RS512"), &IgnoredReason::NotAllowed);
    check(&Signer::new("rsa", Algorithm::Es384).jwk(), &IgnoredReason::NotAllowed);
}

#[test]
fn b4_keys_without_a_name_cost_only_themselves() {
    for nameless in [RSA.jwk_without("kid"), RSA.jwk_with("kid", "")] {
        let keys = key_set(&[nameless, EC.jwk()]);
        assert!(keys.find(Some("ec"), Algorithm::Es256).is_ok());
        assert!(matches!(keys.find(Some(""), Algorithm::Rs256), Err(NoKey::Unknown(_))));
        assert!(matches!(keys.find(None, Algorithm::Rs256), Err(NoKey::Unnamed(_))));
    }
}

#[test]
fn b5_private_and_symmetric_keys_are_ignored() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        check(&RSA.jwk_with(member, "AAAA"), &IgnoredReason::Private);
    }
    check(&json!({"kty": "oct", "kid": "rsa", "alg": "HS256"}), &IgnoredReason::Private);
    check(&json!({"kty": "oct", "kid": "rsa", "k": "c2VjcmV0LXNlY3JldA"}), &IgnoredReason::Private);
}

#[test]
fn an_rsa_key_without_alg_takes_the_first_of_its_issuer() {
    let jwk = jwk_set(&[RSA.jwk_without("alg")]);
    let algorithm = |allowed: &[Algorithm]| {
        KeySet::parse(&jwk, allowed).ok()?.find(Some("rsa"), allowed[0]).ok().map(|key| key.algorithm())
    };
    assert_eq!(algorithm(&[Algorithm::Ps256, Algorithm::Rs256]), Some(Algorithm::Ps256));
    assert_eq!(algorithm(&[Algorithm::Rs256, Algorithm::Ps256]), Some(Algorithm::Rs256));
    assert_eq!(algorithm(&[Algorithm::Es256]), None);
}

#[test]
fn what_is_no_set_is_an_error() {
    for text in
        ["", "[]", "{}", "<html></html>", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"keys":[],"keys":[]}"#]
    {
        let error = KeySet::parse(text.as_bytes(), &ALLOWED).unwrap_err();
        assert!(matches!(error, KeySetError::NotASet(_)), "{text}: {error}");
    }
    for set in [jwk_set(&[]), jwk_set(&[json!({})]), jwk_set(&[RSA.jwk_with("use", "enc")])] {
        assert!(matches!(KeySet::parse(&set, &ALLOWED), Err(KeySetError::NoUsableKey(_))));
    }
}

#[test]
fn notes_name_the_key_and_the_reason_and_no_material() {
    let keys = KeySet::parse(&jwk_set(&[RSA.jwk_with("d", "c2VjcmV0"), EC.jwk()]), &ALLOWED).unwrap();
    let notes: Vec<_> = keys.ignored().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notes.join("\n"), @r#"key "rsa" is ignored: it is a private or symmetric key, which has been published with the set; the issuer must replace it"#);
    assert!(!format!("{keys:?}").contains("c2VjcmV0"));
}
