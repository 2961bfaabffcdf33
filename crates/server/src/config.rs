//! Configuration: what the operator wrote, made into what the server can run with.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_core::{Audience, PublicUrl};
use secrecy::SecretString;
use thiserror::Error;

mod database;
mod issuer;
mod limits;
mod raw;
mod tracing;

pub use database::{Database, DatabaseTls, PostgresSettings};
pub use issuer::{IssuerSettings, KeySettings};
pub use limits::{LimitSettings, Proxies};
pub use raw::{ErrorProfile, ForwardingHeader, LogFormat};
pub use tracing::TracingSettings;

use crate::issuers::CustomIssuers;
use raw::{RawConfig, RawTokens};

/// A configuration that makes sense as a whole.
#[derive(Debug)]
pub struct Config {
    /// Where clients reach the server; `None` stands for the address that it will listen on.
    pub public_url: Option<PublicUrl>,
    /// The address to listen on: with TLS if [`Config::tls`] is set.
    pub listen: SocketAddr,
    /// A second address, loopback only, that speaks plain HTTP beside TLS.
    pub plain_listen: Option<SocketAddr>,
    /// Certificate chain and private key, in PEM.
    pub tls: Option<Tls>,
    /// Where the state is kept.
    pub database: Database,
    /// The file with the key that signing keys are encrypted with.
    pub encryption_key_file: PathBuf,
    /// The program, with its arguments, that prints that key instead; never empty.
    pub encryption_key_command: Option<Vec<String>>,
    /// How refusals of id tokens are coded.
    pub error_profile: ErrorProfile,
    /// What the issued tokens are like.
    pub tokens: Tokens,
    /// The issuers whose tokens are exchanged.
    pub issuers: Vec<IssuerSettings>,
    /// What people with an admin token may add to the issuers.
    pub custom_issuers: CustomIssuers,
    /// The age at which rows of the ledger and the audit log are removed; `None` keeps them.
    pub keep_records: Option<Duration>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// How much of the server anybody gets.
    pub limits: LimitSettings,
    /// The address that metrics are served at.
    pub metrics: Option<SocketAddr>,
    /// Where traces go.
    pub tracing: Option<TracingSettings>,
}

/// Files for the TLS listener.
#[derive(Debug)]
pub struct Tls {
    /// The certificate chain, leaf first, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

/// What the issued tokens are like.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The registry that they are for; `None` stands for the public URL.
    pub audience: Option<Audience>,
    /// How long they last, at most an hour.
    pub lifetime: Duration,
    /// Whether they end with the id token if that ends sooner (D11).
    pub end_with_id_token: bool,
    /// The age at which a signing key is succeeded by a new one.
    pub rotate_keys_after: Duration,
    /// How long registries may keep a status list.
    pub status_ttl: Duration,
    /// Stands before tokens for repositories and packages, so that scanners find leaked ones.
    pub prefix: String,
    /// Stands before tokens for users.
    pub user_prefix: String,
}

/// What the environment adds to the file.
#[derive(Debug, Default)]
pub struct Environment {
    /// `COUNTERSIGN_DATABASE_URL`: takes the place of `database`, and may hold a password.
    pub database_url: Option<SecretString>,
}

/// Why the server does not start. The text says where and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value that its key cannot have.
    #[error("the configuration {path} is not valid:\n{message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, excerpt and remedy.
        message: String,
    },
    /// Values that do not go together.
    #[error("the configuration {path} is not valid, line {line}: {message}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1; 0 if it is about the file as a whole.
        line: usize,
        /// What was expected, what came, what to do.
        message: String,
    },
}

/// A value that does not go with another, and where it stands in the file.
#[derive(Debug)]
struct Misfit {
    offset: usize,
    message: String,
}

impl Misfit {
    fn at<T>(value: &toml::Spanned<T>, message: impl Into<String>) -> Self {
        Self { offset: value.span().start, message: message.into() }
    }
}

