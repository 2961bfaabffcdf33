//! What an entry of the log is about.

use serde_json::Value;

/// A change, as whoever makes it describes it.
pub(in crate::store) struct Entry<'a> {
    /// `publisher.added` …
    pub(in crate::store) action: &'a str,
    /// `publisher:ID` …
    pub(in crate::store) target: String,
    /// The resource.
    pub(in crate::store) resource: Option<&'a str>,
    /// What it was like.
    pub(in crate::store) before: Option<Value>,
    /// What it is like.
    pub(in crate::store) after: Option<Value>,
}

impl<'a> Entry<'a> {
    /// An entry without a resource, before and after.
    pub(in crate::store) fn new(action: &'a str, target: String) -> Self {
        Self { action, target, resource: None, before: None, after: None }
    }
}
