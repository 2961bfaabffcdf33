//! Claims and the ways to point at one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::json::{JsonError, strict_object};

/// The claims of a token, by name.
#[derive(Clone)]
pub struct Claims {
    members: Map<String, Value>,
    /// What they were read from.
    text: Option<Vec<u8>>,
}

/// Claims that nobody reads for a while: one piece of memory, where the members are a hundred.
#[derive(Clone)]
pub(crate) enum FoldedClaims {
    /// What they were read from.
    Text(Vec<u8>),
    /// There is no text that they were read from.
    Members(Map<String, Value>),
}

impl Claims {
    /// Wraps the members of a JWT's payload.
    pub fn new(members: Map<String, Value>) -> Self {
        Self { members, text: None }
    }

    /// Reads a JWT's payload, as strictly as [`strict_object`].
    pub fn read(payload: Vec<u8>) -> Result<Self, JsonError> {
        Ok(Self { members: strict_object(&payload)?, text: Some(payload) })
    }

    /// Keeps what they can be read from again.
    pub(crate) fn fold(self) -> FoldedClaims {
        self.text.map_or(FoldedClaims::Members(self.members), FoldedClaims::Text)
    }

    /// The claim if it is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    /// The claim whatever it is.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// The value that a JSON Pointer leads to.
    pub fn at(&self, pointer: &JsonPointer) -> Option<&Value> {
        let (first, rest) = pointer.0.split_first()?;
        rest.iter().try_fold(self.members.get(first)?, |value, token| match value {
            Value::Object(members) => members.get(token),
            Value::Array(elements) => elements.get(array_index(token)?),
            _ => None,
        })
    }

    /// All claims, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.members.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The names of all claims, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// The members, for a record.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The members, for whoever reads them in another form.
    pub fn into_map(self) -> Map<String, Value> {
        self.members
    }
}

impl FoldedClaims {
    pub(crate) fn unfold(self) -> Result<Claims, JsonError> {
        match self {
            Self::Text(text) => Claims::read(text),
            Self::Members(members) => Ok(Claims::new(members)),
        }
    }
}

impl PartialEq for Claims {
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
    }
}

impl Eq for Claims {}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// RFC 6901 §4: digits without a leading zero.
fn array_index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with(['0', '+']);
    if canonical { token.parse().ok() } else { None }
}

/// A value that a claim may be compared with. Types never convert: `"74"`, `74` and `true` are three different values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A JSON string, compared code point by code point: no Unicode normalisation.
    Text(String),
    /// A JSON integer. A number with a fraction or an exponent, or beyond 64 bits, equals nothing.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
}

impl Scalar {
    /// Reads a claim; nothing but a string, an integer or a boolean can be compared.
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) => number.as_i64().map(Self::Integer),
            Value::Bool(flag) => Some(Self::Boolean(*flag)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl fmt::Display for Scalar {
    /// Writes strings bare and the other types with their name, so that `74` and `integer 74` can be told apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "integer {number}"),
            Self::Boolean(flag) => write!(f, "boolean {flag}"),
        }
    }
}

/// A JSON Pointer (RFC 6901) to one claim or into it. The empty pointer, which means the whole document, is no claim.
///
/// Claim names contain `.`, `/` and `:` in the wild (`oidc.circleci.com/project-id`), so no dotted path would do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JsonPointer(Vec<String>);

impl JsonPointer {
    /// The name of the claim that the pointer starts from.
    pub fn claim(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Whether it leads to the claim itself rather than into it.
    pub fn is_whole_claim(&self) -> bool {
        self.0.len() == 1
    }
}

/// The text is no JSON Pointer.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "expected a JSON Pointer such as /environment or /kubernetes.io/namespace (write ~1 for / and ~0 for ~), found {0:?}"
)]
pub struct JsonPointerError(String);

impl FromStr for JsonPointer {
    type Err = JsonPointerError;

    fn from_str(text: &str) -> Result<Self, JsonPointerError> {
        let error = || JsonPointerError(text.to_owned());
        let tokens = text.strip_prefix('/').filter(|rest| !rest.is_empty()).ok_or_else(error)?.split('/');
        tokens.map(unescape).collect::<Option<Vec<_>>>().map(Self).ok_or_else(error)
    }
}

fn unescape(token: &str) -> Option<String> {
    let mut text = String::with_capacity(token.len());
    let mut characters = token.chars();
    while let Some(character) = characters.next() {
        match character {
            '~' => match characters.next()? {
                '0' => text.push('~'),
                '1' => text.push('/'),
                _ => return None,
            },
            _ => text.push(character),
        }
    }
    Some(text)
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| write!(f, "/{}", token.replace('~', "~0").replace('/', "~1")))
    }
}

impl TryFrom<String> for JsonPointer {
    type Error = JsonPointerError;

    fn try_from(text: String) -> Result<Self, JsonPointerError> {
        text.parse()
    }
}

impl From<JsonPointer> for String {
    fn from(pointer: JsonPointer) -> Self {
        pointer.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{Claims, JsonPointer, Scalar};

    fn check(pointer: &str, expected: impl Into<Option<Scalar>>) {
        let claims = crate::json::strict_object(
            br#"{"a":"x","kubernetes.io":{"namespace":"ci"},"oidc.circleci.com/project-id":"p","m~n":"t","l":["u","v"],
                 "id":9007199254740993,"f":12.9,"big":18446744073709551615,"n":null,"t":true,"":"empty"}"#,
        )
        .unwrap();
        let pointer: JsonPointer = pointer.parse().unwrap();
        assert_eq!(
            Claims::new(claims).at(&pointer).and_then(Scalar::from_json),
            expected.into(),
            "{pointer}"
        );
    }

    #[test]
    fn f16_pointers_are_literal() {
        let text = |text: &str| Some(Scalar::Text(text.to_owned()));
        check("/a", text("x"));
        check("/kubernetes.io/namespace", text("ci"));
        check("/kubernetes/io/namespace", None);
        check("/oidc.circleci.com~1project-id", text("p"));
        check("/oidc.circleci.com/project-id", None);
        check("/m~0n", text("t"));
        check("/l/1", text("v"));
        check("/l/01", None);
        check("/l/+1", None);
        check("/l/-", None);
        check("/l", None);
        check("/n", None);
        check("/a/b", None);
    }

    #[test]
    fn claims_come_in_the_order_of_their_names() {
        let claims = Claims::new(crate::json::strict_object(br#"{"b":1,"c":2,"a":3,"aa":4,"B":5}"#).unwrap());
        assert!(claims.names().eq(["B", "a", "aa", "b", "c"]));
        assert!(claims.iter().map(|(name, _)| name).is_sorted());
    }

    #[test]
    fn f9_numbers_are_exact() {
        check("/id", Some(Scalar::Integer(9_007_199_254_740_993)));
        check("/f", None);
        check("/big", None);
        check("/t", Some(Scalar::Boolean(true)));
    }

    #[test]
    fn malformed_pointers_are_refused() {
        for text in ["", "/", "a", "a/b", "/a~", "/a~2", "#/a"] {
            assert!(text.parse::<JsonPointer>().is_err(), "{text:?} was accepted");
        }
    }
}
