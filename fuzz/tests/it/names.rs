//! Small values: audiences, algorithms, publisher ids, JSON Pointers.

use countersign_core::claims::JsonPointer;
use countersign_core::{Algorithm, Audience, Claims, PublisherId};
use serde_json::{Map, Value, json};

use crate::BRIEFLY;
use crate::edit::{Edits, edited};

#[test]
fn an_audience_is_one_visible_word() {
    let examples = &["https://hub.example.com", "api://AzureADTokenExchange", "ü"];
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(|edits| {
        let text = edited(examples, edits);
        let Ok(audience) = text.parse::<Audience>() else { return };
        assert_eq!(audience.as_str(), text);
        assert!((1..=512).contains(&text.len()));
        assert!(!text.chars().any(|character| character.is_whitespace() || character.is_control()));
    });
}

#[test]
fn an_algorithm_is_one_of_ten_exact_names() {
    let examples = &["RS256", "ES512", "EdDSA", "PS384", "HS256", "none", "rs256"];
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(|edits| {
        let text = edited(examples, edits);
        let known = Algorithm::ALL.iter().any(|algorithm| algorithm.as_str() == text);
        assert_eq!(text.parse::<Algorithm>().map(String::from).ok(), known.then_some(text));
    });
}

#[test]
fn a_publishers_id_is_a_lower_case_uuid() {
    let examples = &["01890000-0000-7000-8000-00000000abcd", "01890000-0000-7000-8000-00000000ABCD"];
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(|edits| {
        let text = edited(examples, edits);
        let Ok(id) = text.parse::<PublisherId>() else { return };
        assert_eq!(id.as_str(), text);
        assert_eq!(text.len(), 36);
        assert!(text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-')));
    });
}

#[test]
fn a_json_pointer_leads_where_rfc_6901_says() {
    let claims =
        json!({ "a": { "b~c": { "d/e": ["x", { "f": 1 }] } }, "k.io/n": true, "0": [0], "": { "": 2 } });
    let Value::Object(members) = claims.clone() else { unreachable!() };
    let members: Map<String, Value> = members;
    let examples = &["/a/b~0c/d~1e/1/f", "/k.io~1n", "/0/0", "/a/b~0c/d~1e/0", "//", "/a"];
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(|edits| {
        let text = edited(examples, edits);
        let Ok(pointer) = text.parse::<JsonPointer>() else { return };
        assert_eq!(pointer.to_string(), text);
        assert_eq!(text.parse::<JsonPointer>().as_ref(), Ok(&pointer));
        // serde_json is the oracle.
        assert_eq!(Claims::new(members.clone()).at(&pointer), claims.pointer(&text), "{text}");
    });
}
