//! The values of a condition: one, or a list of which a run must have one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use crate::claims::Scalar;

/// One value or several. Types are kept: `12`, `"12"` and `true` are different values.
#[derive(Debug)]
pub(super) struct Values(pub(super) Vec<Scalar>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMore)
    }
}

/// Said of whatever else comes: YAML reads `1.10` as a number, and a version written so would lose its zero.
const EXPECTED: &str =
    "a text, an integer, true or false (write what looks like another kind of value in quotes)";

struct OneOrMore;

impl<'de> Visitor<'de> for OneOrMore {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{EXPECTED}, or a list of them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Values, E> {
        One.visit_str(text).map(only)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Values, E> {
        One.visit_bool(flag).map(only)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Values, E> {
        One.visit_i64(number).map(only)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Values, E> {
        One.visit_u64(number).map(only)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Values, A::Error> {
        let mut values = Vec::new();
        while let Some(Single(value)) = elements.next_element()? {
            values.push(value);
        }
        Ok(Values(values))
    }
}

fn only(value: Scalar) -> Values {
    Values(vec![value])
}

struct Single(Scalar);

impl<'de> Deserialize<'de> for Single {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(One).map(Self)
    }
}

struct One;

impl Visitor<'_> for One {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Scalar, E> {
        Ok(Scalar::Boolean(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
        let number = i64::try_from(number);
        number.map(Scalar::Integer).map_err(|_| E::custom("expected an integer of at most 64 bits"))
    }
}
