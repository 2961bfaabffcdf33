//! The configuration file, key by key: these comments are its manual.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use countersign_core::{Algorithm, Audience, IssuerUrl, Provider, PublicUrl};
use serde::Deserialize;
use toml::Spanned;

/// The file. Every key is optional; a key that is not here stops the start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    /// Where clients reach the server: `https://host[:port]`, or `http://` on loopback. It is the issuer of the access
    /// tokens and the audience that id tokens must be minted for. Default: `http://` and the address of `listen`
    /// (`https://` with `[tls]`).
    pub(super) public_url: Option<PublicUrl>,
    /// The address to listen on, `127.0.0.1:8080` by default. Speaks TLS if `[tls]` is set; without TLS it must be a
    /// loopback address, unless `behind_tls_proxy` is set.
    pub(super) listen: Option<Spanned<String>>,
    /// A second, loopback address that speaks plain HTTP beside the TLS listener.
    pub(super) plain_listen: Option<Spanned<String>>,
    /// A proxy in front of the server terminates TLS: plain HTTP may listen on any address.
    #[serde(default)]
    pub(super) behind_tls_proxy: bool,
    /// Where publishers, ledger and keys are kept: `sqlite:PATH`, by default `sqlite:countersign-data/countersign.db`, or
    /// `postgres://USER@HOST[:PORT][,HOST…]/DATABASE` for several nodes. The variable `COUNTERSIGN_DATABASE_URL` takes its
    /// place, and may hold the password, which this file may not. `sslmode` is `verify-full` (also written `require`) unless
    /// the server is on this machine, or `disable`.
    pub(super) database: Option<Spanned<String>>,
    /// The file with the key that encrypts the signing keys in the database: 64 hexadecimal digits, made on first start.
    /// Default: `encryption.key` beside the database, in `countersign-data` where that is PostgreSQL; all nodes need the same. The variable `COUNTERSIGN_ENCRYPTION_KEY` takes its place.
    pub(super) encryption_key_file: Option<PathBuf>,
    /// A program and its arguments that prints the key instead, asked once at each start: the way to a secret store. The
    /// variable goes before it, the file is not looked at.
    pub(super) encryption_key_command: Option<Spanned<Vec<String>>>,
    /// `hub`: a bad id token is `invalid_grant`, as at the Hugging Face Hub (the default); `rfc8693`: it is
    /// `invalid_request`, as RFC 8693 §2.2.2 has it.
    #[serde(default)]
    pub(super) error_profile: ErrorProfile,
    /// `text` (the default) or `json`.
    #[serde(default)]
    pub(super) log_format: LogFormat,
    /// How to use PostgreSQL, if that is the database.
    pub(super) postgres: Option<Spanned<RawPostgres>>,
    /// Files for TLS.
    pub(super) tls: Option<RawTls>,
    /// What the issued tokens are like.
    #[serde(default)]
    pub(super) tokens: RawTokens,
    /// How much of the server anybody gets.
    #[serde(default)]
    pub(super) limits: RawLimits,
    /// Where metrics are served.
    pub(super) metrics: Option<RawMetrics>,
    /// Where traces go.
    pub(super) tracing: Option<RawTracing>,
    /// The presets of which people with an admin token may add issuers while the server runs, at public https addresses
    /// only. Default: none.
    #[serde(default)]
    pub(super) custom_issuers: RawCustomIssuers,
    /// How long the ledger and the audit log are kept.
    #[serde(default)]
    pub(super) audit: RawAudit,
    /// The issuers whose id tokens are exchanged. Replaces the built-in list, which has github.com and gitlab.com.
    pub(super) issuers: Option<Vec<Spanned<RawIssuer>>>,
}

