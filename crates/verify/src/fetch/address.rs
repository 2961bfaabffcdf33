//! Which addresses are on the public Internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Says what an address is if it is not a host of the public Internet; `None` if it is.
///
/// After the registries of special-purpose addresses that IANA keeps (RFC 6890). Of IPv6 only `2000::/3` is handed out to
/// hosts, so everything else is refused, known or not. Addresses that carry an IPv4 address inside are refused whatever
/// that is: a translator on the way would decide where the connection ends.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = u32::from(address);
    let within =
        |(network, length, _): &&(Ipv4Addr, u32, _)| (bits ^ u32::from(*network)) >> (32 - length) == 0;
    V4.iter().find(within).map(|(_, _, class)| *class)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = u128::from(address);
    let within =
        |(network, length, _): &&(Ipv6Addr, u32, _)| (bits ^ u128::from(*network)) >> (128 - length) == 0;
    let class = V6.iter().find(within).map(|(_, _, class)| *class);
    let is_handed_out = bits >> 125 == 0b001;
    class.or_else(|| (!is_handed_out).then_some("reserved"))
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// The first segments; the others are zero.
const fn v6(a: u16, b: u16, c: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)
}

/// Network, length of its prefix, what it is.
const V4: [(Ipv4Addr, u32, &str); 16] = [
    (v4(0, 0, 0, 0), 8, "unspecified"),
    (v4(10, 0, 0, 0), 8, "private"),
    (v4(100, 64, 0, 0), 10, "shared by a carrier's customers"),
    (v4(127, 0, 0, 0), 8, "loopback"),
    (v4(168, 63, 129, 16), 32, "the host of an Azure machine"),
    (v4(169, 254, 0, 0), 16, "link-local"),
    (v4(172, 16, 0, 0), 12, "private"),
    (v4(192, 0, 0, 0), 24, "reserved for protocols"),
    (v4(192, 0, 2, 0), 24, "for documentation"),
    (v4(192, 88, 99, 0), 24, "a 6to4 relay"),
    (v4(192, 168, 0, 0), 16, "private"),
    (v4(198, 18, 0, 0), 15, "for benchmarks"),
    (v4(198, 51, 100, 0), 24, "for documentation"),
    (v4(203, 0, 113, 0), 24, "for documentation"),
    (v4(224, 0, 0, 0), 4, "multicast"),
    (v4(240, 0, 0, 0), 4, "reserved or broadcast"),
];

/// The same; before a wider network stands what is inside of it and has a name of its own.
const V6: [(Ipv6Addr, u32, &str); 15] = [
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, "a mapped IPv4 address"),
    (Ipv6Addr::UNSPECIFIED, 96, "a compatible IPv4 address"),
    (v6(0x64, 0xff9b, 0), 96, "a translated IPv4 address (NAT64)"),
    (v6(0x64, 0xff9b, 1), 48, "a translated IPv4 address (NAT64)"),
    (v6(0x2001, 0, 0), 32, "an IPv4 address in a tunnel (Teredo)"),
    (v6(0x2001, 0, 0), 23, "reserved for protocols"),
    (v6(0x2001, 0xdb8, 0), 32, "for documentation"),
    (v6(0x2002, 0, 0), 16, "an IPv4 address in a tunnel (6to4)"),
    (v6(0x3fff, 0, 0), 20, "for documentation"),
    (v6(0xfc00, 0, 0), 7, "private"),
    (v6(0xfe80, 0, 0), 10, "link-local"),
    (v6(0xfec0, 0, 0), 10, "private"),
    (v6(0xff00, 0, 0), 8, "multicast"),
];

#[cfg(test)]
mod tests {
    use super::special;

    #[track_caller]
    fn check(address: &str, expected: Option<&str>) {
        assert_eq!(special(address.parse().unwrap()), expected, "{address}");
    }

    #[test]
    fn c3_addresses_that_are_not_public() {
        for (addresses, class) in [
            ("127.0.0.1 127.255.255.255 ::1", "loopback"),
            ("0.0.0.0 0.255.255.255 ::", "unspecified"),
            ("10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255", "private"),
            ("fc00:: fdff:ffff:: fd00:ec2::254 fec0::1 feff::1", "private"),
            ("169.254.0.0 169.254.169.254 fe80::1 febf::1", "link-local"),
            ("100.64.0.0 100.100.100.200 100.127.255.255", "shared by a carrier's customers"),
            ("168.63.129.16", "the host of an Azure machine"),
            ("192.0.0.0 192.0.0.192 192.0.0.255 2001:2::1 2001:10::1 2001:1ff::1", "reserved for protocols"),
            ("192.0.2.1 198.51.100.1 203.0.113.255 2001:db8::1 3fff::1 3fff:fff::1", "for documentation"),
            ("192.88.99.1", "a 6to4 relay"),
            ("198.18.0.0 198.19.255.255", "for benchmarks"),
            ("224.0.0.1 239.255.255.255 ff02::1 ff0e::1", "multicast"),
            ("240.0.0.1 255.255.255.255", "reserved or broadcast"),
            ("::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:169.254.169.254", "a mapped IPv4 address"),
            ("::127.0.0.1 ::2", "a compatible IPv4 address"),
            ("64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1", "a translated IPv4 address (NAT64)"),
            ("2001::1 2001:0:ffff::", "an IPv4 address in a tunnel (Teredo)"),
            ("2002:7f00:1:: 2002:808:808::1", "an IPv4 address in a tunnel (6to4)"),
            ("100::1 5f00::1 4000::1 1fff::1 ::1:0:0:0", "reserved"),
        ] {
            for address in addresses.split(' ') {
                check(address, Some(class));
            }
        }
    }

    #[test]
    fn public_addresses_right_beside_those() {
        for address in [
            "1.0.0.0",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db7:ffff::1",
            "2001:db9::",
            "2003::1",
            "2606:4700::1111",
            "3ffe::1",
            "3fff:1000::",
        ] {
            check(address, None);
        }
    }
}
