//! Where the state is kept: a file of this machine, or a PostgreSQL server that several nodes share.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use toml::Spanned;

use super::Misfit;
use super::raw::RawPostgres;

/// Where the state is kept. `Display` shows no secret.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A database of PostgreSQL.
    Postgres(Box<PostgresSettings>),
}

/// How to reach a PostgreSQL database.
#[derive(Clone)]
pub struct PostgresSettings {
    /// What the driver connects with; its password is nowhere printed.
    pub(crate) server: tokio_postgres::Config,
    /// Whether the connections are encrypted.
    pub tls: DatabaseTls,
    /// How many connections at most.
    pub connections: usize,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// Whether `serve` brings the schema up to date by itself.
    pub migrate: bool,
}

/// Whether connections to the database are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseTls {
    /// They are not: the server is on this machine, or whoever runs it says so.
    Off,
    /// They are, and the server proves its name: with the certificates of this file, or else those of the system.
    Verified(Option<PathBuf>),
}

const EXPECTED: &str = "expected sqlite:PATH, such as sqlite:countersign-data/countersign.db, or \
    postgres://USER@HOST[:PORT][,HOST…]/DATABASE[?sslmode=…]";

impl Database {
    /// Reads the address: of the configuration file, or `given` by the environment.
    pub(super) fn parse(
        written: Option<&Spanned<String>>,
        given: Option<&SecretString>,
        postgres: Option<&Spanned<RawPostgres>>,
        folder: &Path,
    ) -> Result<Self, Misfit> {
        let place = written.map_or(0, |written| written.span().start);
        let misfit = |message: String| Misfit { offset: place, message };
        let address = match (given, written) {
            (Some(given), _) => given.expose_secret(),
            (None, Some(written)) => written.get_ref().as_str(),
            (None, None) => "sqlite:countersign-data/countersign.db",
        };
        let source = if given.is_some() { "COUNTERSIGN_DATABASE_URL" } else { "database" };
        if let Some(path) = address.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return match postgres {
                Some(settings) => Err(Misfit::at(
                    settings,
                    format!(
                        "[postgres] is for database = \"postgres://…\", and {source} is a file of SQLite"
                    ),
                )),
                None => Ok(Self::Sqlite(folder.join(path))),
            };
        }
        if !address.starts_with("postgres://") && !address.starts_with("postgresql://") {
            return Err(misfit(format!("{source}: {EXPECTED}")));
        }
        let mut settings = PostgresSettings::parse(address)
            .map_err(|problem| misfit(format!("{source}: {problem}; {EXPECTED}")))?;
        if given.is_none() && settings.server.get_password().is_some() {
            return Err(misfit(
                "database: a password does not belong in this file; set COUNTERSIGN_DATABASE_URL to the whole address, or \
                 postgres.password_file"
                    .to_owned(),
            ));
        }
        if let Some(raw) = postgres {
            settings.refine(raw, folder)?;
        }
        Ok(Self::Postgres(Box::new(settings)))
    }

    /// The folder in which the key that encrypts signing keys is, unless it is said to be elsewhere.
    pub(super) fn folder(&self, configuration: &Path) -> PathBuf {
        match self {
            Self::Sqlite(path) => path.parent().unwrap_or(Path::new("")).to_owned(),
            Self::Postgres(_) => configuration.join("countersign-data"),
        }
    }
}

impl PostgresSettings {
    /// Reads an address as libpq's tools take it, without the values of `sslmode` that encrypt but verify nothing.
    fn parse(address: &str) -> Result<Self, String> {
        let (rest, query) = address.split_once('?').unwrap_or((address, ""));
        let (modes, others): (Vec<&str>, Vec<&str>) = query
            .split('&')
            .filter(|parameter| !parameter.is_empty())
            .partition(|parameter| parameter.starts_with("sslmode="));
        let address = format!("{rest}?{}", others.join("&"));
        // What is wrong may be in the password: the driver's words are not repeated.
        let mut server: tokio_postgres::Config = address
            .parse()
            .map_err(|_| "it cannot be read, or has a parameter that is not known".to_owned())?;
        if server.get_hosts().is_empty() || server.get_dbname().is_none() || server.get_user().is_none() {
            return Err("it names no user, host or database".to_owned());
        }
        let tls = match modes.last().map(|mode| &mode["sslmode=".len()..]) {
            None if server.get_hosts().iter().all(is_here) => DatabaseTls::Off,
            None | Some("require" | "verify-full") => DatabaseTls::Verified(None),
            Some("disable") => DatabaseTls::Off,
            Some(_) => {
                return Err(
                    "its sslmode is none of disable, require and verify-full (the last two verify the \
                                   server's name, and are the default unless it is on this machine)"
                        .to_owned(),
                );
            }
        };
        server.ssl_mode(if tls == DatabaseTls::Off { SslMode::Disable } else { SslMode::Require });
        // Of several hosts the one that can be written to, also after another was promoted.
        server.target_session_attrs(TargetSessionAttrs::ReadWrite);
        server.application_name("countersign-server");
        server.connect_timeout(Duration::from_secs(5));
        // A server that vanished without a word is noticed within seconds.
        server.tcp_user_timeout(Duration::from_secs(10)).keepalives_idle(Duration::from_secs(10));
        server.keepalives_interval(Duration::from_secs(5)).keepalives_retries(2);
        Ok(Self { server, tls, connections: 10, statement_timeout: Duration::from_secs(5), migrate: false })
    }

    fn refine(&mut self, settings: &Spanned<RawPostgres>, folder: &Path) -> Result<(), Misfit> {
        let raw = settings.get_ref();
        match (&mut self.tls, &raw.ca_file) {
            (DatabaseTls::Verified(file), Some(path)) => *file = Some(folder.join(path)),
            (DatabaseTls::Off, Some(_)) => {
                let message = "postgres.ca_file is there, but the connections are not encrypted; set sslmode=verify-full";
                return Err(Misfit::at(settings, message));
            }
            (_, None) => {}
        }
        if let Some(path) = &raw.password_file {
            let path = folder.join(path);
            let password = std::fs::read_to_string(&path).map_err(|error| {
                Misfit::at(
                    settings,
                    format!("postgres.password_file: cannot read {}: {error}", path.display()),
                )
            })?;
            self.server.password(SecretString::from(password).expose_secret().trim_end_matches(['\r', '\n']));
        }
        if let Some(connections) = &raw.connections {
            self.connections = usize::from(*connections.get_ref());
            // Two record, one changes, one answers.
            if !(4..=200).contains(&self.connections) {
                return Err(Misfit::at(connections, "postgres.connections: expected 4 to 200"));
            }
        }
        if let Some(timeout) = &raw.statement_timeout {
            self.statement_timeout = timeout.get_ref().0;
            if self.statement_timeout > Duration::from_secs(30) {
                return Err(Misfit::at(
                    timeout,
                    "postgres.statement_timeout: expected 1s to 30s; nobody waits longer for a token",
                ));
            }
        }
        self.migrate = raw.migrate;
        Ok(())
    }
}

/// Whether nothing that is sent there leaves the machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(settings) => write!(f, "{settings}"),
        }
    }
}

impl fmt::Display for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.server.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let hosts: Vec<String> = hosts.collect();
        write!(f, "postgres://{}/{}", hosts.join(","), self.server.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresSettings({self})")
    }
}
