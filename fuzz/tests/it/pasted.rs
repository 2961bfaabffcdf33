//! What people paste.

use countersign_core::pasted::read_pasted;
use countersign_core::publisher::RawRules;
use countersign_core::{Provider, Rules, Scalar};

use crate::BRIEFLY;
use crate::edit::{Edits, edited};

const SEEDS: [&str; 8] = [
    "https://github.com/acme/train/tree/main",
    "git@github.com:acme/train.git",
    "https://gitlab.com/acme/ml/train/-/blob/main/ci/publish.yml",
    "https://gitlab.com/acme/train/-/tags/v1",
    "https://github.com/acme/train/actions/workflows/publish.yml",
    "https://octocat:secret@github.com/acme/train",
    "refs/heads/main",
    "https://buildkite.com/acme/train/builds/7?x#y",
];

/// What is taken for a value is a value: read again it stays, and it passes the rules as far as it alone decides.
#[test]
fn what_is_taken_stays_what_it_is() {
    bolero::check!().with_test_time(BRIEFLY).with_type::<(u8, u8, Edits)>().for_each(
        |(provider, field, edits)| {
            let provider = Provider::ALL[usize::from(*provider) % Provider::ALL.len()];
            let preset = provider.preset();
            let Some(field) = preset.fields.get(usize::from(*field) % preset.fields.len().max(1)) else {
                return;
            };
            let issuer = preset.issuers.first().copied().unwrap_or("https://ci.example.com");
            let issuer = issuer.parse().unwrap();
            let value = Scalar::Text(edited(&SEEDS, edits));
            let conditions = [(field.name.to_owned(), vec![value])].into();
            let raw = RawRules { issuer, provider, conditions, pins: [].into(), allowed_events: [].into() };
            let Ok(pasted) = read_pasted(raw) else { return };
            let again = read_pasted(pasted.rules.clone()).unwrap();
            assert!(again.changes.is_empty(), "{pasted:?} is taken for something else again: {again:?}");
            if let Err(error) = Rules::try_from(pasted.rules.clone()) {
                let error = error.to_string();
                assert!(!error.starts_with("expected"), "{pasted:?}: {error}");
            }
        },
    );
}