/// `[postgres]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPostgres {
    /// A file with the password and nothing else.
    pub(super) password_file: Option<PathBuf>,
    /// Root certificates in PEM that the server's certificate must come from. Default: those of the system.
    pub(super) ca_file: Option<PathBuf>,
    /// How many connections at most, 4 to 200. Default: 10.
    pub(super) connections: Option<Spanned<u16>>,
    /// How long a statement may take before it is given up, at most `30s`. Default: `5s`.
    pub(super) statement_timeout: Option<Spanned<WrittenDuration>>,
    /// `serve` brings the schema up to date by itself. Default: false, `countersign-server migrate` does.
    #[serde(default)]
    pub(super) migrate: bool,
}

/// `[tls]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    /// The certificate chain, leaf first, in PEM.
    pub(super) certificate: PathBuf,
    /// The private key, in PEM.
    pub(super) key: PathBuf,
}

/// `[tokens]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTokens {
    /// The registry that checks the tokens: their `aud`. Default: `public_url`.
    pub(super) audience: Option<Audience>,
    /// How long a token lasts, such as `30m`; at most and by default `1h`.
    pub(super) lifetime: Option<Spanned<WrittenDuration>>,
    /// Tokens end no later than the id token they were exchanged for. Default: false, as at the Hub.
    #[serde(default)]
    pub(super) end_with_id_token: bool,
    /// The age at which a signing key is succeeded by a new one, such as `2160h` (90 days, the default); at least `24h`.
    pub(super) rotate_keys_after: Option<Spanned<WrittenDuration>>,
    /// How long a registry may keep a status list, and so the longest that it takes a revoked token: `15s` by default,
    /// `2s` to `5m`. It goes on with its copy for 20 times as long while it cannot reach the server.
    pub(super) status_ttl: Option<Spanned<WrittenDuration>>,
    /// Stands before tokens for repositories and packages. Default: `hf_jwt_`.
    pub(super) prefix: Option<Spanned<String>>,
    /// Stands before tokens for users. Default: `hf_oauth_`.
    pub(super) user_prefix: Option<Spanned<String>>,
}

/// `[limits]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    /// How many proxies stand in front of the server, each of which appends the address of its caller to the header below.
    /// The client is as many entries from the right. Default: 0, the peer of the connection is the client; behind
    /// `behind_tls_proxy` the default is that nothing is known, and addresses are not limited.
    pub(super) trusted_proxies: Option<Spanned<u8>>,
    /// `x-forwarded-for` (the default) or `forwarded`: the header that the trusted proxies append to.
    #[serde(default)]
    pub(super) client_address_header: ForwardingHeader,
    /// Requests from one client address (an IPv6 network of 64 bits counts as one): so many at once, and as many a minute.
    /// Exchanges are counted apart from other requests, and only those that come to no token. Default: 1200; 0 for no limit.
    /// Loopback addresses are never limited.
    pub(super) requests_per_address: Option<u32>,
    /// Exchanges of one tenant of an issuer (a GitHub owner, a GitLab namespace), counted once the id token is verified: so
    /// many at once, and as many a minute. Default: 6000; 0 for no limit.
    pub(super) exchanges_per_tenant: Option<u32>,
    /// Exchanges at once. Default: 1024.
    pub(super) exchanges_in_flight: Option<Spanned<usize>>,
    /// Connections at once. Default: 8192.
    pub(super) connections: Option<Spanned<usize>>,
    /// Connections at once of one client address, where no proxy is in front. Default: 256.
    pub(super) connections_per_address: Option<Spanned<usize>>,
    /// How long a connection may be without a request. Default: `60s`.
    pub(super) idle: Option<WrittenDuration>,
    /// How long a client may take to send the headers of a request, to begin with one, or to take what it is sent. Default:
    /// `10s`.
    pub(super) patience: Option<WrittenDuration>,
}

/// `[metrics]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMetrics {
    /// The address that serves `/metrics` to Prometheus, in plain HTTP and to anybody who can reach it. Never the address of
    /// `listen`. Default: none, metrics are not served.
    pub(super) listen: Spanned<String>,
}

