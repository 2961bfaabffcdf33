//! How values are written in columns, alike on every engine.

use countersign_core::UnixTime;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::StoreError;

/// A time, in Unix seconds.
pub(super) fn time(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

/// JSON as text. A NUL in it is written `\u0000`, so it fits into PostgreSQL's texts too, which have none.
pub(super) fn to_text(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(StoreError::unreadable)
}

/// An enum's name as its JSON form has it, without the quotes.
pub(super) fn to_word(value: &impl Serialize) -> Result<String, StoreError> {
    Ok(to_text(value)?.trim_matches('"').to_owned())
}

/// The enum of that name.
pub(super) fn from_word<T: DeserializeOwned>(word: String) -> Result<T, StoreError> {
    serde_json::from_value(Value::String(word)).map_err(StoreError::unreadable)
}

/// JSON for the log.
pub(super) fn json(value: &impl Serialize) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(StoreError::unreadable)
}

/// JSON as it was stored; a text where it is none.
pub(super) fn from_text(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}
