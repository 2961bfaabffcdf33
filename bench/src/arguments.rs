//! What can be asked of the benchmark.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum as _};

use crate::stage::Settings;
use crate::subject::Row;
use crate::{chaos, compare, endurance, mix, publishers, soak};

/// Measures exchanges with a durable ledger beside what their cryptography alone costs, on one core.
#[derive(Debug, Parser)]
#[command(name = "countersign-bench", args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// What is not the measurement itself: a part of it that runs in a process of its own, because a core is chosen per process,
/// the registry's side, what becomes of figures, the soak and the chaos.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// Measures the cryptographic limit on the tokens in a folder, and prints it as JSON.
    #[command(hide = true)]
    Limit {
        /// Where the workload was written.
        folder: PathBuf,
    },
    /// Serves exchanges that nothing remembers, for a row of the table.
    #[command(hide = true)]
    Stateless {
        /// Where the workload was written.
        folder: PathBuf,
    },
    /// Measures what checking an access token costs a registry, beside its signature alone.
    Registry,
    /// Measures exchanges with a thousand and with a million trusted publishers, and how soon a server with them answers.
    Publishers(publishers::Options),
    /// Measures valid exchanges among hostile ones.
    Mix(mix::Options),
    /// Watches the server's memory over a million exchanges.
    Endurance(endurance::Options),
    /// Shows the figures of two runs, which `--json` saved, beside each other.
    Compare(compare::Options),
    /// Keeps a server busy for a while as everything around it changes, and checks every verdict.
    Soak(soak::Options),
    /// Lets one thing after the other fail that servers need, under load, and checks what becomes of it.
    Chaos(chaos::Options),
}

/// The size of the measurement. The bounds keep it below the five minutes that a token lives.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// The rows that are measured beside the cryptographic limit; all that can be, if none is named.
    #[arg(long = "only", value_name = "ROW", value_delimiter = ',')]
    pub(crate) only: Vec<Row>,
    /// The program of `OpenBao`, to measure it too.
    #[arg(long, value_name = "PATH")]
    pub(crate) openbao: Option<PathBuf>,
    /// How often everything is measured, in turns; medians are reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=5))]
    pub(crate) rounds: u16,
    /// Exchanges in each round, as far as three seconds suffice, and at most twice as many for the latency.
    #[arg(long, default_value_t = 8_000, value_parser = clap::value_parser!(u32).range(100..=10_000))]
    pub(crate) exchanges: u32,
}

impl Options {
    /// The rows to measure: those that were named, or all for which there is what they need.
    pub(crate) fn rows(&self) -> Vec<Row> {
        if !self.only.is_empty() {
            return self.only.clone();
        }
        let can_be = |row: &&Row| self.openbao.is_some() || !row.is_openbao();
        Row::value_variants().iter().filter(can_be).copied().collect()
    }
}
