//! How much of the server anybody gets, decided before the work is done.
//!
//! What an id token says before its signature is checked is used for no limit at all: whoever names a victim's repository
//! in a forgery would use up the victim's budget. So strangers are limited by the address that they come from, tenants by
//! what their verified tokens say, and all together by the number of exchanges at once. A verified token that was stolen
//! could still be sent again and again, so each has a budget of its own that is a small part of its tenant's. And whoever
//! runs an issuer could make up tenants without end, so issuers that people added have one above those.
//!
//! What shares an address (the runners of a CI provider, an office) shares its budget, so honest jobs take nothing of it: an
//! exchange that comes to a token gives back what it took. Who forges a thousand times a minute behind the same address can
//! still keep them out for as long as that goes on; to tell the two apart would take the very work that is being limited.

use std::time::Duration;

use countersign_core::VerifiedToken;
use thiserror::Error;
use tokio::sync::{Semaphore, SemaphorePermit};

mod address;
mod bucket;
mod budget;

pub(crate) use address::Network;
pub use address::{ClientAddress, Forwarding};
pub(crate) use bucket::{Bucket, Buckets, Rate};
pub use budget::IssuerBudget;

use crate::config::LimitSettings;

/// Clients, tenants and id tokens whose buckets are remembered, whatever the number that come.
const REMEMBERED: usize = 65_536;
/// One id token may take this part of its tenant's budget,
const PART_OF_A_TOKEN: u32 = 20;
/// or so many a minute, if that is more: some providers give a job one token for all that it does, and jobs try again.
const LEAST_OF_A_TOKEN: u32 = 20;
/// Changes of one maintainer: so many at once, and as many a minute (threat K5).
const CHANGES: u32 = 1_000;

/// The limits of a server, with what has been used of them.
#[derive(Debug)]
pub struct Limits {
    /// Where requests come from.
    pub forwarding: Forwarding,
    addresses: Option<Buckets>,
    tenants: Option<Tenants>,
    changes: Buckets,
    exchanges: Semaphore,
    most_exchanges: usize,
}

#[derive(Debug)]
struct Tenants {
    tenants: Buckets,
    id_tokens: Buckets,
}

/// What a request may do, which says when it costs its address something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Anybody may ask: each request counts.
    Anybodys,
    /// Anybody may try: each attempt counts that comes to no token.
    Exchange,
    /// Those who prove who they are may ask as often as they like: each attempt to guess counts.
    Proven,
}

/// Why something is not done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}; try again in {} s", what.explained(), self.seconds())]
pub struct TooMany {
    /// What has been used up.
    pub what: Limited,
    /// When there is room for one again.
    pub retry_after: Duration,
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limited {
    /// Requests of an address.
    Address,
    /// Exchanges of a tenant.
    Tenant,
    /// Exchanges of an issuer's id tokens.
    Issuer,
    /// Exchanges with one id token.
    IdToken,
    /// Changes with one admin token.
    AdminToken,
}

impl Limited {
    /// The stable code for logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Tenant => "tenant",
            Self::Issuer => "issuer",
            Self::IdToken => "id_token",
            Self::AdminToken => "admin_token",
        }
    }

    const fn explained(self) -> &'static str {
        match self {
            Self::Address => "this address sends more requests than one may",
            Self::Tenant => "the jobs of this owner exchange more id tokens than one owner's may",
            Self::Issuer => "the jobs of this issuer exchange more id tokens than all of one issuer's may",
            Self::AdminToken => "this admin token changes more than one may",
            Self::IdToken => "this id token is sent more often than one may be",
        }
    }
}

impl TooMany {
    /// The same as `Retry-After` has it: whole seconds, rounded up.
    pub fn seconds(&self) -> u64 {
        self.retry_after.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX).max(1)
    }
}

