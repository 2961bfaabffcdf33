//! Threats A: envelope and JOSE header.

use countersign_core::Algorithm;
use serde_json::{Value, json};

use crate::signer::{EC, RSA, encode, key_set};
use crate::token::{AUDIENCE, NOW, Token, assemble, check, policy, verify, verify_with};

#[test]
fn the_valid_token_is_accepted() {
    let verified = verify(&Token::valid().signed()).unwrap();
    assert_eq!(verified.issuer().as_str(), "https://token.example.com");
    assert_eq!(verified.subject(), "repo:octo-org/octo-repo:ref:refs/heads/main");
    assert_eq!(verified.expires_at().as_seconds(), NOW + 290);
    assert_eq!(verified.replay_key().as_str(), "jti:3f7a2b");
    assert_eq!(verified.claims().text("repository_id"), Some("74"));
    verify(&Token::valid().header("typ", "jwt").signed()).unwrap();
    verify(&Token::valid().without("typ").signed()).unwrap();
    verify(&Token::valid().header("x5t#S256", "AAAA").header("unknown", json!([1])).signed()).unwrap();
}

#[test]
fn a_proof_that_was_put_away_is_the_same() {
    let claims = Token::valid()
        .claim("text", "\u{e9}\n\"\u{1f511}")
        .claim("numbers", json!([1, -1, 1.5, u64::MAX, 1e300]))
        .claim("deep", json!({"z": [null, true, {"a": {}}], "a": ""}));
    let token = verify(&claims.signed()).unwrap();
    let again = token.clone().fold().unfold().unwrap();
    assert_eq!(again.statement(), token.statement());
    assert_eq!(again.claims().names().collect::<Vec<_>>(), token.claims().names().collect::<Vec<_>>());
    assert_eq!(
        (again.issuer(), again.subject(), again.expires_at(), again.replay_key()),
        (token.issuer(), token.subject(), token.expires_at(), token.replay_key())
    );
    // And once more: what was read again can be put away again.
    assert_eq!(again.fold().unfold().unwrap().statement(), token.statement());
    let folded = format!("{:?}", token.fold());
    assert!(folded.contains("token.example.com") && !folded.contains("octo-org"), "{folded}");
}

#[test]
fn every_algorithm_verifies_with_its_own_key() {
    for algorithm in Algorithm::ALL {
        let signer = crate::signer::Signer::new("key", algorithm);
        let token = Token::valid().header("alg", algorithm.as_str()).header("kid", "key").signed_by(&signer);
        let policy = policy(&[algorithm], &[AUDIENCE]);
        verify_with(&token, &key_set(&[signer.jwk()]), &policy, NOW).unwrap();
    }
}

#[test]
fn a1_alg_none_is_refused() {
    for name in ["none", "None", "nOnE", "NONE", "", "rs256", "RS256 ", "RS1", "ES256K"] {
        let token = Token::valid().header("alg", name).signed();
        check(&token, "algorithm");
        let (signed, _) = token.rsplit_once('.').unwrap();
        check(&format!("{signed}."), "algorithm");
    }
    check(&Token::valid().without("alg").signed(), "header_member");
    for value in [Value::Null, json!(256), json!(["RS256"])] {
        check(&Token::valid().header("alg", value).signed(), "header_member");
    }
}

#[test]
fn a2_public_keys_are_no_hmac_secrets() {
    for name in ["HS256", "HS384", "HS512"] {
        check(&Token::valid().header("alg", name).signed(), "algorithm");
    }
}

#[test]
fn a3_keys_of_another_type_are_refused() {
    let keys = key_set(&[RSA.jwk(), EC.jwk()]);
    let both = policy(&[Algorithm::Rs256, Algorithm::Es256], &[AUDIENCE]);
    let rs256_for_ec = Token::valid().header("kid", "ec").signed();
    let es256_for_rsa = Token::valid().header("alg", "ES256").signed_by(&EC);
    for token in [rs256_for_ec, es256_for_rsa] {
        assert_eq!(verify_with(&token, &keys, &both, NOW).unwrap_err().0, "key_algorithm");
    }
}