impl Config {
    /// Reads a file. Relative paths in it are relative to its folder. `given` is what the environment says.
    pub fn load(path: &Path, given: &Environment) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse_in(given, &text, path)
    }

    /// The configuration without a file: SQLite under `./countersign-data`, loopback, github.com and gitlab.com.
    pub fn without_file(given: &Environment) -> Result<Self, ConfigError> {
        Self::parse_in(given, "", Path::new(""))
    }

    /// Makes a configuration of the text of a file at `path`, in an environment that adds nothing.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        Self::parse_in(&Environment::default(), text, path)
    }

    /// Makes a configuration of the text of a file at `path`.
    pub fn parse_in(given: &Environment, text: &str, path: &Path) -> Result<Self, ConfigError> {
        let raw: RawConfig = toml::from_str(text)
            .map_err(|error| ConfigError::Parse { path: path.to_owned(), message: error.to_string() })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::from_raw(raw, folder, given).map_err(|Misfit { offset, message }| ConfigError::Invalid {
            path: path.to_owned(),
            line: text[..offset.min(text.len())].matches('\n').count() + 1,
            message,
        })
    }

    fn from_raw(raw: RawConfig, folder: &Path, given: &Environment) -> Result<Self, Misfit> {
        let tls =
            raw.tls.map(|tls| Tls { certificate: folder.join(tls.certificate), key: folder.join(tls.key) });
        let listen = match &raw.listen {
            Some(listen) => parse_address(listen)?,
            None => SocketAddr::from(([127, 0, 0, 1], 8080)),
        };
        if let Some(written) = &raw.listen
            && !listen.ip().is_loopback()
            && tls.is_none()
            && !raw.behind_tls_proxy
        {
            return Err(Misfit::at(
                written,
                format!(
                    "listen: {listen} is reachable from elsewhere, and id tokens would cross the network in clear; \
                     set [tls], listen on 127.0.0.1, or set behind_tls_proxy = true if a proxy terminates TLS"
                ),
            ));
        }
        let plain_listen = raw.plain_listen.as_ref().map(parse_plain_address).transpose()?;
        let public_url = raw.public_url;
        if public_url.is_none() && (raw.behind_tls_proxy || !listen.ip().is_loopback()) {
            let offset = raw.listen.as_ref().map_or(0, |written| written.span().start);
            let message = "public_url is missing: clients do not reach the server at the address it listens on; \
                           set public_url = \"https://…\"";
            return Err(Misfit { offset, message: message.to_owned() });
        }
        let given = given.database_url.as_ref();
        let database = Database::parse(raw.database.as_ref(), given, raw.postgres.as_ref(), folder)?;
        let beside = database.folder(folder).join("encryption.key");
        Ok(Self {
            listen,
            plain_listen,
            encryption_key_command: raw.encryption_key_command.map(parse_command).transpose()?,
            encryption_key_file: raw.encryption_key_file.map_or(beside, |path| folder.join(path)),
            database,
            error_profile: raw.error_profile,
            tokens: parse_tokens(raw.tokens)?,
            issuers: issuer::all(raw.issuers, public_url.as_ref(), folder)?,
            custom_issuers: CustomIssuers {
                presets: raw.custom_issuers.presets,
                exchanges_per_minute: NonZeroU32::new(
                    raw.custom_issuers.exchanges_per_minute.unwrap_or(6_000),
                ),
            },
            keep_records: parse_keep(raw.audit.keep)?,
            log_format: raw.log_format,
            metrics: raw.metrics.as_ref().map(|metrics| parse_address(&metrics.listen)).transpose()?,
            tracing: raw.tracing.map(tracing::valid).transpose()?,
            limits: raw.limits.valid(raw.behind_tls_proxy)?,
            public_url,
            tls,
        })
    }
}

