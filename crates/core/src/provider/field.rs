//! Friendly names for claims, and what several providers' fields have in common.

use std::borrow::Cow;

use super::Address;
use crate::statement::Statement;

/// A condition's friendly name for (part of) a claim.
#[derive(Debug)]
pub struct Field {
    /// The name, as in `--set branch=main`.
    pub name: &'static str,
    /// The claim that it is read from, for explanations.
    pub claim: &'static str,
    /// How values compare.
    pub case: Case,
    /// Whether a condition on it takes one value only.
    pub single: bool,
    /// Whether its values are immutable ids rather than names.
    pub id: bool,
    /// Whether owners can protect its values: who may have runs of a branch, a tag or an environment is their decision.
    pub guarded: bool,
    /// Reads it from an address that a person pasted, where it has one.
    pub address: Option<FromAddress>,
    /// Completes another way in which people write it.
    pub shorthand: Option<Shorthand>,
    /// Reads what a person wrote: the value to compare with, or what was expected instead.
    pub parse: Parse,
    /// Reads it from a token and its claim; `None` never matches.
    pub read: Read,
}

/// Reads what a person wrote.
pub(super) type Parse = fn(&str) -> Result<String, &'static str>;
/// Reads a field from the web or git address of something; `None` if it is not in there.
pub(super) type FromAddress = fn(&Address<'_>) -> Option<String>;
/// What a person meant who wrote it otherwise; `None` if they did not.
pub(super) type Shorthand = fn(&str) -> Option<String>;
/// Reads a field from a token, given the name of its claim.
pub(super) type Read = for<'a> fn(&'a Statement, &str) -> Option<Cow<'a, str>>;

/// How a provider compares names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Byte for byte.
    Sensitive,
    /// ASCII letters fold; nothing else does.
    AsciiInsensitive,
}

impl Field {
    /// A field that is a claim as it stands, compared byte for byte, with as many values as a publisher likes.
    pub(super) const fn new(name: &'static str, claim: &'static str, parse: Parse) -> Self {
        Self {
            name,
            claim,
            case: Case::Sensitive,
            single: false,
            id: false,
            guarded: false,
            address: None,
            shorthand: None,
            parse,
            read: text,
        }
    }

    /// The same with one value to a condition: what a publisher is about.
    pub(super) const fn single(self) -> Self {
        Self { single: true, ..self }
    }

    /// The same where the provider folds case.
    pub(super) const fn folding(self) -> Self {
        Self { case: Case::AsciiInsensitive, ..self }
    }

    /// The same where values are immutable ids.
    pub(super) const fn id(self) -> Self {
        Self { id: true, ..self }
    }

    /// The same where owners can protect values.
    pub(super) const fn guarded(self) -> Self {
        Self { guarded: true, ..self }
    }

    /// The same, also taken from an address.
    pub(super) const fn in_address(self, address: FromAddress) -> Self {
        Self { address: Some(address), ..self }
    }

    /// The same with a shorthand.
    pub(super) const fn shorthand(self, shorthand: Shorthand) -> Self {
        Self { shorthand: Some(shorthand), ..self }
    }

    /// The same, read otherwise than as the whole claim.
    pub(super) const fn read_by(self, read: Read) -> Self {
        Self { read, ..self }
    }

    /// Its value in a token; `None` never matches.
    pub fn value_in<'a>(&self, statement: &'a Statement) -> Option<Cow<'a, str>> {
        (self.read)(statement, self.claim)
    }
}

impl Case {
    /// Whether two values are the same under it.
    pub fn equal(self, left: &str, right: &str) -> bool {
        match self {
            Self::Sensitive => left == right,
            Self::AsciiInsensitive => left.eq_ignore_ascii_case(right),
        }
    }
}

/// The claim, if it is a text with something in it.
pub(super) fn text<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    statement.claims().text(claim).filter(|text| !text.is_empty()).map(Cow::Borrowed)
}

/// `main`, where the claim is `refs/heads/main`.
pub(super) fn branch<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    reference(statement, claim, "refs/heads/")
}

/// `v1`, where the claim is `refs/tags/v1`.
pub(super) fn tag<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    reference(statement, claim, "refs/tags/")
}

fn reference<'a>(statement: &'a Statement, claim: &str, prefix: &str) -> Option<Cow<'a, str>> {
    let name = statement.claims().text(claim)?.strip_prefix(prefix)?;
    (!name.is_empty()).then_some(Cow::Borrowed(name))
}

/// Who writes `refs/heads/main` means the branch main.
pub(super) fn branch_of_ref(text: &str) -> Option<String> {
    text.strip_prefix("refs/heads/").map(str::to_owned)
}

/// Who writes `refs/tags/v1` means the tag v1.
pub(super) fn tag_of_ref(text: &str) -> Option<String> {
    text.strip_prefix("refs/tags/").map(str::to_owned)
}

/// `OWNER/NAME`, as GitHub and those who follow it write repositories.
pub(super) fn parse_repository(text: &str) -> Result<String, &'static str> {
    match text.split_once('/') {
        Some((owner, name)) if is_path_segment(owner) && is_path_segment(name) => Ok(text.to_owned()),
        _ => Err("OWNER/NAME with the exact names, without wildcards"),
    }
}

pub(super) fn parse_ref_name(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str =
        "a branch or tag name as git allows it, without refs/heads/ or refs/tags/ and without wildcards";
    let forbidden = |character: char| character.is_control() || " ~^:?*[\\".contains(character);
    let fits = !text.is_empty()
        && text.len() <= 255
        && !text.starts_with(['/', '-'])
        && !text.ends_with(['/', '.'])
        && !text.starts_with("refs/")
        && !text.contains("..")
        && !text.contains("//")
        && !text.contains("@{")
        && !text.contains(forbidden);
    if fits { Ok(text.to_owned()) } else { Err(EXPECTED) }
}

pub(super) fn parse_environment(text: &str) -> Result<String, &'static str> {
    parse_name(text).map_err(|_| "an environment's name, without white space around it")
}

/// A name of which only the provider knows how it is spelled.
pub(super) fn parse_name(text: &str) -> Result<String, &'static str> {
    let fits =
        !text.is_empty() && text.len() <= 255 && !text.contains(char::is_control) && text.trim() == text;
    if fits { Ok(text.to_owned()) } else { Err("the exact name, without white space around it") }
}

/// A name as it stands in the provider's URLs.
pub(super) fn parse_slug(text: &str) -> Result<String, &'static str> {
    if is_path_segment(text) {
        Ok(text.to_owned())
    } else {
        Err("the name as it stands in the provider's URLs, without wildcards")
    }
}

pub(super) fn is_path_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}