#[test]
fn a4_algorithm_must_be_allowed_for_the_issuer() {
    let only_rs256 = policy(&[Algorithm::Rs256], &[AUDIENCE]);
    for algorithm in [Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256] {
        let token = Token::valid().header("alg", algorithm.as_str());
        let token = token.signed_by(&crate::signer::Signer::new("rsa", algorithm));
        let keys = key_set(&[RSA.jwk_with("alg", algorithm.as_str())]);
        let (code, message) = verify_with(&token, &keys, &only_rs256, NOW).unwrap_err();
        assert_eq!(code, "algorithm", "{message}");
        // A set that was read for this issuer has no such key in the first place.
        check(&token, "key_algorithm");
    }
}

#[test]
fn a5_alg_of_key_wins() {
    let keys = key_set(&[RSA.jwk_with("alg", "RS512")]);
    let both = policy(&[Algorithm::Rs256, Algorithm::Rs512], &[AUDIENCE]);
    assert_eq!(verify_with(&Token::valid().signed(), &keys, &both, NOW).unwrap_err().0, "key_algorithm");
}

#[test]
fn a5_a_key_handed_in_by_mistake_is_refused() {
    use countersign_core::{IdToken, UnixTime};
    use countersign_verify::{UnverifiedToken, VerifyError};
    let token = IdToken::from(Token::valid().signed());
    let key = key_set(&[EC.jwk()]).find(Some("ec"), Algorithm::Es256).unwrap();
    let policy = policy(&[Algorithm::Rs256], &[AUDIENCE]);
    let error = UnverifiedToken::parse(&token)
        .unwrap()
        .verify(&key, &policy, UnixTime::from_seconds(NOW))
        .unwrap_err();
    assert!(matches!(error, VerifyError::KeyAlgorithm { .. }), "{error}");
}

#[test]
fn a7_a8_a9_a21_members_that_change_or_bring_something_are_refused() {
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("jku", json!("https://evil.example.com/keys")),
        ("x5u", json!("https://evil.example.com/cert")),
        ("jwk", RSA.jwk()),
        ("x5c", json!(["MIIB"])),
        ("cty", json!("JWT")),
        ("zip", json!("DEF")),
        ("zip", Value::Null),
    ] {
        check(&Token::valid().header(name, value).signed(), "forbidden_header_member");
    }
}

#[test]
fn a10_a_missing_kid_needs_a_single_key() {
    let unnamed = Token::valid().without("kid").signed();
    verify(&unnamed).unwrap();
    let rs256 = policy(&[Algorithm::Rs256], &[AUDIENCE]);
    let another = RSA.jwk_with("kid", "another");
    for set in [[RSA.jwk(), another], [RSA.jwk(), EC.jwk()]] {
        assert_eq!(verify_with(&unnamed, &key_set(&set), &rs256, NOW).unwrap_err().0, "key_id_missing");
    }
    verify_with(&unnamed, &key_set(&[RSA.jwk_without("kid")]), &rs256, NOW).unwrap();
    let nameless = key_set(&[RSA.jwk_without("kid")]);
    assert_eq!(verify_with(&Token::valid().signed(), &nameless, &rs256, NOW).unwrap_err().0, "unknown_key");
}

#[test]
fn a11_odd_key_ids_are_refused() {
    for name in ["../../x", "' OR 1=1", "RSA", "rsa ", "rsa\0"] {
        check(&Token::valid().header("kid", name).signed(), "unknown_key");
    }
    let long = "k".repeat(10_000);
    for value in [json!(""), json!(long), json!("k".repeat(257)), json!(7), Value::Null, json!(["rsa"])] {
        check(&Token::valid().header("kid", value).signed(), "header_member");
    }
}

#[test]
fn a12_a13_a14_only_three_parts_in_compact_form() {
    let token = Token::valid().signed();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let json = json!({"payload": payload, "protected": header, "signature": signature}).to_string();
    for text in [
        format!("{token}.AAAA.AAAA"),
        format!("{token}.AAAA"),
        format!("{token}."),
        format!(".{token}"),
        signed.to_owned(),
        header.to_owned(),
        json,
        "hf_jwt_abc".to_owned(),
        ".".repeat(16 * 1024),
        String::new(),
    ] {
        check(&text, "parts");
    }
    check("..", "json");
    check(&".".repeat(1_000_000), "too_long");
}

