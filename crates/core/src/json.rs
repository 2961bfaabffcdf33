//! JSON objects read strictly: what two readers could understand differently is refused.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::de::Read;
use serde_json::map::Entry;
use serde_json::{Map, Value};
use thiserror::Error;

/// Why bytes are not the JSON object they should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not JSON, not UTF-8, a number out of range, nested too deeply, or a member name that occurs twice.
    #[error("{0}")]
    Invalid(String),
    /// Valid JSON, but an array, string, number, boolean or null.
    #[error("expected a JSON object, found another JSON value")]
    NotAnObject,
}

/// Reads one JSON object and nothing else.
///
/// Refuses duplicate member names at every depth (RFC 7519 §4, RFC 8725 §2.5: parsers disagree on which one wins), a
/// byte order mark, trailing bytes, numbers that no `f64` or 64-bit integer holds, and nesting beyond 127 levels.
/// Error messages name positions and member kinds, never values: they may end up in front of a stranger.
pub fn strict_object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    match str::from_utf8(bytes) {
        // All at once is sooner looked at than text by text.
        Ok(text) => object(serde_json::Deserializer::from_str(text)),
        // What is wrong first is said, wherever it is.
        Err(_) => object(serde_json::Deserializer::from_slice(bytes)),
    }
}

fn object<'de>(
    mut deserializer: serde_json::Deserializer<impl Read<'de>>,
) -> Result<Map<String, Value>, JsonError> {
    let value = Strict.deserialize(&mut deserializer).map_err(|error| describe(&error))?;
    deserializer.end().map_err(|error| describe(&error))?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(JsonError::NotAnObject),
    }
}

/// Appends an object as `serde_json` writes it.
pub fn push_object<'a>(json: &mut String, members: impl Iterator<Item = (&'a str, &'a Value)>) {
    json.push('{');
    for (index, (name, value)) in members.enumerate() {
        if index > 0 {
            json.push(',');
        }
        push_text(json, name);
        json.push(':');
        match value {
            Value::String(text) => push_text(json, text),
            value => json.push_str(&value.to_string()),
        }
    }
    json.push('}');
}

/// Appends a text as `serde_json` writes it, in a tenth of the time if it needs no escapes, as most.
pub fn push_text(json: &mut String, text: &str) {
    // Without a branch many are looked at at once; a count is no faster than one by one.
    let found = text.bytes().fold(0, |found, byte| {
        found | u8::from(byte < b' ') | u8::from(byte == b'"') | u8::from(byte == b'\\')
    });
    if found == 0 {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        json.push_str(&Value::from(text).to_string());
    }
}

fn describe(error: &serde_json::Error) -> JsonError {
    let message = error.to_string();
    if message.contains(DUPLICATE) {
        return JsonError::Invalid(format!("{DUPLICATE} at line {} column {}", error.line(), error.column()));
    }
    let what = match error.classify() {
        serde_json::error::Category::Eof => "JSON that ends early",
        _ if message.contains("recursion limit") => "JSON nested too deeply",
        _ if message.contains("number out of range") => "a JSON number out of range",
        _ => "malformed JSON",
    };
    JsonError::Invalid(format!("{what} at line {} column {}", error.line(), error.column()))
}

const DUPLICATE: &str = "a member name that occurs twice";

/// Builds a [`Value`] as `serde_json` does, except that a repeated member name is an error instead of an overwrite.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(Strict)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let Entry::Vacant(slot) = map.entry(name) else { return Err(A::Error::custom(DUPLICATE)) };
            slot.insert(members.next_value_seed(Strict)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::{push_object, strict_object};

    #[test]
    fn writes_what_serde_json_writes() {
        let values: &[&[u8]] = &[
            br#"{"":"","a\"b":"\\","c":"\u0000\u001f \u007f\u00e4\u2028","d":[1,{"e":null}],"f":{},"g":1.5e300}"#,
            br#"{"one":"only"}"#,
            b"{}",
        ];
        for text in values {
            let members = strict_object(text).unwrap();
            let mut written = String::new();
            push_object(&mut written, members.iter().map(|(name, value)| (name.as_str(), value)));
            assert_eq!(written, serde_json::to_string(&members).unwrap());
        }
    }

    #[test]
    fn reads_what_serde_json_reads() {
        let text = br#"{"a":[1,-2,3.5,"x",null,true,{"b":{}}],"c":18446744073709551615}"#;
        let expected: serde_json::Value = serde_json::from_slice(text).unwrap();
        assert_eq!(serde_json::Value::Object(strict_object(text).unwrap()), expected);
    }

    #[test]
    fn a17_a18_hostile_objects_are_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let rows: &[(&[u8], &str)] = &[
            (br#"{"iss":"a","iss":"b"}"#, "a member name that occurs twice"),
            (br#"{"x":{"k":1,"k":1}}"#, "a member name that occurs twice"),
            (br#"{"\u0069ss":"a","iss":"b"}"#, "a member name that occurs twice"),
            (b"[]", "expected a JSON object"),
            (b"\"text\"", "expected a JSON object"),
            (b"null", "expected a JSON object"),
            (b"", "JSON that ends early"),
            (b"{\"a\":1", "JSON that ends early"),
            (b"{\"a\":NaN}", "malformed JSON"),
            (b"{\"a\":1e400}", "a JSON number out of range"),
            (b"{} {}", "malformed JSON"),
            (b"\xEF\xBB\xBF{}", "malformed JSON"),
            (b"{\"a\":\"\xff\"}", "malformed JSON"),
            (deep.as_bytes(), "JSON nested too deeply"),
        ];
        for (bytes, expected) in rows {
            let message = strict_object(bytes).unwrap_err().to_string();
            assert!(
                message.starts_with(expected),
                "{message} for {}",
                String::from_utf8_lossy(&bytes[..bytes.len().min(60)])
            );
        }
    }
}