impl Limits {
    /// Nothing used yet.
    pub fn new(settings: &LimitSettings) -> Self {
        let tenants = settings.exchanges_per_tenant.map(|each| Tenants {
            tenants: Buckets::new(Rate::per_minute(each.get()), REMEMBERED),
            id_tokens: Buckets::new(
                Rate::per_minute((each.get() / PART_OF_A_TOKEN).max(LEAST_OF_A_TOKEN)),
                REMEMBERED,
            ),
        });
        Self {
            forwarding: Forwarding::new(settings.proxies),
            addresses: settings
                .requests_per_address
                .map(|each| Buckets::new(Rate::per_minute(each.get()), REMEMBERED)),
            tenants,
            changes: Buckets::new(Rate::per_minute(CHANGES), REMEMBERED),
            exchanges: Semaphore::new(settings.exchanges_in_flight),
            most_exchanges: settings.exchanges_in_flight,
        }
    }

    /// Lets a request in, or says when to come again; `now` in milliseconds.
    pub fn admit(&self, client: ClientAddress, purpose: Purpose, now: u64) -> Result<(), TooMany> {
        let Some((addresses, network)) = self.addresses.as_ref().zip(client.network()) else { return Ok(()) };
        let admitted = match purpose {
            Purpose::Anybodys | Purpose::Exchange => addresses.take((network, purpose), now),
            Purpose::Proven => addresses.has_room((network, purpose), now),
        };
        admitted.map_err(|retry_after| TooMany { what: Limited::Address, retry_after })
    }

    /// Counts an attempt to be let in that failed.
    pub fn count_failure(&self, client: ClientAddress, now: u64) {
        if let Some((addresses, network)) = self.addresses.as_ref().zip(client.network()) {
            // The answer has been given; whether there is room is asked before the next one.
            let _ = addresses.take((network, Purpose::Proven), now);
        }
    }

    /// Takes an exchange that came to a token off what its address has used.
    pub fn forgive(&self, client: ClientAddress) {
        if let Some((addresses, network)) = self.addresses.as_ref().zip(client.network()) {
            addresses.give_back((network, Purpose::Exchange));
        }
    }

    /// Lets an exchange go on, now that its token is verified. Each level is looked at before one below it takes anything, so
    /// what is turned back has used up nothing of what others share.
    pub fn admit_verified(
        &self,
        token: &VerifiedToken,
        tenant: &str,
        issuer: Option<&IssuerBudget>,
        now: u64,
    ) -> Result<(), TooMany> {
        let too_many = |what| move |retry_after| TooMany { what, retry_after };
        issuer.map_or(Ok(()), |budget| budget.has_room(now)).map_err(too_many(Limited::Issuer))?;
        if let Some(tenants) = &self.tenants {
            let id_token = (token.issuer().as_str(), token.replay_key().as_str());
            tenants.tenants.has_room(tenant, now).map_err(too_many(Limited::Tenant))?;
            tenants.id_tokens.take(id_token, now).map_err(too_many(Limited::IdToken))?;
            tenants.tenants.take(tenant, now).map_err(too_many(Limited::Tenant))?;
        }
        issuer.map_or(Ok(()), |budget| budget.take(now)).map_err(too_many(Limited::Issuer))
    }

    /// Lets whoever has an admin token of that id make so many changes.
    pub fn admit_changes(&self, admin_token: &str, number: usize, now: u64) -> Result<(), TooMany> {
        let mut each = std::iter::repeat_n((), number);
        let admitted = each.try_for_each(|()| self.changes.take(admin_token, now));
        admitted.map_err(|retry_after| TooMany { what: Limited::AdminToken, retry_after })
    }

    /// How many exchanges are worked on.
    pub fn in_flight(&self) -> usize {
        self.most_exchanges - self.exchanges.available_permits()
    }

    /// A place among the exchanges that are worked on, for as long as it is held; `None` if all are taken.
    pub fn begin_exchange(&self) -> Option<SemaphorePermit<'_>> {
        self.exchanges.try_acquire().ok()
    }
}
