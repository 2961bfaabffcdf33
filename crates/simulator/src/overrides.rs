//! What is different about one run.

use std::str::FromStr;

use serde_json::{Map, Value};
use thiserror::Error;

/// Claims that a run has instead of the usual ones. Claims that follow from them (`sub` from `repository`) change along,
/// unless they are overridden too; names that the provider does not know become claims as they are.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    claims: Map<String, Value>,
    immutable_subject: bool,
}

impl Overrides {
    /// None: the usual run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a claim a value of any JSON type.
    #[must_use]
    pub fn set(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(claim.to_owned(), value.into());
        self
    }

    /// Has GitHub write `sub` with ids (`repo:acme@65/train@74:…`), as in repositories made since July 2026.
    #[must_use]
    pub fn with_immutable_subject(mut self) -> Self {
        self.immutable_subject = true;
        self
    }

    /// Adds what somebody wrote as `NAME=TEXT` or `NAME:=JSON`.
    pub fn parse<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<Self, OverrideError> {
        items.into_iter().try_fold(Self::new(), |overrides, item| {
            let (name, value) = parse_item(item)?;
            Ok(overrides.set(&name, value))
        })
    }

    pub(crate) fn has_immutable_subject(&self) -> bool {
        self.immutable_subject
    }

    pub(crate) fn value(&self, claim: &str) -> Option<&Value> {
        self.claims.get(claim)
    }

    /// The overriding text, or what the claim is otherwise. A value that is no text leaves the claims derived from it as
    /// they are otherwise.
    pub(crate) fn text_or(&self, claim: &str, otherwise: impl Into<String>) -> String {
        self.claims.get(claim).and_then(Value::as_str).map_or_else(|| otherwise.into(), str::to_owned)
    }

    /// Puts the overriding values over derived claims.
    pub(crate) fn apply(&self, claims: &mut Map<String, Value>) {
        claims.extend(self.claims.clone());
    }
}

impl FromStr for Overrides {
    type Err = OverrideError;

    /// Reads items separated by white space.
    fn from_str(text: &str) -> Result<Self, OverrideError> {
        Self::parse(text.split_whitespace())
    }
}

/// The text overrides no claim.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverrideError {
    /// No `=` in it, or nothing before.
    #[error(
        "expected NAME=TEXT, such as repository=acme/other, or NAME:=JSON, such as runner_id:=7; found {0:?}"
    )]
    Form(String),
    /// After `:=` comes no JSON.
    #[error("expected JSON after {name}:= (for a text, write {name}=TEXT); found {value:?}")]
    Json {
        /// The claim.
        name: String,
        /// What came.
        value: String,
    },
}

fn parse_item(item: &str) -> Result<(String, Value), OverrideError> {
    let named = item.split_once('=').filter(|(name, _)| !name.trim_end_matches(':').is_empty());
    let (name, value) = named.ok_or_else(|| OverrideError::Form(item.to_owned()))?;
    let Some(name) = name.strip_suffix(':') else {
        return Ok((name.to_owned(), value.into()));
    };
    let json = serde_json::from_str(value)
        .map_err(|_| OverrideError::Json { name: name.to_owned(), value: value.to_owned() })?;
    Ok((name.to_owned(), json))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{OverrideError, Overrides, parse_item};

    #[test]
    fn items_are_texts_unless_json_is_asked_for() {
        for (item, name, value) in [
            ("repository=acme/other", "repository", json!("acme/other")),
            ("run_attempt=2", "run_attempt", json!("2")),
            ("runner_id:=2", "runner_id", json!(2)),
            ("ci_config_ref_uri:=null", "ci_config_ref_uri", json!(null)),
            ("environment=", "environment", json!("")),
            ("ref=refs/heads/a=b", "ref", json!("refs/heads/a=b")),
        ] {
            assert_eq!(parse_item(item), Ok((name.to_owned(), value)), "{item}");
        }
    }

    #[test]
    fn a_malformed_item_is_named() {
        let form = |text: &str| OverrideError::Form(text.to_owned());
        assert_eq!(Overrides::parse(["repository"]).err(), Some(form("repository")));
        assert_eq!(Overrides::parse(["a=b", "=x"]).err(), Some(form("=x")));
        assert_eq!(Overrides::parse([":=1"]).err(), Some(form(":=1")));
        let error = "runner_id:=seven".parse::<Overrides>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected JSON after runner_id:= (for a text, write runner_id=TEXT); found \"seven\""
        );
    }
}
