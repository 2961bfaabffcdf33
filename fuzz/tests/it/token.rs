//! Id tokens.

use std::sync::LazyLock;
use std::time::Duration;

use countersign_core::{Algorithm, IdToken, UnixTime, VerifiedToken};
use countersign_verify::{IssuerPolicy, KeySet, UnverifiedToken};
use serde_json::json;

use crate::BRIEFLY;
use crate::edit::{Edits, edited};
use crate::signer::{Signer, encode};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const HEADER: &str = r#"{"alg":"ES256","kid":"fuzz","typ":"JWT","x5t":"t"}"#;
const CLAIMS: &str = r#"{"iss":"https://ci.example.com","sub":"s","aud":"https://hub.example.com","iat":1800000000,"nbf":1799999400,"exp":1800000300,"jti":"1"}"#;

struct Issuer {
    keys: KeySet,
    policy: IssuerPolicy,
    signed: String,
}

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let signer = Signer::new();
    let algorithms = vec![Algorithm::Es256, Algorithm::Rs256];
    let hour = Duration::from_hours(1);
    let (issuer, audience) =
        ("https://ci.example.com".parse().unwrap(), "https://hub.example.com".parse().unwrap());
    Issuer {
        keys: KeySet::parse(signer.key_set().as_bytes(), &algorithms).unwrap(),
        policy: IssuerPolicy::new(issuer, vec![audience], algorithms, hour, hour).unwrap(),
        signed: signer.sign("JWT", &serde_json::from_str(CLAIMS).unwrap()),
    }
});

fn verify(text: &str) -> Option<VerifiedToken> {
    let token = IdToken::from(text.to_owned());
    let unverified = UnverifiedToken::parse(&token).ok()?;
    assert_eq!(format!("{unverified:?}"), "UnverifiedToken(redacted)");
    let key = ISSUER.keys.find(unverified.key_id(), unverified.algorithm());
    // Where the key is not named rightly, the right one is tried all the same: the signature alone must do.
    let key = key.or_else(|_| ISSUER.keys.find(Some("fuzz"), Algorithm::Es256)).unwrap();
    unverified.verify(&key, &ISSUER.policy, NOW).ok()
}

#[test]
fn nothing_but_the_signed_token_verifies() {
    assert_eq!(verify(&ISSUER.signed).unwrap().subject(), "s");
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(|edits| {
        let text = edited(&[&ISSUER.signed], edits);
        assert_eq!(verify(&text).is_some(), text == ISSUER.signed, "{text}");
    });
}

/// Header and claims are good JSON, edited: they get further than a token whose base64url is broken.
#[test]
fn nothing_unsigned_verifies() {
    let headers = &[HEADER, r#"{"alg":"none"}"#, r#"{"alg":"ES256","crit":["b64"],"b64":false,"jwk":{}}"#];
    bolero::check!().with_test_time(BRIEFLY).with_type::<(Edits, Edits, Vec<u8>)>().for_each(
        |(header, claims, signature)| {
            let (header, claims) = (edited(headers, header), edited(&[CLAIMS], claims));
            let signatures =
                [encode(signature), ISSUER.signed.rsplit('.').next().unwrap().to_owned(), String::new()];
            for signature in signatures {
                let text = format!("{}.{}.{signature}", encode(&header), encode(&claims));
                assert!(verify(&text).is_none(), "{header} {claims}");
            }
        },
    );
}

/// The issuer signs whatever it likes: what then verifies keeps what the policy promises.
#[test]
fn a_signed_token_keeps_to_the_policy() {
    let signer = Signer::new();
    let keys = KeySet::parse(signer.key_set().as_bytes(), &[Algorithm::Es256]).unwrap();
    let key = keys.find(None, Algorithm::Es256).unwrap();
    for (change, good) in [(json!({}), true), (json!({ "aud": ["https://hub.example.com", "x"] }), false)] {
        let mut claims: serde_json::Map<_, _> = serde_json::from_str(CLAIMS).unwrap();
        claims.extend(change.as_object().unwrap().clone());
        let token = IdToken::from(signer.sign("JWT", &claims.into()));
        let verified = UnverifiedToken::parse(&token).unwrap().verify(&key, &ISSUER.policy, NOW);
        assert_eq!(verified.is_ok(), good);
    }
    let state = std::panic::AssertUnwindSafe((signer, key));
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(move |edits| {
        let (signer, key) = &*state;
        let Ok(claims) = serde_json::from_str::<serde_json::Value>(&edited(&[CLAIMS], edits)) else { return };
        let token = IdToken::from(signer.sign("JWT", &claims));
        let Ok(unverified) = UnverifiedToken::parse(&token) else { return };
        let Ok(verified) = unverified.verify(key, &ISSUER.policy, NOW) else { return };
        assert_eq!(claims["iss"], "https://ci.example.com");
        let ours = |value: &serde_json::Value| value == "https://hub.example.com";
        assert!(
            ours(&claims["aud"])
                || claims["aud"].as_array().is_some_and(|all| !all.is_empty() && all.iter().all(ours))
        );
        let (start, end) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        assert!((1..=3600).contains(&(end - start)), "{claims}");
        assert!(start <= NOW.as_seconds() + 30 && end > NOW.as_seconds() - 30, "{claims}");
        assert_eq!(verified.expires_at().as_seconds(), end);
        assert!(claims["jti"].is_string() || claims.get("jti").is_none(), "{claims}");
    });
}
