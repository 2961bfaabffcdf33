//! What is known of each CI provider.
//!
//! A provider is one file here with one [`Preset`]: data and small pure functions. Everything that treats providers
//! differently asks the preset; the only `match` over providers is [`Provider::preset`].

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod generic;
mod github;
mod gitlab;

use crate::algorithm::Algorithm;
use crate::decision::Check;
use crate::issuer::IssuerUrl;
use crate::publisher::Rules;
use crate::verified::VerifiedToken;

/// A CI provider that this project knows, or `generic` for any OIDC issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Provider {
    /// GitHub Actions, on github.com, GHE.com and GitHub Enterprise Server.
    Github,
    /// GitLab CI, on gitlab.com and self-managed.
    Gitlab,
    /// Any other OIDC issuer: conditions by JSON Pointer only, nothing pinned.
    Generic,
}

/// The facts about one provider.
#[derive(Debug)]
pub struct Preset {
    /// The name in configuration, commands and the database.
    pub name: &'static str,
    /// The name in sentences.
    pub title: &'static str,
    /// Its public issuers. They belong to this preset: no other may be used with them.
    pub issuers: &'static [&'static str],
    /// Friendly fields that a publisher's conditions may name.
    pub fields: &'static [Field],
    /// Immutable ids that a publisher is held to.
    pub pins: &'static [Pin],
    /// The claim that says what started the run, and which values are refused unless a publisher allows them by name.
    pub event: Option<Event>,
    /// A further reason to refuse the run, whatever the conditions say.
    pub guard: fn(&VerifiedToken, &Rules) -> Option<Check>,
    /// Whether these rules say whose runs are meant. Without that, any customer of a shared issuer would match.
    pub names_tenant: fn(&Rules) -> bool,
    /// How to say whose runs are meant: the remedy when `names_tenant` says no.
    pub tenant_remedy: &'static str,
    /// Whether a condition may read `sub`: not where the provider lets its users template it.
    pub subject_is_stable: bool,
    /// Claims that its tokens are known to carry; empty if that cannot be said.
    pub known_claims: &'static [&'static str],
    /// Claims that say which run it was, for the record; empty for all that are not lists or objects.
    pub recorded_claims: &'static [&'static str],
    /// Settings of an issuer that says nothing else.
    pub defaults: Defaults,
}

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
    /// Reads what a person wrote: the value to compare with, or what was expected instead.
    pub parse: fn(&str) -> Result<String, &'static str>,
    /// Reads it from a token; `None` never matches.
    pub read: for<'a> fn(&'a VerifiedToken) -> Option<Cow<'a, str>>,
}

/// How a provider compares names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Byte for byte.
    Sensitive,
    /// ASCII letters fold; nothing else does.
    AsciiInsensitive,
}

/// An immutable id that a provider puts beside a name (invariant 6: names are not identities).
#[derive(Debug)]
pub struct Pin {
    /// The claim.
    pub claim: &'static str,
    /// The field whose condition makes it be learned at first use.
    pub learned_with: &'static str,
    /// Whether a text can be such an id.
    pub is_id: fn(&str) -> bool,
    /// What an id looks like, for messages.
    pub form: &'static str,
}

/// What starts runs at a provider.
#[derive(Debug)]
pub struct Event {
    /// The claim that names it.
    pub claim: &'static str,
    /// Events in which somebody else's code or input runs with the repository's identity.
    pub refused: &'static [&'static str],
    /// Why they are refused.
    pub reason: &'static str,
}

/// Settings of an issuer that configuration leaves open.
#[derive(Debug)]
pub struct Defaults {
    /// What its keys may sign with.
    pub algorithms: &'static [Algorithm],
    /// The longest `exp - iat` that is accepted.
    pub max_lifetime: Duration,
    /// How many access tokens one id token buys: 1 unless the provider gives a job one token for all its steps.
    pub max_exchanges: u32,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Github, Self::Gitlab, Self::Generic];

    /// The facts about it.
    pub const fn preset(self) -> &'static Preset {
        match self {
            Self::Github => &github::PRESET,
            Self::Gitlab => &gitlab::PRESET,
            Self::Generic => &generic::PRESET,
        }
    }

    /// The provider that a public issuer belongs to.
    pub fn owning(issuer: &IssuerUrl) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.preset().issuers.contains(&issuer.as_str()))
    }

    /// What a token says of itself in the friendly fields, such as `repository acme/train, branch main`.
    pub fn presented(self, token: &VerifiedToken) -> String {
        let fields = self.preset().fields.iter();
        let told = fields.filter_map(|field| Some(format!("{} {}", field.name, (field.read)(token)?)));
        let told: Vec<String> = told.collect();
        if told.is_empty() { format!("subject {}", token.subject()) } else { told.join(", ") }
    }
}

impl Preset {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The pin of that claim.
    pub fn pin(&self, claim: &str) -> Option<&'static Pin> {
        self.pins.iter().find(|pin| pin.claim == claim)
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

/// No provider of that name.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected a provider: {known}; found {0:?}", known = names())]
pub struct UnknownProvider(String);

fn names() -> String {
    Provider::ALL.map(|provider| provider.preset().name).join(", ")
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        let named = Self::ALL.into_iter().find(|provider| provider.preset().name == text);
        named.ok_or_else(|| UnknownProvider(text.to_owned()))
    }
}

impl TryFrom<String> for Provider {
    type Error = UnknownProvider;

    fn try_from(text: String) -> Result<Self, UnknownProvider> {
        text.parse()
    }
}

impl From<Provider> for String {
    fn from(provider: Provider) -> Self {
        provider.preset().name.to_owned()
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.preset().name)
    }
}

// What several providers' fields have in common.

fn claim<'a>(token: &'a VerifiedToken, name: &str) -> Option<Cow<'a, str>> {
    token.claims().text(name).filter(|text| !text.is_empty()).map(Cow::Borrowed)
}

fn parse_ref_name(text: &str) -> Result<String, &'static str> {
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

fn parse_environment(text: &str) -> Result<String, &'static str> {
    let fits =
        !text.is_empty() && text.len() <= 255 && !text.contains(char::is_control) && text.trim() == text;
    if fits { Ok(text.to_owned()) } else { Err("an environment's name, without white space around it") }
}

fn is_path_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text.len() <= 255
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn is_decimal_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}
const DECIMAL_ID: &str = "1 to 20 digits";
