//! What we accept, `jsonwebtoken` accepts.

use countersign_core::{Algorithm, UnixTime};
use jsonwebtoken::{DecodingKey, Validation};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::signer::{RSA, encode, key_set};
use crate::token::{AUDIENCE, ISSUER, Token, policy, verify_with};

/// What is done to a valid token before, or after, it is signed.
#[derive(Clone, Debug)]
enum Mutation {
    Header(String, Value),
    Claim(String, Value),
    Remove(String),
    Byte(usize, u8),
    Cut(usize),
    Insert(usize, char),
}

/// Values that readers of JSON are known to treat differently, and those that would be right somewhere.
fn value() -> impl Strategy<Value = Value> {
    let now = now();
    prop_oneof![
        prop::sample::select(vec![
            Value::Null,
            json!(true),
            json!(""),
            json!([]),
            json!({}),
            json!("none"),
            json!("RS256"),
            json!("HS256"),
            json!("JWT"),
            json!("rsa"),
            json!(ISSUER),
            json!([ISSUER]),
            json!(AUDIENCE),
            json!([AUDIENCE]),
            json!([AUDIENCE, "other"]),
            json!(1e30),
            json!(-1),
            json!(now.to_string()),
        ]),
        (now - 200..now + 200).prop_map(|seconds| json!(seconds)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,20}".prop_map(Value::from),
    ]
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let headers = prop::sample::select(vec!["alg", "kid", "typ", "cty", "crit", "b64", "jku", "zip"]);
    let claims = || prop::sample::select(vec!["iss", "aud", "sub", "jti", "exp", "iat", "nbf", "repository"]);
    prop_oneof![
        (headers, value()).prop_map(|(name, value)| Mutation::Header(name.to_owned(), value)),
        (claims(), value()).prop_map(|(name, value)| Mutation::Claim(name.to_owned(), value)),
        claims().prop_map(|name| Mutation::Remove(name.to_owned())),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte & 0x7f)),
        any::<usize>().prop_map(Mutation::Cut),
        (any::<usize>(), prop::sample::select(vec!['.', '=', ' ', '\n', 'A', '+']))
            .prop_map(|(at, character)| Mutation::Insert(at, character)),
    ]
}

fn now() -> i64 {
    i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap()
}

fn mutated(mutations: &[Mutation], now: i64) -> String {
    let mut token = Token::valid().claim("iat", now - 10).claim("nbf", now - 10).claim("exp", now + 290);
    for mutation in mutations {
        token = match mutation {
            Mutation::Header(name, value) => token.header(name, value.clone()),
            Mutation::Claim(name, value) => token.claim(name, value.clone()),
            Mutation::Remove(name) => token.without(name),
            _ => token,
        };
    }
    let mut text = token.signed();
    for mutation in mutations {
        match mutation {
            Mutation::Byte(at, byte) => {
                let at = at % text.len();
                text.replace_range(at..=at, &char::from(*byte).to_string());
            }
            Mutation::Cut(at) => text.truncate(at % text.len().max(1)),
            Mutation::Insert(at, character) => text.insert(at % (text.len() + 1), *character),
            _ => {}
        }
        if text.is_empty() {
            break;
        }
    }
    text
}

fn oracle(token: &str) -> Result<(), String> {
    let jwk = RSA.jwk();
    let key =
        DecodingKey::from_rsa_components(jwk["n"].as_str().unwrap(), jwk["e"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    validation.leeway = 30;
    validation.validate_nbf = true;
    let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation);
    decoded.map(|_| ()).map_err(|error| error.to_string())
}

fn ours(token: &str, now: i64) -> Result<(), String> {
    let policy = policy(&[Algorithm::Rs256], &[AUDIENCE]);
    verify_with(token, &key_set(&[RSA.jwk()]), &policy, now).map(|_| ()).map_err(|(code, _)| code.to_owned())
}

#[test]
fn both_accept_the_valid_token() {
    let now = now();
    let token = mutated(&[], now);
    assert_eq!((ours(&token, now), oracle(&token)), (Ok(()), Ok(())));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// We refuse more, on purpose: `crit`, `b64`, `jku`, `jwk`, `x5u`, `x5c`, `cty`, `zip` and foreign `typ` in the header;
    /// an unknown or odd `kid` (the oracle is given its key); duplicate members; times that are no integers; a missing or
    /// future `iat`; long lifetime and great age; a second audience; an empty or odd `sub` or `jti`; more than 16 KiB. Known the other way round: an `x5t` that is no
    /// string, which the oracle refuses and we never read.
    #[test]
    fn we_never_accept_what_the_oracle_refuses(mutations in prop::collection::vec(mutation(), 0..3)) {
        let now = now();
        let token = mutated(&mutations, now);
        if ours(&token, now).is_ok() {
            prop_assert_eq!(oracle(&token), Ok(()), "{:?}", mutations);
        }
    }

    /// Whatever comes in, the answer is a refusal, in few words.
    #[test]
    fn arbitrary_text_is_refused(text in ".{0,200}", parts in prop::collection::vec(any::<Vec<u8>>(), 0..5)) {
        let joined = parts.iter().map(encode).collect::<Vec<_>>().join(".");
        for token in [text, joined] {
            prop_assert!(verify_with(&token, &key_set(&[RSA.jwk()]), &policy(&[Algorithm::Rs256], &[AUDIENCE]),
                UnixTime::from_seconds(0).as_seconds()).is_err());
        }
    }
}
