//! `countersign-bench chaos`: real servers over real databases, under load, while something that they need fails.
//!
//! One scenario a file. After each, no id token bought anything twice, every token that was answered is in the ledger, no
//! verdict was wrong, and the servers went on by themselves, which took as long as the table says.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::task::block_in_place;
use tokio::time::Instant;

mod clock;
mod database;
mod disk;
mod failover;
mod issuers;
mod node;
mod once;
mod outcome;
mod stage;

use crate::tell;
use crate::trial::Issuers;
use outcome::{Outcome, Table};

/// What can fail, in the order in which it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Scenario {
    Once,
    Node,
    Database,
    Failover,
    Hang,
    SqliteDisk,
    PostgresDisk,
    PostgresLog,
    Clock,
    Issuers,
}

const ALL: [Scenario; 10] = [
    Scenario::Once,
    Scenario::Node,
    Scenario::Database,
    Scenario::Failover,
    Scenario::Hang,
    Scenario::SqliteDisk,
    Scenario::PostgresDisk,
    Scenario::PostgresLog,
    Scenario::Clock,
    Scenario::Issuers,
];

/// What fails, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long the load lasts before a failure, during it and after it.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Leaves out what takes long: to notice that a database server hangs, and to ask issuers again.
    #[arg(long)]
    short: bool,
    /// The server; by default the one beside this program.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// Plays these only.
    #[arg(value_enum)]
    only: Vec<Scenario>,
}

/// What all scenarios have in common.
struct Place {
    program: PathBuf,
    /// Where their folders are made.
    folder: PathBuf,
    issuers: Arc<Issuers>,
    phase: Duration,
}

/// Plays them one after the other, and fails with what went wrong.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let beside = own.parent().context("a program is in a folder")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(play(options, beside))
}

async fn play(options: &Options, beside: &Path) -> anyhow::Result<()> {
    let place = Place {
        program: std::path::absolute(
            options.server.as_deref().unwrap_or(&beside.join("countersign-server")),
        )?,
        folder: beside.to_owned(),
        issuers: Issuers::start().await?,
        phase: Duration::from_secs(options.seconds),
    };
    let mut table = Table::default();
    let is_wanted = |one: &Scenario| {
        (options.only.is_empty() || options.only.contains(one)) && !(options.short && one.takes_long())
    };
    for scenario in ALL.into_iter().filter(is_wanted) {
        let start = Instant::now();
        let outcome = scenario.play(&place).await.with_context(|| format!("{scenario:?}"));
        match &outcome {
            Ok(outcome) => tell(&format!("{:>4} s  {outcome}", start.elapsed().as_secs())),
            Err(error) => tell(&format!("{:>4} s  FAILED: {error:#}", start.elapsed().as_secs())),
        }
        table.add(outcome);
    }
    tell(&table.to_string());
    match table.failed() {
        0 => Ok(()),
        failed => bail!("{failed} scenarios failed"),
    }
}

impl Scenario {
    fn takes_long(self) -> bool {
        matches!(self, Self::Hang | Self::Issuers)
    }

    async fn play(self, place: &Place) -> anyhow::Result<Outcome> {
        match self {
            Self::Once => once::play(place).await,
            Self::Node => node::play(place).await,
            Self::Database => database::play(place).await,
            Self::Failover => failover::play(place, failover::End::Killed).await,
            Self::Hang => failover::play(place, failover::End::Frozen).await,
            Self::SqliteDisk => disk::play_sqlite(place).await,
            Self::PostgresDisk => disk::play_postgres(place).await,
            Self::PostgresLog => disk::play_log(place).await,
            Self::Clock => clock::play(place).await,
            Self::Issuers => issuers::play(place).await,
        }
    }
}

/// Waits for something that blocks the thread: a process, a shell.
fn blocking<T>(work: impl FnOnce() -> T) -> T {
    block_in_place(work)
}
