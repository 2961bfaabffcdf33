//! The parameters of a request, whichever way its body was encoded.

use std::slice;

use serde_json::Value;
use thiserror::Error;

use crate::json::{JsonError, strict_object};

/// Parameters with their names. A form and a JSON object with the same content give the same answers.
pub struct Parameters(Vec<(String, Value)>);

/// Why a body has no parameters.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ParametersError {
    /// Not a JSON object, or a member occurs twice.
    #[error("the JSON body is not one object with every parameter once: {0}")]
    Json(#[from] JsonError),
    /// A parameter that must not be repeated is (RFC 6749 §3.2).
    #[error("the parameter {0} occurs more than once")]
    Repeated(String),
    /// A parameter that must be a text is something else.
    #[error("the parameter {0} must be a text")]
    NotText(String),
}

impl Parameters {
    /// Reads a JSON object. An array stands for a repeated parameter.
    pub fn from_json(body: &[u8]) -> Result<Self, ParametersError> {
        Ok(Self(strict_object(body)?.into_iter().collect()))
    }

    /// Reads `application/x-www-form-urlencoded`.
    pub fn from_form(body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(body);
        Self(pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect())
    }

    /// The one value of a parameter. Empty ones count as omitted (RFC 6749 §3.2), as does JSON's `null`.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ParametersError> {
        let (mut found, mut is_repeated) = (None, false);
        for text in self.all(name) {
            is_repeated |= found.replace(text?).is_some();
        }
        if is_repeated {
            return Err(ParametersError::Repeated(name.to_owned()));
        }
        Ok(found.filter(|text| !text.is_empty()))
    }

    /// All values of a parameter that may be repeated.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&str>, ParametersError> {
        let mut texts = self.all(name).collect::<Result<Vec<_>, _>>()?;
        if texts.len() == 1 {
            texts.retain(|text| !text.is_empty());
        }
        Ok(texts)
    }

    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = Result<&'a str, ParametersError>> {
        let named = self.0.iter().filter(move |(found, _)| found == name);
        let values = named.flat_map(|(_, value)| match value {
            Value::Array(values) => values.as_slice(),
            value => slice::from_ref(value),
        });
        let present = values.filter(|value| !value.is_null());
        present.map(move |value| value.as_str().ok_or_else(|| ParametersError::NotText(name.to_owned())))
    }
}
