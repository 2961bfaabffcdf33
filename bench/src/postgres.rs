//! PostgreSQL for the benchmark: a server of its own, as Debian packages it and with its default settings.

use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context as _, ensure};
use countersign_cluster::Setup;

use crate::lifeline::Order;
use crate::pinning::Pinning;

/// The one database that is used, which is there from the beginning.
const DATABASE: &str = "postgres";

/// A running server, until dropped. `fsync` and `synchronous_commit` are on, which are the defaults.
pub(crate) struct Cluster {
    server: countersign_cluster::Cluster,
    port: u16,
}

impl Cluster {
    /// Starts one on the database's core, in a new folder in `parent`, which other users must be able to enter.
    pub(crate) fn start(parent: &Path, pinning: &Pinning) -> anyhow::Result<Self> {
        let port = free_port()?;
        let settings = format!("-p {port} -c listen_addresses=127.0.0.1");
        let under = pinning.database();
        let under: Vec<&str> = under.iter().map(String::as_str).collect();
        let setup = Setup { settings: &settings, place: Some(parent), under: &under, ..Setup::default() };
        let server = countersign_cluster::Cluster::start_with(setup)?;
        use_log_again(&server)?;
        Ok(Self { server, port })
    }

    /// The port on which it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The address of the database.
    pub(crate) fn address(&self) -> String {
        address_at(self.port)
    }

    /// Stops all of its processes, or has them go on.
    pub(crate) fn order(&mut self, order: Order) -> anyhow::Result<()> {
        self.server.tell(match order {
            Order::Pause => "freeze",
            Order::GoOn => "thaw",
        })
    }

    /// The process that all others are children of.
    pub(crate) fn process(&self) -> anyhow::Result<u32> {
        self.server.process()
    }

    /// The size of the database: tables, indexes, and what they keep free.
    pub(crate) fn database_bytes(&self) -> anyhow::Result<u64> {
        let query = format!("SELECT pg_database_size('{DATABASE}')");
        let answer = self.server.sql(&query)?;
        answer.parse().with_context(|| format!("expected a number of {query}, found {answer:?}"))
    }
}

/// The address of the database behind a port.
pub(crate) fn address_at(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{DATABASE}")
}

/// Brings the log to where it is after a while: a server that is new makes each piece of it, 16 MiB of zeros while a commit waits, and
/// one that has been running takes those that it does not need any more.
fn use_log_again(server: &countersign_cluster::Cluster) -> anyhow::Result<()> {
    const MEGABYTES: u32 = 500;
    let write = format!(
        "SELECT count(pg_logical_emit_message(false, 'filling', repeat('x', 1000000))) FROM generate_series(1, {MEGABYTES})"
    );
    let written = server.sql(&write)?;
    ensure!(written == MEGABYTES.to_string(), "expected {MEGABYTES} of {write}, found {written:?}");
    let complaint = server.sql("CHECKPOINT")?;
    ensure!(complaint.is_empty(), "CHECKPOINT: {complaint}");
    Ok(())
}

/// A port that is free now. Somebody else may take it before it is used; then what was to use it says so.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
