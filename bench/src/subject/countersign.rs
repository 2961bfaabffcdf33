//! The released server on each of its databases.

use std::path::{Path, PathBuf};

use anyhow::ensure;

use super::{Kept, Subject};
use crate::generator::Target;
use crate::installation::{Installation, Running};
use crate::lifeline::Order;
use crate::postgres::{Cluster, address_at};
use crate::stage::Stage;
use crate::way::Way;
use crate::workload::RESOURCE;

/// Nodes that share a database.
pub(super) struct Countersign<'a> {
    installation: Installation<'a>,
    nodes: Vec<Running>,
    database: Database,
    /// How large the database was before anything was exchanged.
    empty: u64,
    /// The way to the database, if it takes time.
    _way: Option<Way>,
}

enum Database {
    Sqlite(PathBuf),
    Postgres(Cluster),
}

/// Where a database server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Beside,
    /// Some [way](Way) from here.
    Away,
}

/// One node on a file.
pub(super) fn on_sqlite<'a>(stage: &'a Stage, folder: &Path) -> anyhow::Result<Countersign<'a>> {
    let file = folder.join("countersign.db");
    let installation = Installation::make(stage, folder, &format!("sqlite:{}", file.display()))?;
    Countersign::start(installation, Database::Sqlite(file), 1, None)
}

/// So many nodes, all on the measured core, on a database server of their own.
pub(super) fn on_postgres<'a>(
    stage: &'a Stage,
    folder: &Path,
    place: Place,
    nodes: usize,
) -> anyhow::Result<Countersign<'a>> {
    let cluster = Cluster::start(&stage.parent, &stage.pinning)?;
    let way = (place == Place::Away).then(|| Way::to(cluster.port())).transpose()?;
    let address = address_at(way.as_ref().map_or(cluster.port(), Way::port));
    let installation = Installation::make(stage, folder, &address)?;
    Countersign::start(installation, Database::Postgres(cluster), nodes, way)
}

impl<'a> Countersign<'a> {
    fn start(
        installation: Installation<'a>,
        database: Database,
        nodes: usize,
        way: Option<Way>,
    ) -> anyhow::Result<Self> {
        installation.trust(RESOURCE)?;
        let empty = database.bytes()?;
        let nodes = (0..nodes).map(|_| installation.start()).collect::<anyhow::Result<_>>()?;
        Ok(Self { installation, nodes, database, empty, _way: way })
    }
}

impl Database {
    /// Of SQLite the size of the file once no program has it open, and its log is part of it.
    fn bytes(&self) -> anyhow::Result<u64> {
        match self {
            Self::Sqlite(file) => Ok(file.metadata()?.len()),
            Self::Postgres(cluster) => cluster.database_bytes(),
        }
    }

    fn order(&mut self, order: Order) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(cluster) => cluster.order(order),
        }
    }
}

impl Subject for Countersign<'_> {
    fn target(&self) -> anyhow::Result<Target> {
        let database = match &self.database {
            Database::Sqlite(_) => None,
            Database::Postgres(cluster) => Some(cluster.process()?),
        };
        Target::of(&self.nodes, database)
    }

    /// A server never waits for a database that is stopped: it goes first, and comes back last.
    fn order(&mut self, order: Order) -> anyhow::Result<()> {
        let nodes = || self.nodes.iter().try_for_each(|node| node.order(order));
        match order {
            Order::Pause => {
                nodes()?;
                self.database.order(order)
            }
            Order::GoOn => {
                self.database.order(order)?;
                Ok(nodes()?)
            }
        }
    }

    /// Every answered token is in the ledger, and nothing else is: the nodes are killed first.
    fn finish(self: Box<Self>, answered: usize) -> anyhow::Result<Kept> {
        drop(self.nodes);
        let (all, issued) = self.installation.recorded()?;
        ensure!(
            (all, issued) == (answered, answered),
            "{answered} tokens were answered, but {issued} of {all} exchanges on record issued one"
        );
        let commits = Some(self.installation.batches()?);
        // Whoever only reads leaves the log where it is.
        self.installation.output(&["migrate"])?;
        Ok(Kept { stored: Some(self.database.bytes()?.saturating_sub(self.empty)), commits })
    }
}
