//! Conditions of a search, put together from constant text; values are bound, never written.

use tokio_postgres::types::ToSql;

/// `WHERE` with what was asked for.
#[derive(Default)]
pub(super) struct Conditions {
    text: String,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Conditions {
    /// Adds a condition with one `?` if there is a value for it.
    pub(super) fn and(
        &mut self,
        condition: &'static str,
        value: Option<impl ToSql + Sync + Send + 'static>,
    ) -> &mut Self {
        if let Some(value) = value {
            self.text.push_str(if self.text.is_empty() { "WHERE " } else { " AND " });
            self.more(condition, value);
        }
        self
    }

    /// Goes on with the condition that was added last.
    pub(super) fn more(&mut self, text: &'static str, value: impl ToSql + Sync + Send + 'static) {
        self.values.push(Box::new(value));
        self.text.push_str(&text.replace('?', &format!("${}", self.values.len())));
    }

    /// The clause; empty without conditions.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The values, in the order of their numbers.
    pub(super) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}
