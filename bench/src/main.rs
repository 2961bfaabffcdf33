//! `countersign-bench`: how many exchanges a core does, and how many its cryptography alone would allow.
//!
//! Both are measured in one run, on one core and on the same tokens: as a ratio they mean something on any machine.

use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context as _, ensure};
use clap::Parser as _;

mod arguments;
mod connection;
mod cpu;
mod limit;
mod load;
mod pinning;
mod rate;
mod registry;
mod report;
mod server;
mod soak;
mod workload;

use arguments::{Arguments, Options, Part};
use pinning::Pinning;
use rate::{Rate, median};
use report::Report;
use server::{Installation, Running};
use workload::Workload;

/// Exchanges before anything is measured: the first one pins the publisher's ids, and the database gets its pages.
const WARM_UP: usize = 500;
/// The share of the measured throughput at which latency is measured.
const PACE: f64 = 0.8;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Limit { folder }) => limit::measure(&folder),
        Some(Part::Registry) => registry::measure(),
        Some(Part::Soak(options)) => soak::run(&options),
        None => run(&arguments.options),
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let beside = own.parent().context("a program is in a folder")?;
    let folder = tempfile::tempdir_in(options.folder.as_deref().unwrap_or(beside))?;
    let program = match &options.server {
        Some(path) => path.canonicalize().unwrap_or_else(|_| path.clone()),
        None => beside.join("countersign-server"),
    };
    let report = measure(options, program, &own, folder.path())?;
    tell(&report.to_string());
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{:#}\n", report.to_json()))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn measure(options: &Options, program: PathBuf, own: &Path, folder: &Path) -> anyhow::Result<Report> {
    let (rounds, each) = (usize::from(options.rounds), usize::try_from(options.exchanges)?);
    let count = WARM_UP + (rounds + 2) * each;
    tell(&format!("signing {count} id tokens"));
    let workload = Workload::make(count, folder)?;

    let pinning = Pinning::detect();
    let installation = Installation::make(program, folder, &pinning, &workload.issuer)?;
    let empty = installation.database_bytes()?;
    let server = installation.start()?;
    pinning.pin_generator()?;
    let mut generator = Generator {
        runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        connections: options.connections,
        requests: Box::new(workload.requests()),
    };
    generator.exchange(&server, WARM_UP)?;

    tell(&format!("measuring {rounds} rounds of {each} exchanges, and {} for the latency", 2 * each));
    let mut measured = Vec::new();
    let mut busy = Vec::new();
    for _ in 0..rounds {
        let limit = limit(&pinning, own, folder)?;
        let (exchange, share) = generator.exchange(&server, each)?;
        measured.push((limit, exchange));
        busy.push(share);
    }
    let paced_per_second = PACE * median(measured.iter().map(|(_, exchange)| exchange.per_second));
    let paced = generator.paced(&server, 2 * each, paced_per_second)?;

    drop(server);
    let (all, issued) = installation.recorded()?;
    ensure!(
        (all, issued) == (count, count),
        "{count} tokens were answered, but {issued} of {all} exchanges on record issued one"
    );
    let bytes = installation.database_bytes()?.saturating_sub(empty);
    drop(installation);
    Ok(Report {
        pinning,
        connections: options.connections,
        rounds: measured,
        paced_per_second,
        paced,
        generator_busy: median(busy),
        issued,
        database_bytes_each: f64::from(u32::try_from(bytes)?) / f64::from(u32::try_from(count)?),
    })
}

/// The cryptography alone, in a process on the core that the server has; the server idles meanwhile.
fn limit(pinning: &Pinning, own: &Path, folder: &Path) -> anyhow::Result<Rate> {
    let output = pinning.measured(own).arg("limit").arg(folder).output()?;
    ensure!(output.status.success(), "the limit: {}", String::from_utf8_lossy(&output.stderr).trim());
    Rate::from_json(&String::from_utf8_lossy(&output.stdout))
}

/// The load generator with the requests that are left.
struct Generator {
    runtime: tokio::runtime::Runtime,
    connections: u16,
    requests: Box<dyn Iterator<Item = Vec<u8>>>,
}

impl Generator {
    /// Throughput, and the share of the time for which the generator itself was busy.
    fn exchange(&mut self, server: &Running, count: usize) -> anyhow::Result<(Rate, f64)> {
        let requests = self.requests.by_ref().take(count).collect();
        let (server_before, own_before) = (server.cpu_seconds()?, cpu::seconds_of(process::id())?);
        let outcome =
            self.runtime.block_on(load::closed_loop(server.address()?, self.connections, requests))?;
        let server_seconds = server.cpu_seconds()? - server_before;
        let own_seconds = cpu::seconds_of(process::id())? - own_before;
        Ok((Rate::new(count, outcome.took, server_seconds), own_seconds / outcome.took.as_secs_f64()))
    }

    fn paced(&mut self, server: &Running, count: usize, per_second: f64) -> anyhow::Result<load::Outcome> {
        let requests = self.requests.by_ref().take(count).collect();
        self.runtime.block_on(load::paced(server.address()?, self.connections, requests, per_second))
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn tell(text: &str) {
    println!("{text}");
}
