//! The file that says whom to ask for names.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// What resolv.conf(5) says, within its own limits. What is not known is passed over, as the C library does.
#[derive(Debug)]
pub(super) struct ResolvConf {
    /// Whom to ask, in order; this machine where nobody is named.
    pub(super) servers: Vec<IpAddr>,
    /// The domains that a short name may be meant in.
    search: Vec<String>,
    /// How many dots a name has that is tried as it is first.
    dots: usize,
    /// How long one server is waited for.
    pub(super) timeout: Duration,
    /// How often all are asked.
    pub(super) attempts: u32,
}

impl ResolvConf {
    /// Reads the file.
    pub(super) fn read(file: &str) -> Self {
        let mut read = Self {
            servers: Vec::new(),
            search: Vec::new(),
            dots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        };
        for line in file.lines() {
            let mut words = line.split(['#', ';']).next().unwrap_or_default().split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    read.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok()));
                }
                // The last of them counts.
                Some("search" | "domain") => read.search = words.take(6).map(str::to_owned).collect(),
                Some("options") => words.for_each(|option| read.set(option)),
                _ => {}
            }
        }
        read.servers.truncate(3);
        if read.servers.is_empty() {
            read.servers.push(Ipv4Addr::LOCALHOST.into());
        }
        read
    }

    fn set(&mut self, option: &str) {
        let Some((name, Ok(value))) =
            option.split_once(':').map(|(name, value)| (name, value.parse::<u32>()))
        else {
            return;
        };
        match name {
            "ndots" => self.dots = usize::try_from(value.min(15)).unwrap_or(1),
            "timeout" => self.timeout = Duration::from_secs(value.clamp(1, 30).into()),
            "attempts" => self.attempts = value.clamp(1, 5),
            _ => {}
        }
    }

    /// The full names that a host may be meant by, in the order in which they are tried.
    pub(super) fn candidates(&self, host: &str) -> Vec<String> {
        if let Some(absolute) = host.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let within = |domain: &String| format!("{host}.{}", domain.trim_end_matches('.'));
        let mut names: Vec<String> = self.search.iter().map(within).collect();
        let first = if host.matches('.').count() >= self.dots { 0 } else { names.len() };
        names.insert(first, host.to_owned());
        names
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::ResolvConf;

    #[test]
    fn the_file_is_read_within_its_limits() {
        let read = ResolvConf::read(
            "# nameserver 9.9.9.9\nnameserver 10.0.0.1 ; first\nnameserver fe80::1%eth0\nnameserver 2001:db8::1\n\
             nameserver 10.0.0.3\nnameserver 10.0.0.4\ndomain old.example\nsearch a.example b.example.\n\
             options ndots:5 timeout:900 attempts:0 rotate ndots:x\nnonsense\n",
        );
        let servers: Vec<String> = read.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.1", "2001:db8::1", "10.0.0.3"]);
        assert_eq!((read.timeout, read.attempts), (Duration::from_secs(30), 1));
        assert_eq!(read.candidates("hub.x"), ["hub.x.a.example", "hub.x.b.example", "hub.x"]);
        assert_eq!(read.candidates("hub.x."), ["hub.x"]);
        assert_eq!(
            read.candidates("a.b.c.d.e.f"),
            ["a.b.c.d.e.f", "a.b.c.d.e.f.a.example", "a.b.c.d.e.f.b.example"]
        );
    }

    #[test]
    fn without_a_file_this_machine_is_asked() {
        let read = ResolvConf::read("");
        assert_eq!(read.servers[0].to_string(), "127.0.0.1");
        assert_eq!(read.candidates("hub.example.com"), ["hub.example.com"]);
        assert_eq!(read.candidates("hub"), ["hub"]);
    }
}
