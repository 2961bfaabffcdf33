//! Conditions of a search, put together from constant text; values are bound, never written.

use rusqlite::types::Value;

/// `WHERE` with what was asked for.
#[derive(Default)]
pub(super) struct Conditions {
    text: String,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds a condition with one `?` if there is a value for it.
    pub(super) fn and<V: Into<Value>>(&mut self, condition: &'static str, value: Option<V>) -> &mut Self {
        if let Some(value) = value {
            self.text.push_str(if self.text.is_empty() { "WHERE " } else { " AND " });
            self.text.push_str(condition);
            self.values.push(value.into());
        }
        self
    }

    /// Goes on with the condition that was added last.
    pub(super) fn more<V: Into<Value>>(&mut self, text: &'static str, value: V) {
        self.text.push_str(text);
        self.values.push(value.into());
    }

    /// The clause; empty without conditions.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The values, in the order of the question marks.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }
}
