//! Nodes under load, and what must hold of them when it is over.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::{Instant, sleep};

use super::outcome::{Outcome, Played};
use super::{Place, blocking};
use crate::lifeline::Folder;
use crate::trial::load::Load;
use crate::trial::log::Findings;
use crate::trial::server::{Installation, Running};
use crate::trial::traffic::Traffic;
use crate::trial::verdict::{Tally, Weather};

/// Variables of a node's environment.
pub(super) type Environment = Vec<(&'static str, String)>;

/// Nodes over one database, and the load on them.
pub(super) struct Stage {
    // In the order in which they have to go.
    load: Load,
    nodes: Vec<Node>,
    installation: Installation,
    tally: Arc<Tally>,
    _folder: Folder,
}

/// A server, which may be down.
pub(super) struct Node {
    running: Option<Running>,
    pub(super) traffic: Arc<Traffic>,
}

impl Stage {
    /// Starts two nodes over a PostgreSQL database, and the load.
    pub(super) async fn over(place: &Place, database: &str) -> anyhow::Result<Self> {
        let settings = format!("database = {database:?}\n[postgres]\nmigrate = true\n");
        Self::begin(place, &settings, &[Environment::new(), Environment::new()], |_| Ok(())).await
    }

    /// Starts a node for each environment, and the load. Before that, something can be set up by the commands.
    pub(super) async fn begin(
        place: &Place,
        settings: &str,
        environments: &[Environment],
        prepare: impl FnOnce(&Installation) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let folder = Folder::make_in(&place.folder)?;
        let installation =
            Installation::make(place.program.clone(), folder.path(), &place.issuers, settings)?;
        prepare(&installation)?;
        let (tally, mut nodes) = (Arc::new(Tally::default()), Vec::new());
        for environment in environments {
            let running = blocking(|| installation.start_with(environment))?;
            let traffic = Traffic::new(Arc::clone(&place.issuers), &running, Arc::clone(&tally)).await?;
            nodes.push(Node { running: Some(running), traffic: Arc::new(traffic) });
        }
        let traffics: Vec<_> = nodes.iter().map(|node| Arc::clone(&node.traffic)).collect();
        let load = Load::start(&traffics);
        let stage = Self { load, nodes, installation, tally, _folder: folder };
        sleep(place.phase).await;
        Ok(stage)
    }

    pub(super) fn node(&mut self, number: usize) -> &mut Node {
        &mut self.nodes[number]
    }

    pub(super) fn set_weather(&self, weather: Weather) {
        self.nodes.iter().for_each(|node| node.traffic.set_weather(weather));
    }

    /// How many requests were told to come again, or not answered.
    pub(super) fn refused(&self) -> usize {
        self.tally.in_doubt()
    }

    /// Starts a node again that was killed.
    pub(super) fn restart(&mut self, number: usize) -> anyhow::Result<()> {
        self.nodes[number].start(&self.installation)
    }

    /// Waits until every node issues tokens again, from when on its verdicts must be exact. How long after `repaired` the last
    /// of them did.
    pub(super) async fn recovered(&self, repaired: Instant) -> anyhow::Result<Duration> {
        let mut longest = Duration::ZERO;
        for node in &self.nodes {
            longest = longest.max(node.traffic.recovered(repaired).await?);
        }
        self.set_weather(Weather::Fair);
        Ok(longest)
    }

    /// Stops the load, kills every node, and looks at what is left to new ones: no wrong verdict, no token that is not on record or was
    /// bought by an id token that had bought one before, an audit log that is whole, and nothing like a token in the log of any node.
    pub(super) async fn finish(
        self,
        what: &'static str,
        back_after: Option<Duration>,
    ) -> anyhow::Result<Outcome> {
        let Self { load, mut nodes, installation, tally, _folder } = self;
        load.stop().await?;
        for node in &mut nodes {
            // What it has in memory goes: the database says by itself what was used.
            node.kill()?;
            node.start(&installation)?;
        }
        let spent = tally.spent();
        for node in &nodes {
            let bought = node.traffic.sender(0).await?.replay_all(&spent).await?;
            ensure!(bought == 0, "{bought} of {} id tokens bought another token at the end", spent.len());
        }
        tally.finish()?;
        let (answered, recorded) = (tally.issued(), blocking(|| installation.issued())?);
        let lost = answered.difference(&recorded).count();
        ensure!(lost == 0, "expected every answered token in the ledger, {lost} are not");
        let beyond = recorded.len() - answered.len();
        ensure!(
            beyond <= tally.in_doubt(),
            "{beyond} tokens are on record that nobody was answered, but only {} answers were missing",
            tally.in_doubt()
        );
        blocking(|| installation.verify_audit_log())?;
        let longest_gap = nodes.iter().map(|node| node.traffic.longest_gap()).max().unwrap_or_default();
        let replays = spent.len() * nodes.len();
        for running in nodes.into_iter().filter_map(|node| node.running) {
            check(&blocking(|| running.stop())?)?;
        }
        let (answered, recorded) = (answered.len(), recorded.len());
        let played = Played { what, answered, recorded, replays, longest_gap, back_after };
        Ok(Outcome::Played(Box::new(played)))
    }
}

impl Node {
    /// Starts it again, once it was killed.
    fn start(&mut self, installation: &Installation) -> anyhow::Result<()> {
        let running = blocking(|| installation.start())?;
        self.traffic.follow(&running)?;
        self.running = Some(running);
        Ok(())
    }

    /// Kills it.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        let running = self.running.take().context("the node is running")?;
        check(&blocking(|| running.kill())?)
    }
}

fn check(log: &Findings) -> anyhow::Result<()> {
    ensure!(log.suspicious.is_empty(), "the log has what looks like a token:\n{}", log.suspicious.join("\n"));
    Ok(())
}
