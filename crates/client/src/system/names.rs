//! Host names without the C library.
//!
//! glibc looks them up through libraries that it loads while a program runs (NSS), which a static program should not do
//! and often cannot. So there the hosts file is read here, and the servers of resolv.conf are asked: `hosts: files dns`, as
//! most machines have it. `nsswitch.conf` is not read; what is known to other services (mDNS, LDAP) is not found.

mod hosts;
mod query;
mod resolv_conf;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ureq::Timeout;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::surroundings::Files as _;
use crate::system::SystemFiles;
use resolv_conf::ResolvConf;

/// The most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Where names are looked up.
#[derive(Clone, Debug)]
pub struct Names {
    /// The hosts file (hosts(5)).
    pub hosts: PathBuf,
    /// The servers to ask (resolv.conf(5)).
    pub resolv_conf: PathBuf,
    /// The port of those servers.
    pub port: u16,
}

impl Default for Names {
    fn default() -> Self {
        Self { hosts: "/etc/hosts".into(), resolv_conf: "/etc/resolv.conf".into(), port: 53 }
    }
}

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// There is no such name, or it has no address.
    NotFound,
    /// No server answered in time.
    NoAnswer,
}

impl Names {
    /// The addresses of a host, within a limit; of IP version 4 first, since not every network that has the other works.
    pub fn addresses(&self, host: &str, limit: Duration) -> Result<Vec<IpAddr>, NameError> {
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
            return Ok(vec![address]);
        }
        // A file that is not there says nothing.
        let read = |path| SystemFiles.read(path).unwrap_or_default();
        let known = hosts::addresses(&read(&self.hosts), host);
        if !known.is_empty() {
            return Ok(known);
        }
        if is_local(host) {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let configured = ResolvConf::read(&read(&self.resolv_conf));
        let mut addresses = self.asked(&configured, host, deadline(limit))?;
        addresses.sort_by_key(IpAddr::is_ipv6);
        addresses.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }

    /// Asks for the name in the domains that it may be meant in.
    fn asked(
        &self,
        configured: &ResolvConf,
        host: &str,
        deadline: Instant,
    ) -> Result<Vec<IpAddr>, NameError> {
        let mut outcome = Err(NameError::NotFound);
        for name in configured.candidates(host) {
            match self.asked_of_each_server(configured, &name, deadline) {
                Ok(addresses) if !addresses.is_empty() => return Ok(addresses),
                Ok(_) => {}
                // A name that another domain has is found all the same.
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    fn asked_of_each_server(
        &self,
        configured: &ResolvConf,
        name: &str,
        deadline: Instant,
    ) -> Result<Vec<IpAddr>, NameError> {
        for _ in 0..configured.attempts {
            for server in &configured.servers {
                let left = left(deadline).min(configured.timeout);
                if left.is_zero() {
                    return Err(NameError::NoAnswer);
                }
                if let Ok(addresses) = query::ask(SocketAddr::new(*server, self.port), name, left) {
                    return Ok(addresses);
                }
            }
        }
        Err(NameError::NoAnswer)
    }
}

/// Names that are this machine's whatever anybody says (RFC 6761 §6.3).
fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[expect(clippy::disallowed_methods, reason = "the edge: the time that an answer is waited for")]
fn deadline(limit: Duration) -> Instant {
    // Nobody waits for longer than a day, and every clock can add one.
    Instant::now() + limit.min(Duration::from_hours(24))
}

#[expect(clippy::disallowed_methods, reason = "the edge: the time that an answer is waited for")]
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        let addresses = self.addresses(host, *timeout.after).map_err(|error| match error {
            NameError::NotFound => ureq::Error::HostNotFound,
            NameError::NoAnswer => ureq::Error::Timeout(Timeout::Resolve),
        })?;
        let mut resolved = self.empty();
        for address in addresses {
            resolved.push(SocketAddr::new(address, port));
        }
        Ok(resolved)
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "the host name did not resolve",
            Self::NoAnswer => "no name server answered",
        })
    }
}
