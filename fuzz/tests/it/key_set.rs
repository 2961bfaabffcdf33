//! JWK sets.

use std::sync::LazyLock;

use countersign_core::Algorithm;
use countersign_verify::KeySet;

use crate::BRIEFLY;
use crate::edit::{Edits, edited};
use crate::signer::Signer;

const RSA: &str = r#"{"keys":[{"kty":"RSA","alg":"RS256","use":"sig","kid":"r","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"o"},{"kty":"oct","k":"AA","kid":"s"}]}"#;
static OWN: LazyLock<String> = LazyLock::new(|| Signer::new().key_set());

#[test]
fn a_key_set_has_usable_public_keys_only() {
    let algorithms = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(move |edits| {
        let text = edited(&[RSA, &OWN], edits);
        let Ok(keys) = KeySet::parse(text.as_bytes(), &algorithms) else { return };
        assert!(keys.ignored().iter().all(|ignored| !ignored.to_string().is_empty()));
        let set: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut usable = 0;
        for entry in set["keys"].as_array().unwrap() {
            let Some(id) = entry["kid"].as_str().filter(|id| !id.is_empty()) else { continue };
            for algorithm in Algorithm::ALL {
                let Ok(key) = keys.find(Some(id), algorithm) else { continue };
                usable += 1;
                assert_eq!((key.key_id(), key.algorithm()), (Some(id), algorithm));
                assert!(algorithms.contains(&algorithm));
                assert!(
                    entry["kty"] != "oct" && entry.get("d").is_none() && entry.get("k").is_none(),
                    "{entry}"
                );
                assert!(entry.get("alg").is_none_or(|named| named == algorithm.as_str()), "{entry}");
            }
        }
        assert!(usable <= set["keys"].as_array().unwrap().len(), "a key has one algorithm: {text}");
    });
}
