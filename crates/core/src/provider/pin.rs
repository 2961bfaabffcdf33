//! Immutable ids (invariant 6: names are not identities), and the forms that they have.

use std::borrow::Cow;

use super::field::{Read, text};
use crate::statement::Statement;

/// An immutable id that a provider puts beside a name.
#[derive(Debug)]
pub struct Pin {
    /// The claim, or the names on the way into it.
    pub claim: &'static str,
    /// The field whose condition makes it be learned at first use.
    pub learned_with: &'static str,
    /// What a run has in common with others of that id.
    pub marks: Marks,
    /// Whether a text can be such an id.
    pub is_id: fn(&str) -> bool,
    /// What an id looks like, for messages.
    pub form: &'static str,
    /// Reads it from a token and its claim; `None` is no id.
    pub read: Read,
}

/// What runs of one id have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// The place that they come from: a repository, project, pipeline, app or identity of a machine. A run with the place's id
    /// may know what a publisher of that place demands (invariant 10).
    Place,
    /// Whose account they run in. It limits who may come, but many who share an account are strangers to each other.
    Account,
}

impl Pin {
    /// The same, as the id of the place that runs come from.
    pub(super) const fn of_place(self) -> Self {
        Self { marks: Marks::Place, ..self }
    }

    /// A number.
    pub(super) const fn decimal(claim: &'static str, learned_with: &'static str) -> Self {
        Self {
            claim,
            learned_with,
            marks: Marks::Account,
            is_id: is_decimal_id,
            form: "1 to 20 digits",
            read: text,
        }
    }

    /// A UUID.
    pub(super) const fn uuid(claim: &'static str, learned_with: &'static str) -> Self {
        Self { claim, learned_with, marks: Marks::Account, is_id: is_uuid, form: UUID, read: text }
    }

    /// A UUID in braces, which are part of it.
    pub(super) const fn braced_uuid(claim: &'static str, learned_with: &'static str) -> Self {
        Self {
            claim,
            learned_with,
            marks: Marks::Account,
            is_id: is_braced_uuid,
            form: BRACED_UUID,
            read: text,
        }
    }

    /// A text of which nothing is known but that its provider never gives it twice.
    pub(super) const fn opaque(claim: &'static str, learned_with: &'static str) -> Self {
        Self { claim, learned_with, marks: Marks::Account, is_id: is_opaque_id, form: OPAQUE, read: text }
    }

    /// The same, read otherwise than as the whole claim.
    pub(super) const fn read_by(self, read: Read) -> Self {
        Self { read, ..self }
    }

    /// The id in a token.
    pub fn value_in<'a>(&self, statement: &'a Statement) -> Option<Cow<'a, str>> {
        (self.read)(statement, self.claim)
    }
}

const UUID: &str = "a UUID such as 5a30c2ec-0000-4000-8000-000000000000";
const BRACED_UUID: &str = "a UUID with its braces, such as {5a30c2ec-0000-4000-8000-000000000000}";
const OPAQUE: &str = "an id of letters, digits, - and _";

/// A field whose value is a UUID.
pub(super) fn parse_uuid(text: &str) -> Result<String, &'static str> {
    if is_uuid(text) { Ok(text.to_owned()) } else { Err(UUID) }
}

/// A field whose value is a UUID in braces.
pub(super) fn parse_braced_uuid(text: &str) -> Result<String, &'static str> {
    if is_braced_uuid(text) { Ok(text.to_owned()) } else { Err(BRACED_UUID) }
}

/// A field whose value is an opaque id.
pub(super) fn parse_opaque_id(text: &str) -> Result<String, &'static str> {
    if is_opaque_id(text) { Ok(text.to_owned()) } else { Err(OPAQUE) }
}

fn is_decimal_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn is_braced_uuid(text: &str) -> bool {
    text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(is_uuid)
}

fn is_opaque_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{is_braced_uuid, is_opaque_id, is_uuid};

    #[test]
    fn ids_have_their_form() {
        let uuid = "5a30c2ec-0000-4000-8000-00000000000F";
        assert!(is_uuid(uuid) && is_braced_uuid(&format!("{{{uuid}}}")) && is_opaque_id("org_1-x"));
        for text in [
            "",
            "5a30c2ec",
            &uuid[1..],
            &uuid.replace('F', "g"),
            &uuid.replace('-', "_"),
            &format!(" {uuid}"),
        ] {
            assert!(!is_uuid(text), "{text}");
        }
        for text in [uuid, &format!("{{{uuid}"), &format!("{uuid}}}"), "{}", &format!("{{{{{uuid}}}}}")] {
            assert!(!is_braced_uuid(text), "{text}");
        }
        for text in ["", "a b", "*", "a/b", "{x}"] {
            assert!(!is_opaque_id(text), "{text}");
        }
    }
}
