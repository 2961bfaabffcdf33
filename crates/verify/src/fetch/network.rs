//! Where a connection may go (threats C3 and C4).

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use countersign_core::IssuerUrl;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolving};
use thiserror::Error;

use super::address::special;

/// The addresses of a name, some time later.
pub type ResolveFuture<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Finds the addresses of a name. [`SystemResolver`] is the real one; tests bring their own.
pub trait Resolve: Debug + Send + Sync {
    /// Finds all addresses of `name`, which is no address itself.
    fn resolve<'a>(&'a self, name: &'a str) -> ResolveFuture<'a>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> ResolveFuture<'a> {
        Box::pin(
            async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|found| found.ip()).collect()) },
        )
    }
}

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// Hosts of the public Internet only: none that is loopback, link-local, private or otherwise special.
    #[default]
    Public,
    /// Any address, for hosts that somebody trusted has chosen.
    Any,
}

/// A host is not on the public Internet although it has to be. For the log: it names an inside address.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "expected {host} to have public addresses only, found {address}, which is {class}; if it is meant to be there, allow it \
     with the setting `private_network`"
)]
pub struct NotPublic {
    host: String,
    address: IpAddr,
    class: &'static str,
}

impl Network {
    /// What suits an issuer that whoever operates the program wrote down: a loopback address in the URL says by itself that
    /// loopback is meant; everything else is public.
    pub fn of(issuer: &IssuerUrl) -> Self {
        if issuer.is_loopback() { Self::Any } else { Self::Public }
    }

    /// Checks a host that is an address. Names have to be resolved first, and pass.
    pub fn check_literal(self, url: &str) -> Result<(), NotPublic> {
        // Parsed by the library that will connect: it reads `0x7f.1` as an address too.
        let url = Url::parse(url).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        match host.trim_matches(['[', ']']).parse() {
            Ok(address) => self.admit(host, &[address]),
            Err(_) => Ok(()),
        }
    }

    /// One special address refuses the whole name, even beside public ones: no honest public host has such an answer, and
    /// connecting to the rest would hide that somebody tries.
    fn admit(self, host: &str, addresses: &[IpAddr]) -> Result<(), NotPublic> {
        if self == Self::Any {
            return Ok(());
        }
        let found = addresses.iter().find_map(|address| special(*address).map(|class| (*address, class)));
        match found {
            None => Ok(()),
            Some((address, class)) => Err(NotPublic { host: host.to_owned(), address, class }),
        }
    }
}

/// Resolves names for the HTTP client, which connects to exactly what comes out: there is no second resolution that could
/// have another answer (DNS rebinding, threat C4).
#[derive(Clone, Debug)]
pub(super) struct VettedNames {
    pub(super) network: Network,
    pub(super) resolver: Arc<dyn Resolve>,
}

impl reqwest::dns::Resolve for VettedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { network, resolver } = self.clone();
        Box::pin(async move {
            let addresses = resolver.resolve(name.as_str()).await?;
            network.admit(name.as_str(), &addresses)?;
            // The client puts the URL's port in the place of 0.
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
