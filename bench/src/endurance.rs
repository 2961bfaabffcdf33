//! `countersign-bench endurance`: whether memory grows with what was exchanged.

use std::time::Duration;

use countersign_simulator::{Overrides, system_clock};
use serde_json::{Value, json};

use crate::generator::{Generator, Target};
use crate::installation::Installation;
use crate::load::Request;
use crate::process::resident_memory;
use crate::stage::{Settings, Stage};
use crate::tell;
use crate::workload::{Issuer, RESOURCE, request};

/// Id tokens that are signed, and then exchanged, before the next ones are: so many fit into memory, and none is old.
const AT_ONCE: usize = 10_000;
/// How long id tokens live: so briefly that they can be forgotten, with the leeway, long before the end.
const LIFE: Duration = Duration::from_secs(5);
/// Exchanges between two lines of the report.
const LINE: usize = 100_000;
/// How long those at once may take.
const AT_MOST: Duration = Duration::from_mins(1);

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    settings: Settings,
    /// Exchanges, rounded up to tens of thousands.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10_000..=10_000_000))]
    exchanges: u32,
}

/// Exchanges as fast as it goes, on SQLite, and reads the server's memory on the way.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let stage = Stage::set(&options.settings, Issuer::start_with_es256)?;
    let installation = Installation::make(&stage, stage.folder.path(), "sqlite:countersign.db")?;
    installation.trust(RESOURCE)?;
    let server = installation.start()?;
    let target = Target::of(std::slice::from_ref(&server), None)?;
    let generator = Generator::new(&options.settings)?;
    let wanted = usize::try_from(options.exchanges)?;
    let (mut answered, mut samples) = (0, Vec::new());
    tell(&format!("{:>10} {:>14} {:>11} {:>11}", "exchanges", "memory in MiB", "a second", "µs of CPU"));
    while answered < wanted {
        // On all cores: the server idles meanwhile.
        let brief = Overrides::new().set("exp", (system_clock()() + LIFE).as_seconds());
        let tokens = stage.issuer.tokens_of(&brief, AT_ONCE)?;
        let requests = tokens.iter().map(|token| Request::good(request(token, RESOURCE))).collect();
        let (round, outcome) = generator.closed_loop(&target, requests, AT_MOST)?;
        answered += outcome.answered;
        let memory = resident_memory(server.process())?;
        samples.push((answered, memory));
        if answered % LINE == 0 || answered >= wanted || samples.len() == 1 {
            let (rate, memory) = (round.rate, memory / 1024 / 1024);
            tell(&format!("{answered:>10} {memory:>14} {:>11.0} {:>11.1}", rate.per_second, rate.cpu_micros));
        }
    }
    drop(server);
    installation.ensure_issued(answered)?;
    let (early, late) =
        (most(&samples[..samples.len().div_ceil(4)]), most(&samples[samples.len() * 3 / 4..]));
    tell(&format!(
        "\nat most {} MiB in the first quarter, {} MiB in the last; every token is in the ledger",
        early / 1024 / 1024,
        late / 1024 / 1024
    ));
    let samples: Vec<Value> = samples.iter().map(|(count, bytes)| json!([count, bytes])).collect();
    options.settings.save(json!({ "first_quarter": early, "last_quarter": late, "samples": samples }))
}

fn most(samples: &[(usize, u64)]) -> u64 {
    samples.iter().map(|(_, memory)| *memory).max().unwrap_or_default()
}
