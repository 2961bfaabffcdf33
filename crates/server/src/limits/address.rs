//! Where a request comes from.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};

use crate::config::{ForwardingHeader, Proxies};

/// The address of a client, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    ip: IpAddr,
    is_counted: bool,
}

/// What shares one budget: an IPv4 address, or an IPv6 network of 64 bits, of which anybody has all addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

/// How the address of a client is found behind proxies.
#[derive(Clone, Copy, Debug)]
pub struct Forwarding(Proxies);

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl Forwarding {
    /// As the proxies in front are.
    pub fn new(proxies: Proxies) -> Self {
        Self(proxies)
    }

    /// Whether the peer of a connection is the client.
    pub(crate) fn is_direct(self) -> bool {
        matches!(self.0, Proxies::Trusted { hops: 0, .. })
    }

    /// The client behind the peer of a connection.
    ///
    /// Each proxy appends the address that called it, so with `n` of them the client is the `n`th entry from the right, and
    /// what stands left of that is the client's own invention. With fewer entries the request came in behind some of the
    /// proxies, and its address is the leftmost. An entry that is no address makes it the peer's.
    pub fn client(self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let (hops, header) = match self.0 {
            Proxies::Unknown => return ClientAddress { ip: peer, is_counted: false },
            Proxies::Trusted { hops: 0, .. } => return ClientAddress::counted(peer),
            Proxies::Trusted { hops, header } => (usize::from(hops), header),
        };
        let name = match header {
            ForwardingHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardingHeader::Forwarded => header::FORWARDED,
        };
        let lines = headers.get_all(name).iter().rev();
        let entry = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',')).take(hops).last();
        let forwarded = entry.and_then(|entry| match header {
            ForwardingHeader::XForwardedFor => address(entry.trim()),
            ForwardingHeader::Forwarded => address(forwarded_for(entry)?),
        });
        ClientAddress::counted(forwarded.unwrap_or(peer))
    }
}

/// The value of `for` in an element of `Forwarded`, without its quotes (RFC 7239 §4).
fn forwarded_for(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    Some(value.trim_matches('"'))
}

/// An address with or without port and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

impl ClientAddress {
    /// Loopback is this machine, or a proxy on it that forgot to say for whom it asks: neither is one client.
    fn counted(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        Self { ip, is_counted: !ip.is_loopback() }
    }

    /// Whose budget it uses; `None` if it is not known who that is.
    pub(crate) fn network(self) -> Option<Network> {
        self.is_counted.then(|| {
            Network(match self.ip {
                IpAddr::V4(_) => self.ip,
                IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
            })
        })
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const PEER: &str = "203.0.113.9";

    #[track_caller]
    fn check(hops: u8, header: ForwardingHeader, lines: &[&str], expected: &str) {
        let mut headers = HeaderMap::new();
        let name = match header {
            ForwardingHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardingHeader::Forwarded => header::FORWARDED,
        };
        for line in lines {
            headers.append(&name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let forwarding = Forwarding::new(Proxies::Trusted { hops, header });
        let client = forwarding.client(PEER.parse().unwrap(), &headers);
        assert_eq!(client.to_string(), expected, "{hops} {lines:?}");
    }

    #[test]
    fn l1_the_client_is_counted_from_the_right() {
        use ForwardingHeader::XForwardedFor as X;
        check(0, X, &["198.51.100.1"], PEER);
        check(1, X, &[], PEER);
        check(1, X, &["198.51.100.1"], "198.51.100.1");
        check(1, X, &["10.0.0.1, 198.51.100.1"], "198.51.100.1");
        check(2, X, &["192.0.2.66, 198.51.100.1,10.0.0.1"], "198.51.100.1");
        check(2, X, &["192.0.2.66", "198.51.100.1", "10.0.0.1"], "198.51.100.1");
        check(2, X, &["198.51.100.1"], "198.51.100.1");
        check(1, X, &["198.51.100.1:4711"], "198.51.100.1");
        check(1, X, &["[2001:db8::1]:4711"], "2001:db8::1");
        check(1, X, &["[2001:db8::1]"], "2001:db8::1");
        check(1, X, &["::ffff:198.51.100.1"], "198.51.100.1");
        for nonsense in ["unknown", "", "198.51.100.1,", "198.51.100.1 x", "ä", "999.1.1.1"] {
            check(1, X, &[nonsense], PEER);
        }
    }

    #[test]
    fn l1_the_client_in_forwarded() {
        use ForwardingHeader::Forwarded as F;
        check(1, F, &["for=198.51.100.1;proto=https"], "198.51.100.1");
        check(1, F, &["proto=https; For=\"[2001:db8::1]:4711\""], "2001:db8::1");
        // An open quote of the client's does not swallow what the proxy wrote.
        check(1, F, &["for=\"192.0.2.66", "for=198.51.100.1"], "198.51.100.1");
        check(1, F, &["for=\"192.0.2.66, for=198.51.100.1"], "198.51.100.1");
        for nonsense in ["for=_hidden", "for=unknown", "by=198.51.100.1", "for"] {
            check(1, F, &[nonsense], PEER);
        }
    }

    #[test]
    fn l1_only_the_header_of_the_proxies_is_read() {
        let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("198.51.100.1"))]);
        let forwarding = Forwarding::new(Proxies::Trusted { hops: 1, header: ForwardingHeader::Forwarded });
        assert_eq!(forwarding.client(PEER.parse().unwrap(), &headers).to_string(), PEER);
    }

    #[test]
    fn l2_an_ipv6_network_is_one_client() {
        let network = |text: &str| ClientAddress::counted(text.parse().unwrap()).network();
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff::2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
        assert_ne!(network("198.51.100.1"), network("198.51.100.2"));
        assert_eq!(network("198.51.100.1"), network("::ffff:198.51.100.1"));
        for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(network(own), None, "{own} is not one client");
        }
        let unknown = Forwarding::new(Proxies::Unknown).client(PEER.parse().unwrap(), &HeaderMap::new());
        assert_eq!(unknown.network(), None);
    }
}
