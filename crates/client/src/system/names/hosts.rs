//! The hosts file.

use std::net::IpAddr;

/// The addresses that the file gives a name: `ADDRESS NAME…` a line, `#` begins a comment. Case does not matter.
pub(super) fn addresses(file: &str, host: &str) -> Vec<IpAddr> {
    let host = host.trim_end_matches('.');
    let line = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        // One with a zone (`fe80::1%lo`) is for programs that know their network.
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    };
    file.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn names_and_aliases_are_found() {
        let file = "127.0.0.1\tlocalhost vm # hub\n::1 localhost ip6-localhost\n\n# 10.0.0.1 vm\nnonsense vm\n\
                    fe80::1%lo0 vm\n10.0.0.2 Hub.Example.com hub\n10.0.0.3";
        let check = |host: &str, expected: &[&str]| {
            let found: Vec<String> = addresses(file, host).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{host}");
        };
        check("localhost", &["127.0.0.1", "::1"]);
        check("vm", &["127.0.0.1"]);
        check("hub", &["10.0.0.2"]);
        check("HUB.example.COM.", &["10.0.0.2"]);
        for nobody in ["", "example.com", "10.0.0.3", "#", "hub.example"] {
            check(nobody, &[]);
        }
    }
}
