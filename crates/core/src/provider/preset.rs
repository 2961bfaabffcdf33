//! What is known of a provider.

use std::cmp::Ordering;
use std::time::Duration;

use serde_json::Value;

use super::issuer_form::has_form;
use super::{Cautions, Field, Pin};
use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::decision::Check;
use crate::issuer::IssuerUrl;
use crate::publisher::Rules;
use crate::statement::Statement;

/// The facts about one provider.
#[derive(Debug)]
pub struct Preset {
    /// The name in configuration, commands and the database.
    pub name: &'static str,
    /// The name in sentences.
    pub title: &'static str,
    /// The issuers that a server knows without being told. They belong to this preset: no other may be used with them.
    pub issuers: &'static [&'static str],
    /// Its other issuers, which belong to it in the same way: `*` stands for what a customer, region or installation puts
    /// into one label or path segment.
    pub issuer_forms: &'static [&'static str],
    /// Friendly fields that a publisher's conditions may name.
    pub fields: &'static [Field],
    /// Immutable ids that a publisher is held to, from the most particular (the repository's own, if the provider has one: it
    /// proves where a run comes from) to the most general (whose it is: it is what limits are counted by).
    pub pins: &'static [Pin],
    /// The claim that says what started the run, and which values are refused unless a publisher allows them by name.
    pub event: Option<Event>,
    /// A further reason to refuse the run, whatever the conditions say.
    pub guard: fn(&Statement, &Rules) -> Option<Check>,
    /// Whether these rules say whose runs are meant. Without that, any customer of a shared issuer would match.
    pub names_tenant: fn(&Rules) -> bool,
    /// How to say whose runs are meant: the remedy when `names_tenant` says no.
    pub tenant_remedy: &'static str,
    /// Claims that conditions may not read, by the beginning of their JSON Pointer, and why.
    pub unfit_claims: &'static [(&'static str, &'static str)],
    /// What an owner should be warned of.
    pub cautions: Cautions,
    /// Where people look at what its fields name: `github.com`, or the host and path of an installation. `None` where
    /// addresses may be of any host, or where none say anything.
    pub home: fn(&IssuerUrl) -> Option<String>,
    /// Claims that identify a run beside the fields, for a proposal.
    pub proposed_claims: &'static [&'static str],
    /// Claims that its tokens are known to carry, in order; empty if that cannot be said.
    pub known_claims: &'static [&'static str],
    /// Claims that say which run it was, for the record, and all that fields, pins, event and guard read: a publisher can be
    /// proposed from a record. In order; empty for all that are not lists or objects.
    pub recorded_claims: &'static [&'static str],
    /// Settings of an issuer that says nothing else.
    pub defaults: Defaults,
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

impl Defaults {
    pub(super) const fn new(
        algorithms: &'static [Algorithm],
        max_lifetime: Duration,
        max_exchanges: u32,
    ) -> Self {
        Self { algorithms, max_lifetime, max_exchanges }
    }
}

impl Preset {
    /// Whether the issuer is one of its own.
    pub fn owns(&self, issuer: &IssuerUrl) -> bool {
        self.issuers.contains(&issuer.as_str()) || self.issuer_forms.iter().any(|form| has_form(issuer, form))
    }

    /// The claims that the ledger keeps: what says which run it was. Where a provider's claims are known, those that describe
    /// persons stay out.
    pub fn recorded<'a>(&self, claims: &'a Claims) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        let is_open = self.recorded_claims.is_empty();
        compared(self.recorded_claims, claims)
            .filter(move |(_, value, is_listed)| {
                *is_listed || is_open && !value.is_object() && !value.is_array()
            })
            .map(|(name, value, _)| (name, value))
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The pin of that claim.
    pub fn pin(&self, claim: &str) -> Option<&'static Pin> {
        self.pins.iter().find(|pin| pin.claim == claim)
    }
}

/// All claims, and of each whether a preset's list has it. Both are in order (a test holds the presets
/// to that), so both are gone through once: every exchange does this twice, and to search the list for each claim took 3 % of it.
pub(crate) fn compared<'a>(
    mut listed: &'static [&'static str],
    claims: &'a Claims,
) -> impl Iterator<Item = (&'a str, &'a Value, bool)> + use<'a> {
    claims.iter().map(move |(name, value)| {
        while let [first, rest @ ..] = listed {
            match (*first).cmp(name) {
                Ordering::Less => listed = rest,
                order => return (name, value, order.is_eq()),
            }
        }
        (name, value, false)
    })
}
