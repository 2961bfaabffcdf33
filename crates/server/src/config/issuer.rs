//! The settings of one issuer.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_core::{Algorithm, Audience, IssuerUrl, Provider, PublicUrl};
use countersign_verify::{Network, NotPublic};
use toml::Spanned;

use super::Misfit;
use super::raw::RawIssuer;

/// One issuer whose id tokens are exchanged.
#[derive(Debug)]
pub struct IssuerSettings {
    /// Its URL.
    pub url: IssuerUrl,
    /// What its claims mean.
    pub provider: Provider,
    /// What its tokens may be minted for; empty stands for the public URL.
    pub audiences: BTreeSet<Audience>,
    /// What its keys may sign with; never empty.
    pub algorithms: Vec<Algorithm>,
    /// The longest `exp` − `iat`.
    pub max_lifetime: Duration,
    /// The greatest age.
    pub max_age: Duration,
    /// How many access tokens one id token buys.
    pub max_exchanges: u32,
    /// Exchanges of all of its id tokens: so many at once, and as many a minute; `None` for no limit.
    pub exchanges_per_minute: Option<NonZeroU32>,
    /// Where its keys come from.
    pub keys: KeySettings,
}

/// Where an issuer's keys come from.
#[derive(Debug)]
pub enum KeySettings {
    /// A JWK set in a file.
    File(PathBuf),
    /// OpenID Connect discovery.
    Discovery {
        /// Other origins that `jwks_uri` may be on.
        key_origins: Vec<PublicUrl>,
        /// Root certificates beside the public ones.
        ca_file: Option<PathBuf>,
        /// The proxy through which it is reached.
        proxy: Option<String>,
        /// Which addresses it may have.
        network: Network,
    },
}

/// The configured issuers, or the public ones of all presets.
pub(super) fn all(
    raw: Option<Vec<Spanned<RawIssuer>>>,
    public_url: Option<&PublicUrl>,
    folder: &Path,
) -> Result<Vec<IssuerSettings>, Misfit> {
    let Some(raw) = raw else {
        return Ok(Provider::ALL.into_iter().flat_map(built_in).collect());
    };
    let mut issuers: Vec<IssuerSettings> = Vec::with_capacity(raw.len());
    for written in raw {
        let refuse = |message: String| Err(Misfit { offset: written.span().start, message });
        let raw = written.get_ref();
        if issuers.iter().any(|issuer| issuer.url == raw.url) {
            return refuse(format!("issuers: {} is there twice; keep one", raw.url));
        }
        if public_url.is_some_and(|own| own.as_str() == raw.url.as_str()) {
            return refuse(
                "issuers: this is public_url; a server does not exchange its own tokens".to_owned(),
            );
        }
        if let Some(owner) = Provider::owning(&raw.url).filter(|owner| *owner != raw.preset) {
            return refuse(format!("issuers: {} is {owner}'s; set preset = \"{owner}\"", raw.url));
        }
        if raw.audiences.as_ref().is_some_and(BTreeSet::is_empty) {
            return refuse("issuers: audiences is empty, so every token would be for us; leave it out or name at least one".to_owned());
        }
        if raw.algorithms.as_ref().is_some_and(Vec::is_empty) {
            return refuse("issuers: algorithms is empty; leave it out or name at least one".to_owned());
        }
        if raw.max_exchanges == Some(0) {
            return refuse(
                "issuers: max_exchanges is 0, so no token could be exchanged; expected 1 or more".to_owned(),
            );
        }
        if raw.jwks_file.is_some()
            && (raw.ca_file.is_some()
                || raw.proxy.is_some()
                || raw.private_network
                || !raw.key_origins.is_empty())
        {
            return refuse(
                "issuers: jwks_file replaces discovery; remove ca_file, proxy, private_network and key_origins".to_owned(),
            );
        }
        if raw.jwks_file.is_none()
            && raw.proxy.is_none()
            && let Err(problem) = check_literals(raw)
        {
            return refuse(format!("issuers: {problem}"));
        }
        issuers.push(valid(written.into_inner(), folder));
    }
    Ok(issuers)
}

/// Threat C3: only the operator's explicit word lets connections go inside.
fn network(raw: &RawIssuer) -> Network {
    if raw.private_network { Network::Any } else { Network::of(&raw.url) }
}

/// What no resolver has to be asked for shows at the start.
fn check_literals(raw: &RawIssuer) -> Result<(), NotPublic> {
    let mut urls = raw.key_origins.iter().map(PublicUrl::as_str).chain([raw.url.as_str()]);
    urls.try_for_each(|url| network(raw).check_literal(url))
}

fn valid(raw: RawIssuer, folder: &Path) -> IssuerSettings {
    let defaults = &raw.preset.preset().defaults;
    let max_lifetime = raw.max_lifetime.map_or(defaults.max_lifetime, |duration| duration.0);
    let network = network(&raw);
    IssuerSettings {
        url: raw.url,
        provider: raw.preset,
        audiences: raw.audiences.unwrap_or_default(),
        algorithms: raw.algorithms.unwrap_or_else(|| defaults.algorithms.to_vec()),
        max_lifetime,
        max_age: raw.max_age.map_or(max_lifetime, |duration| duration.0),
        max_exchanges: raw.max_exchanges.unwrap_or(defaults.max_exchanges),
        exchanges_per_minute: raw.exchanges_per_minute,
        keys: match raw.jwks_file {
            Some(path) => KeySettings::File(folder.join(path)),
            None => KeySettings::Discovery {
                key_origins: raw.key_origins,
                ca_file: raw.ca_file.map(|path| folder.join(path)),
                proxy: raw.proxy,
                network,
            },
        },
    }
}

fn built_in(provider: Provider) -> impl Iterator<Item = IssuerSettings> {
    let urls = provider.preset().issuers.iter().filter_map(|url| url.parse().ok());
    urls.map(move |url| IssuerSettings::of_preset(url, provider))
}

impl IssuerSettings {
    /// An issuer as its preset has it: found out by discovery, at public addresses.
    pub fn of_preset(url: IssuerUrl, provider: Provider) -> Self {
        let defaults = &provider.preset().defaults;
        Self {
            url,
            provider,
            audiences: BTreeSet::new(),
            algorithms: defaults.algorithms.to_vec(),
            max_lifetime: defaults.max_lifetime,
            max_age: defaults.max_lifetime,
            max_exchanges: defaults.max_exchanges,
            exchanges_per_minute: None,
            keys: KeySettings::Discovery {
                key_origins: Vec::new(),
                ca_file: None,
                proxy: None,
                network: Network::Public,
            },
        }
    }
}