/// `[tracing]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTracing {
    /// The OpenTelemetry collector that traces are sent to (OTLP over HTTP, in protobuf): `/v1/traces` is added. Default: none,
    /// nothing is traced. The variable `OTEL_EXPORTER_OTLP_HEADERS` may hold what the collector wants in headers.
    pub(super) otlp_endpoint: Spanned<String>,
    /// The share of requests that is traced. Default: 1.0, all.
    pub(super) sample_ratio: Option<Spanned<f64>>,
}

/// `[custom_issuers]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCustomIssuers {
    /// The presets, such as `["gitlab", "forgejo"]`.
    #[serde(default)]
    pub(super) presets: Vec<Provider>,
    /// Exchanges of each issuer that was added, whichever tenant they are of: so many at once, and as many a minute. Default:
    /// 6000; 0 for no limit.
    pub(super) exchanges_per_minute: Option<u32>,
}

/// `[audit]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAudit {
    /// The age at which exchanges and changes are removed, such as `8760h` for a year; at least `24h`. What is left stays
    /// verifiable. Default: they are kept for good.
    pub(super) keep: Option<Spanned<WrittenDuration>>,
}

/// `[[issuers]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIssuer {
    /// The issuer, exactly as its tokens have it in `iss`.
    pub(super) url: IssuerUrl,
    /// `github`, `gitlab` or `generic`: what its claims mean.
    pub(super) preset: Provider,
    /// What its id tokens may be minted for. Every `aud` of a token must be in this list. Default: `public_url`.
    pub(super) audiences: Option<BTreeSet<Audience>>,
    /// What its keys may sign with. Default: `RS256` for the presets; `RS256` and `ES256` for `generic`.
    pub(super) algorithms: Option<Vec<Algorithm>>,
    /// The longest lifetime (`exp` − `iat`) of an id token. Default: `1h`; for GitLab `24h`, since its tokens live as
    /// long as a job may run.
    pub(super) max_lifetime: Option<WrittenDuration>,
    /// The greatest age (now − `iat`) of an id token. Default: `max_lifetime`.
    pub(super) max_age: Option<WrittenDuration>,
    /// How many access tokens one id token buys. Default: 1; for GitLab 10, since a job has one id token for all its
    /// commands.
    pub(super) max_exchanges: Option<u32>,
    /// Exchanges of all of its id tokens together: so many at once, and as many a minute. Default: no limit, those of
    /// tenants are enough for an issuer whose tenants are real.
    pub(super) exchanges_per_minute: Option<NonZeroU32>,
    /// A JWK set in a file, for an issuer that cannot be reached: used instead of discovery.
    pub(super) jwks_file: Option<PathBuf>,
    /// Origins other than the issuer's own that its `jwks_uri` may be on, such as `https://www.googleapis.com`.
    #[serde(default)]
    pub(super) key_origins: Vec<PublicUrl>,
    /// The URL of a proxy through which the issuer is reached. Default: none; the environment's is never used.
    pub(super) proxy: Option<String>,
    /// The issuer may be on a private network: its name may have addresses that are not on the public Internet. Default:
    /// false; an issuer whose URL itself names a loopback address needs it not.
    #[serde(default)]
    pub(super) private_network: bool,
    /// Root certificates in PEM for an issuer with a private certificate authority, beside the public ones.
    pub(super) ca_file: Option<PathBuf>,
}

/// How refusals of id tokens are coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorProfile {
    /// As the Hugging Face Hub.
    #[default]
    Hub,
    /// As RFC 8693.
    Rfc8693,
}

/// The header that names the client. One only: a proxy appends to the one that it knows, and passes the other on as the
/// client wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardingHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// A duration such as `5m`, `1h` or `1h30m`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct WrittenDuration(pub(super) Duration);

impl TryFrom<String> for WrittenDuration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed =
            text.parse::<jiff::SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
        let whole = parsed.filter(|duration| !duration.is_zero() && duration.subsec_nanos() == 0);
        whole.map(Self).ok_or_else(|| {
            format!("expected a duration in whole seconds such as 5m, 1h or 1h30m, found {text:?}")
        })
    }
}
