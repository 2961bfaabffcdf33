//! Strict JSON.

use countersign_core::json::strict_object;
use serde_json::Value;

use crate::BRIEFLY;
use crate::edit::{Edits, edited};

const EXAMPLES: &[&str] = &[
    r#"{"iss":"https://a.example","aud":["x","y"],"exp":1800000000,"n":null,"f":1.5e3,"deep":{"k":[{},true]}}"#,
    r#"{"a":{"b":{"b":1},"c":"\u0061\ud83d\ude00"},"9007199254740993":18446744073709551615}"#,
    "{}",
];

/// Whatever is accepted, `serde_json` reads as the same; what it refuses is refused.
fn check(bytes: &[u8]) {
    let lax = serde_json::from_slice::<Value>(bytes);
    let Ok(strict) = strict_object(bytes) else { return };
    let strict = Value::Object(strict);
    assert_eq!(lax.unwrap(), strict);

    // It reads back as itself, and not with any of its members twice. Of a fraction, `serde_json` may miss the last bit when it
    // reads it back: one more reason why nothing is ever compared with one.
    let text = strict.to_string();
    let again = Value::Object(strict_object(text.as_bytes()).unwrap());
    assert!(again == strict || text.contains(['.', 'e']), "{text}");
    for name in strict.as_object().unwrap().keys() {
        let twice = format!("{{{}:0,{}", Value::from(name.as_str()), &text[1..]);
        assert!(strict_object(twice.as_bytes()).is_err(), "{twice}");
    }
}

#[test]
fn strict_json_is_a_part_of_json_without_duplicates() {
    bolero::check!()
        .with_test_time(BRIEFLY)
        .with_type::<Edits>()
        .for_each(|edits| check(edited(EXAMPLES, edits).as_bytes()));
}

#[test]
fn strict_json_from_random_bytes() {
    bolero::check!().with_test_time(BRIEFLY).for_each(check);
}