fn parse_command(command: toml::Spanned<Vec<String>>) -> Result<Vec<String>, Misfit> {
    if command.get_ref().first().is_some_and(|program| !program.is_empty()) {
        return Ok(command.into_inner());
    }
    let message = "encryption_key_command: expected a program and its arguments, such as [\"pass\", \"show\", \"countersign\"]";
    Err(Misfit::at(&command, message))
}

/// Shorter, and rows of tokens that are still good would go.
fn parse_keep(written: Option<toml::Spanned<raw::WrittenDuration>>) -> Result<Option<Duration>, Misfit> {
    match written {
        Some(keep) if keep.get_ref().0 < Duration::from_hours(24) => {
            Err(Misfit::at(&keep, "audit.keep: expected 24h or more, such as 8760h for a year"))
        }
        keep => Ok(keep.map(|keep| keep.get_ref().0)),
    }
}

fn parse_address(text: &toml::Spanned<String>) -> Result<SocketAddr, Misfit> {
    let expected = |_| {
        Misfit::at(text, format!("expected an address such as 127.0.0.1:8080, found {:?}", text.get_ref()))
    };
    text.get_ref().parse().map_err(expected)
}

fn parse_plain_address(text: &toml::Spanned<String>) -> Result<SocketAddr, Misfit> {
    let address = parse_address(text)?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(Misfit::at(
        text,
        format!("plain_listen: expected a loopback address such as 127.0.0.1:8080, found {address}"),
    ))
}

fn parse_tokens(raw: RawTokens) -> Result<Tokens, Misfit> {
    const HOUR: Duration = Duration::from_hours(1);
    let lifetime = match raw.lifetime {
        None => HOUR,
        Some(lifetime) if (Duration::from_secs(1)..=HOUR).contains(&lifetime.get_ref().0) => {
            lifetime.get_ref().0
        }
        Some(lifetime) => {
            return Err(Misfit::at(
                &lifetime,
                "tokens.lifetime: expected 1s to 1h; an access token is short-lived",
            ));
        }
    };
    Ok(Tokens {
        audience: raw.audience,
        lifetime,
        end_with_id_token: raw.end_with_id_token,
        rotate_keys_after: rotate_keys_after(raw.rotate_keys_after)?,
        status_ttl: status_ttl(raw.status_ttl)?,
        prefix: parse_prefix(raw.prefix, "hf_jwt_")?,
        user_prefix: parse_prefix(raw.user_prefix, "hf_oauth_")?,
    })
}

fn rotate_keys_after(written: Option<toml::Spanned<raw::WrittenDuration>>) -> Result<Duration, Misfit> {
    const DEFAULT: Duration = Duration::from_hours(90 * 24);
    match written {
        None => Ok(DEFAULT),
        // Shorter, and keys would be published faster than registries fetch them.
        Some(written) if written.get_ref().0 >= Duration::from_hours(24) => Ok(written.get_ref().0),
        Some(written) => Err(Misfit::at(
            &written,
            "tokens.rotate_keys_after: expected 24h or more, such as 2160h for 90 days",
        )),
    }
}

fn status_ttl(written: Option<toml::Spanned<raw::WrittenDuration>>) -> Result<Duration, Misfit> {
    match written {
        None => Ok(Duration::from_secs(15)),
        Some(written) if (Duration::from_secs(2)..=Duration::from_mins(5)).contains(&written.get_ref().0) => {
            Ok(written.get_ref().0)
        }
        Some(written) => Err(Misfit::at(&written, "tokens.status_ttl: expected 2s to 5m, such as 15s")),
    }
}

fn parse_prefix(prefix: Option<toml::Spanned<String>>, default: &str) -> Result<String, Misfit> {
    let Some(prefix) = prefix else { return Ok(default.to_owned()) };
    let text = prefix.get_ref();
    let fits = text.len() <= 32
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.ends_with('_')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if fits {
        return Ok(text.clone());
    }
    Err(Misfit::at(
        &prefix,
        format!(
            "expected a prefix of at most 32 characters a-z 0-9 _ that begins with a letter and ends with _, found {text:?}"
        ),
    ))
}
