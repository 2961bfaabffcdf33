//! Conditions and pins as people write them on a command line.

use std::collections::BTreeMap;
use std::str::FromStr;

use thiserror::Error;

use crate::claims::Scalar;

/// A condition: `FIELD=TEXT`, or `FIELD:=JSON` for a value that is no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionArgument {
    name: String,
    value: Scalar,
}

/// An immutable id: `CLAIM=ID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinArgument {
    claim: String,
    id: String,
}

/// Why a text is neither.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgumentError {
    /// There is no `=`.
    #[error("expected {expected}, found {found:?}")]
    Form {
        /// What it should be like.
        expected: &'static str,
        /// What was written.
        found: String,
    },
    /// What follows `:=` cannot be compared with a claim.
    #[error("expected a JSON text, integer or boolean after :=, found {0:?}")]
    Json(String),
    /// A publisher is held to one id.
    #[error("{0} is there twice; a publisher is held to one id")]
    Twice(String),
}

impl ConditionArgument {
    /// All that were written. Given twice for one field, either value will do.
    pub fn collect(written: impl IntoIterator<Item = Self>) -> BTreeMap<String, Vec<Scalar>> {
        let mut conditions: BTreeMap<String, Vec<Scalar>> = BTreeMap::new();
        for Self { name, value } in written {
            conditions.entry(name).or_default().push(value);
        }
        conditions
    }
}

impl PinArgument {
    /// All that were written.
    pub fn collect(
        written: impl IntoIterator<Item = Self>,
    ) -> Result<BTreeMap<String, Option<String>>, ArgumentError> {
        let mut pins = BTreeMap::new();
        for Self { claim, id } in written {
            if pins.insert(claim.clone(), Some(id)).is_some() {
                return Err(ArgumentError::Twice(claim));
            }
        }
        Ok(pins)
    }
}

impl FromStr for ConditionArgument {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        let (name, value) = split(text, "FIELD=VALUE")?;
        let Some(name) = name.strip_suffix(':') else {
            return Ok(Self { name: name.to_owned(), value: Scalar::Text(value.to_owned()) });
        };
        let is_value = |value: &Scalar| !matches!(value, Scalar::Text(text) if text.is_empty());
        let value = serde_json::from_str(value).ok().filter(is_value);
        let value = value.ok_or_else(|| ArgumentError::Json(text.to_owned()))?;
        Ok(Self { name: name.to_owned(), value })
    }
}

impl FromStr for PinArgument {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        let (claim, id) = split(text, "CLAIM=ID")?;
        Ok(Self { claim: claim.to_owned(), id: id.to_owned() })
    }
}

fn split<'a>(text: &'a str, expected: &'static str) -> Result<(&'a str, &'a str), ArgumentError> {
    text.split_once('=').ok_or_else(|| ArgumentError::Form { expected, found: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::{ArgumentError, ConditionArgument, PinArgument};
    use crate::claims::Scalar;

    fn condition(text: &str) -> Result<(String, Scalar), ArgumentError> {
        text.parse().map(|ConditionArgument { name, value }| (name, value))
    }

    #[test]
    fn conditions_keep_their_types() {
        let text = |text: &str| Scalar::Text(text.to_owned());
        for (written, name, value) in [
            ("branch=main", "branch", text("main")),
            ("/x=a=b", "/x", text("a=b")),
            ("/x:=true", "/x", Scalar::Boolean(true)),
            ("/x:=12", "/x", Scalar::Integer(12)),
            ("/x:=\"12\"", "/x", text("12")),
            ("branch=", "branch", text("")),
        ] {
            assert_eq!(condition(written), Ok((name.to_owned(), value)), "{written}");
        }
        for written in ["branch", "/x:=", "/x:=1.5", "/x:=null", "/x:=[1]", "/x:=\"\"", "/x:=main"] {
            assert!(condition(written).is_err(), "{written}");
        }
        let all = ["b=1", "a=2", "b=3"].map(|text| text.parse().unwrap());
        assert_eq!(ConditionArgument::collect(all)["b"], [text("1"), text("3")]);
    }

    #[test]
    fn a_publisher_is_held_to_one_id() {
        let pins = |written: &[&str]| PinArgument::collect(written.iter().map(|text| text.parse().unwrap()));
        assert_eq!(pins(&["a=1", "b=2"]).unwrap()["a"], Some("1".to_owned()));
        assert_eq!(pins(&["a=1", "a=2"]), Err(ArgumentError::Twice("a".to_owned())));
        assert!("a".parse::<PinArgument>().is_err());
    }
}
