//! Which server a URL leads to.

/// Scheme, host and port: what two URLs of the same server share (RFC 6454 §4).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    host: String,
    port: String,
}

impl Origin {
    /// The origin of a URL; `None` for what has no scheme or no host.
    ///
    /// Nothing is forgiven: user information, a backslash or a strange port make an origin that equals no other, so that a
    /// token goes nowhere.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let scheme = scheme.to_ascii_lowercase();
        let authority = authority.to_ascii_lowercase();
        let usual = if scheme == "https" { "443" } else { "80" };
        let (host, port) = match authority.rsplit_once(':') {
            // The colons inside an IPv6 address separate no port.
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority.as_str(), usual),
        };
        let (host, port) = (host.to_owned(), port.to_owned());
        (!host.is_empty()).then_some(Self { scheme, host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::Origin;

    #[test]
    fn the_same_server_has_the_same_origin() {
        let rows = [
            ("https://hub.example.com", "https://HUB.example.com:443/acme/model.git"),
            ("http://127.0.0.1:8080/prefix", "http://127.0.0.1:8080?x"),
            ("http://[::1]", "http://[::1]:80/"),
            ("http://localhost", "HTTP://localhost#x"),
        ];
        for (one, other) in rows {
            assert_eq!(Origin::of(one), Origin::of(other));
            assert!(Origin::of(one).is_some());
        }
    }

    #[test]
    fn another_server_has_another_origin() {
        let own = Origin::of("https://hub.example.com");
        for other in [
            "http://hub.example.com",
            "https://hub.example.com:8443",
            "https://hub.example.com.evil.example",
            "https://hub.example.com@evil.example",
            "https://evil.example/https://hub.example.com",
            "https://evil.example?hub.example.com",
            "https://hub.example.com\\@evil.example",
            "https://u:p@hub.example.com",
            "https://",
            "hub.example.com",
        ] {
            assert_ne!(Origin::of(other), own, "{other}");
        }
    }
}
