//! The answers.

use countersign_core::token_exchange::{ErrorDescription, TokenResponse};

use crate::BRIEFLY;
use crate::edit::{Edits, edited};

const EXAMPLES: &[&str] = &[
    r#"{"access_token":"hf_jwt_eyJ","token_type":"bearer","expires_in":3600,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}"#,
    r#"{"access_token":"t","scope":"write","x":[1]}"#,
];

#[test]
fn an_answer_has_a_token_and_reads_back_as_itself() {
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(|edits| {
        let body = edited(EXAMPLES, edits);
        let Ok(response) = TokenResponse::from_json(body.as_bytes()) else { return };
        assert!(!response.access_token.expose().is_empty());
        let json = response.to_json().unwrap();
        let again = TokenResponse::from_json(json.as_bytes()).unwrap();
        assert_eq!(again.to_json().unwrap(), json);
        assert_eq!(again.expires_in, response.expires_in);
    });
}

#[test]
fn an_error_description_keeps_to_its_character_set() {
    bolero::check!().with_test_time(BRIEFLY).with_type::<String>().for_each(|text| {
        let description = ErrorDescription::from(text.as_str());
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(description.as_str().len() <= 1000 && description.as_str().bytes().all(allowed));
        assert_eq!(ErrorDescription::from(description.as_str()), description);
    });
}
