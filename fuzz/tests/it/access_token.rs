//! Access tokens, as registries check them.

use std::sync::LazyLock;

use countersign_core::{AccessToken, Permission, UnixTime};
use countersign_verify::{AccessTokenVerifier, AuthorizedAccess};
use serde_json::json;

use crate::BRIEFLY;
use crate::edit::{Edits, edited};
use crate::signer::Signer;

const ISSUER: &str = "https://trust.example.com";
const AUDIENCE: &str = "https://registry.example.com";

struct Registry {
    verifier: AccessTokenVerifier,
    token: String,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let signer = Signer::new();
    let keys = AccessTokenVerifier::keys(signer.key_set().as_bytes()).unwrap();
    let claims = json!({
        "iss": ISSUER, "sub": "publisher:1", "aud": AUDIENCE, "iat": 1_800_000_000, "exp": 1_800_003_600, "jti": "1",
        "client_id": "publisher:1", "act": { "iss": "https://gitlab.com", "sub": "s" },
        "authorization_details":
            [{ "type": "trusted_publishing", "identifier": "acme/model", "actions": ["read", "write"] }],
    });
    Registry {
        verifier: AccessTokenVerifier::offline(ISSUER.parse().unwrap(), AUDIENCE.parse().unwrap(), keys),
        token: signer.sign("at+jwt", &claims),
    }
});

fn verify(text: &str, resource: &str) -> Option<AuthorizedAccess> {
    let token = AccessToken::from(text.to_owned());
    let (resource, now) = (resource.parse().unwrap(), UnixTime::from_seconds(1_800_000_000));
    REGISTRY.verifier.verify(&token, &resource, Permission::Write, now).ok()
}

#[test]
fn only_the_prefix_of_an_access_token_may_change() {
    let token = format!("hf_jwt_{}", REGISTRY.token);
    assert!(verify(&token, "acme/model").is_some());
    assert!(verify(&token, "acme/other").is_none());
    bolero::check!().with_test_time(BRIEFLY).with_type::<(Edits, bool)>().for_each(
        move |(edits, prefix_only)| {
            let text = match prefix_only {
                true => format!("{}{}", edited(&["hf_jwt_", "hf_oauth_", ""], edits), REGISTRY.token),
                false => edited(&[&token], edits),
            };
            let Some(access) = verify(&text, "acme/model") else { return };
            let prefix = text.strip_suffix(&REGISTRY.token).expect("the signed part is the signed one");
            let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
            assert!(prefix.len() <= 32 && prefix.bytes().all(allowed), "{prefix:?}");
            assert!(prefix.is_empty() || prefix.ends_with('_'), "{prefix:?}");
            assert_eq!(access.resource().to_string(), "acme/model");
        },
    );
}