#[test]
fn a15_base64_has_one_spelling() {
    let token = Token::valid().signed();
    // 256 bytes of signature leave four unused bits in the last character, which must be zero.
    let (rest, last) = token.split_at(token.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    for text in [
        format!("{token}="),
        format!("{token}=="),
        format!("{token}\n"),
        format!("{token} "),
        format!("{token}+"),
        format!("{token}/"),
        format!("{rest}{next}"),
        format!("{rest}\u{e9}"),
        format!(" {token}"),
        format!("Bearer {token}"),
        format!("\u{feff}{token}"),
        token.replacen('.', "=.", 1),
        token.replacen("eyJ", "eyJ\r\n", 1),
        token.replacen("eyJ", "ey+", 1),
        format!("\"{token}\""),
    ] {
        check(&text, "encoding");
    }
}

#[test]
fn a16_tokens_beyond_16_kib_are_refused() {
    check(&Token::valid().claim("padding", "x".repeat(16 * 1024)).signed(), "too_long");
    verify(&Token::valid().claim("padding", "x".repeat(11 * 1024)).signed()).unwrap();
}

#[test]
fn a17_duplicate_members_are_refused() {
    let (header, payload) = (Token::valid().header.to_string(), Token::valid().claims.to_string());
    let twice = |object: &str, member: &str| object.replacen('{', &format!("{{{member},"), 1);
    for name in
        [r#""iss":"https://evil.example.com""#, r#""\u0069ss":"x""#, r#""exp":1"#, r#""a":{"b":1,"b":2}"#]
    {
        check(&assemble(&header, twice(&payload, name), &RSA), "json");
    }
    check(&assemble(twice(&header, r#""alg":"none""#), &payload, &RSA), "json");
}

#[test]
fn a18_payloads_that_are_no_sound_object_are_refused() {
    let header = Token::valid().header.to_string();
    let payload = Token::valid().claims.to_string();
    let with = |member: &str| payload.replacen('{', &format!("{{{member},"), 1).into_bytes();
    let deep = format!(r#""deep":{}{}"#, "[".repeat(1_000), "]".repeat(1_000));
    for bytes in [
        b"[]".to_vec(),
        b"null".to_vec(),
        b"\"text\"".to_vec(),
        b"{".to_vec(),
        Vec::new(),
        [b"\xef\xbb\xbf", payload.as_bytes()].concat(),
        [payload.as_bytes(), b"{}"].concat(),
        payload.replace("octo", "\u{0}").into_bytes(),
        payload.bytes().map(|byte| if byte == b'/' { 0xff } else { byte }).collect(),
        with(r#""number":NaN"#),
        with(r#""number":1e400"#),
        with(&deep),
    ] {
        check(&assemble(&header, bytes, &RSA), "json");
    }
    check(&assemble("[]", &payload, &RSA), "json");
}

#[test]
fn a19_a20_other_kinds_of_jwt_are_refused() {
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "", "JWT "]
    {
        check(&Token::valid().header("typ", typ).signed(), "token_type");
    }
    check(&Token::valid().header("typ", Value::Null).signed(), "header_member");
    // Behind its prefix it is not even base64url of the right length, or not of JSON.
    for prefix in ["hf_jwt_", "hf_oauth_", "abc_"] {
        let (code, _) =
            verify(&format!("{prefix}{}", Token::valid().header("typ", "at+jwt").signed())).unwrap_err();
        assert!(matches!(code, "encoding" | "json"), "{code}");
    }
}

#[test]
fn a_forged_or_changed_token_is_refused() {
    check(&Token::valid().signed_by(&crate::signer::FORGER), "signature");
    let token = Token::valid().signed();
    let (_, signature) = token.rsplit_once('.').unwrap();
    let other = Token::valid().claim("repository", "evil/repo");
    check(
        &format!("{}.{}.{signature}", encode(other.header.to_string()), encode(other.claims.to_string())),
        "signature",
    );
    let (signed, _) = token.rsplit_once('.').unwrap();
    check(&format!("{signed}."), "signature");
    check(&format!("{signed}.{}", encode([0; 256])), "signature");
    check(&format!("{signed}.{}", encode([0xff; 256])), "signature");
}
