//! The parameters of a request, whichever way its body was encoded.

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

use crate::json::{JsonError, strict_object};

/// Parameters by name. A form and a JSON object with the same content make the same `Parameters`.
pub struct Parameters(BTreeMap<String, Vec<Value>>);

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
        let members = strict_object(body)?.into_iter().map(|(name, value)| {
            let values = match value {
                Value::Array(values) => values,
                value => vec![value],
            };
            (name, values)
        });
        Ok(Self(members.collect()))
    }

    /// Reads `application/x-www-form-urlencoded`.
    pub fn from_form(body: &[u8]) -> Self {
        let mut parameters: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            parameters.entry(name.into_owned()).or_default().push(Value::String(value.into_owned()));
        }
        Self(parameters)
    }

    /// The one value of a parameter. Empty ones count as omitted (RFC 6749 §3.2), as does JSON's `null`.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ParametersError> {
        match self.texts(name)?.as_slice() {
            [] => Ok(None),
            [text] => Ok(Some(text)),
            _ => Err(ParametersError::Repeated(name.to_owned())),
        }
    }

    /// All values of a parameter that may be repeated.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&str>, ParametersError> {
        let present = self.0.get(name).into_iter().flatten().filter(|value| !value.is_null());
        let texts =
            present.map(|value| value.as_str().ok_or_else(|| ParametersError::NotText(name.to_owned())));
        let mut texts = texts.collect::<Result<Vec<_>, _>>()?;
        if texts.len() == 1 {
            texts.retain(|text| !text.is_empty());
        }
        Ok(texts)
    }
}
