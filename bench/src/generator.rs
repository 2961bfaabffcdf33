//! The load generator on its core, and what a load costs whom.

use std::net::SocketAddr;
use std::process;
use std::time::Duration;

use serde_json::{Value, json};

use crate::installation::Running;
use crate::load::{self, Outcome, Request};
use crate::process::Usage;
use crate::rate::{Rate, micros_each, number};
use crate::stage::Settings;

/// What is under load.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Where it listens: one address for each node, over which connections are spread.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The processes on the measured core.
    pub(crate) processes: Vec<u32>,
    /// The process of its database, if that is another.
    pub(crate) database: Option<u32>,
}

impl Target {
    /// Nodes, and what they share.
    pub(crate) fn of(nodes: &[Running], database: Option<u32>) -> anyhow::Result<Self> {
        let addresses = nodes.iter().map(Running::address).collect::<anyhow::Result<_>>()?;
        Ok(Self { addresses, processes: nodes.iter().map(Running::process).collect(), database })
    }
}

/// A load as fast as it was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// By the clock, and by what ran on the measured core.
    pub(crate) rate: Rate,
    /// Processor time of the database for each request, if that is a process of its own.
    pub(crate) database_micros: f64,
    /// Bytes written for each request, by server and database.
    pub(crate) written_each: f64,
    /// How much of its core the load generator was busy for: near 1, it is what was measured.
    pub(crate) generator_busy: f64,
}

impl Round {
    /// For a machine to read, with the shares of the limit that was measured beside it.
    pub(crate) fn beside(&self, limit: &Rate) -> Value {
        json!({
            "per_second": self.rate.per_second,
            "ratio": self.rate.per_second / limit.per_second,
            "cpu_micros": self.rate.cpu_micros,
            "cpu_ratio": limit.cpu_micros / self.rate.cpu_micros,
            "database_micros": self.database_micros,
            "written_bytes_each": self.written_each,
            "generator_busy": self.generator_busy,
        })
    }
}

/// The load generator.
pub(crate) struct Generator {
    runtime: tokio::runtime::Runtime,
    connections: u16,
    /// Those of a steady rate.
    open_connections: u16,
}

impl Generator {
    /// With as many connections as was asked for, each with one request under way.
    pub(crate) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (connections, open_connections) = (settings.connections, settings.open_connections());
        Ok(Self { runtime, connections, open_connections })
    }

    /// Sends as fast as it is answered, until there is nothing more or the time is up.
    pub(crate) fn closed_loop(
        &self,
        target: &Target,
        requests: Vec<Request>,
        at_most: Duration,
    ) -> anyhow::Result<(Round, Outcome)> {
        let before = Used::by(target)?;
        let load = load::closed_loop(&target.addresses, self.connections, requests, at_most);
        let outcome = self.runtime.block_on(load)?;
        let after = Used::by(target)?;
        let (server, database) = (after.server - before.server, after.database - before.database);
        let round = Round {
            rate: Rate::new(outcome.answered, outcome.took, server.cpu_seconds),
            database_micros: micros_each(database.cpu_seconds, outcome.answered),
            written_each: number(server.written + database.written) / number(outcome.answered as u64),
            generator_busy: (after.own - before.own).cpu_seconds / outcome.took.as_secs_f64(),
        };
        Ok((round, outcome))
    }

    /// Sends at a steady rate.
    pub(crate) fn paced(
        &self,
        target: &Target,
        requests: Vec<Request>,
        per_second: f64,
    ) -> anyhow::Result<Outcome> {
        let load = load::paced(&target.addresses, self.open_connections, requests, per_second);
        self.runtime.block_on(load)
    }

    /// Sends one request over a connection of its own.
    pub(crate) fn one(&self, target: &Target, request: Request) -> anyhow::Result<Outcome> {
        self.runtime.block_on(load::closed_loop(&target.addresses, 1, vec![request], Duration::from_mins(1)))
    }
}

struct Used {
    server: Usage,
    database: Usage,
    own: Usage,
}

impl Used {
    fn by(target: &Target) -> anyhow::Result<Self> {
        let nodes = target.processes.iter().map(|process| Usage::of(*process));
        let database = target.database.map_or(Ok(Usage::default()), Usage::of_family)?;
        let server = nodes.sum::<anyhow::Result<Usage>>()?;
        Ok(Self { server, database, own: Usage::of(process::id())? })
    }
}
