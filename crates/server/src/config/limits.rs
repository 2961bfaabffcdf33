//! How much of the server anybody gets.

use std::num::NonZeroU32;
use std::time::Duration;

use toml::Spanned;

use super::Misfit;
use super::raw::{ForwardingHeader, RawLimits};

/// Limits that go together.
#[derive(Clone, Debug)]
pub struct LimitSettings {
    /// How the address of a client is found.
    pub proxies: Proxies,
    /// Requests of one client address: so many at once, and as many a minute; `None` for no limit.
    pub requests_per_address: Option<NonZeroU32>,
    /// Exchanges of one tenant of an issuer, in the same way.
    pub exchanges_per_tenant: Option<NonZeroU32>,
    /// Exchanges at once; one more is answered 503 at once.
    pub exchanges_in_flight: usize,
    /// Connections at once; one more is closed at once.
    pub connections: usize,
    /// Connections at once of one client address.
    pub connections_per_address: usize,
    /// How long a connection may be without a request.
    pub idle: Duration,
    /// How long a client may take to send the headers of a request, to begin with one, or to take what it is sent.
    pub patience: Duration,
}

/// What stands between clients and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxies {
    /// So many, each of which appends to the header the address that it was called from. With none, the peer is the client.
    Trusted {
        /// How many.
        hops: u8,
        /// Which header they append to.
        header: ForwardingHeader,
    },
    /// A proxy that nothing is known of: the addresses of clients are not known, so they are not limited.
    Unknown,
}

impl RawLimits {
    pub(super) fn valid(self, behind_tls_proxy: bool) -> Result<LimitSettings, Misfit> {
        let header = self.client_address_header;
        let proxies = match self.trusted_proxies {
            None if behind_tls_proxy => Proxies::Unknown,
            None => Proxies::Trusted { hops: 0, header },
            Some(hops) if *hops.get_ref() == 0 && behind_tls_proxy => {
                return Err(Misfit::at(
                    &hops,
                    "limits.trusted_proxies: 0 cannot be with behind_tls_proxy, which is a proxy; say how many append \
                     to the header, or leave it out",
                ));
            }
            Some(hops) => Proxies::Trusted { hops: hops.into_inner(), header },
        };
        Ok(LimitSettings {
            proxies,
            requests_per_address: NonZeroU32::new(self.requests_per_address.unwrap_or(1_200)),
            exchanges_per_tenant: NonZeroU32::new(self.exchanges_per_tenant.unwrap_or(6_000)),
            exchanges_in_flight: at_least_one(self.exchanges_in_flight, "exchanges_in_flight", 1_024)?,
            connections: at_least_one(self.connections, "connections", 8_192)?,
            connections_per_address: at_least_one(
                self.connections_per_address,
                "connections_per_address",
                256,
            )?,
            idle: self.idle.map_or(Duration::from_mins(1), |written| written.0),
            patience: self.patience.map_or(Duration::from_secs(10), |written| written.0),
        })
    }
}

fn at_least_one(written: Option<Spanned<usize>>, name: &str, default: usize) -> Result<usize, Misfit> {
    /// What the machinery behind can count to.
    const MOST: usize = 1_000_000;
    match written {
        None => Ok(default),
        Some(written) if (1..=MOST).contains(written.get_ref()) => Ok(written.into_inner()),
        Some(written) => Err(Misfit::at(
            &written,
            format!("limits.{name}: expected 1 to {MOST}, found {}", written.get_ref()),
        )),
    }
}
