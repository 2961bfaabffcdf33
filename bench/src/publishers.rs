//! `countersign-bench publishers`: whether an exchange costs more where there are more trusted publishers.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

mod fill;

use crate::comparison::{self, Load};
use crate::generator::{Generator, Round, Target};
use crate::installation::{Installation, Running};
use crate::load::Request;
use crate::process::resident_memory;
use crate::rate::milliseconds_at;
use crate::stage::{Settings, Stage};
use crate::tell;
use crate::workload::{Issuer, Tokens, request};

/// Publishers of the smaller server, and those that are busy on the larger one.
const FEW: u32 = 1_000;
/// How often a server is started anew.
const STARTS: usize = 5;
/// A round ends by itself; this is for servers that hang.
const AT_MOST: Duration = Duration::from_mins(1);

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    settings: Settings,
    /// Publishers of the larger server, rounded up to thousands.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=5_000_000))]
    publishers: u32,
    /// How often each load is measured, in turns; medians are reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=5))]
    rounds: u16,
    /// Exchanges of each load in each round.
    #[arg(long, default_value_t = 8_000, value_parser = clap::value_parser!(u32).range(1_000..=20_000))]
    exchanges: u32,
}

/// A server with so many publishers, each of a resource of its own.
struct Node<'a> {
    installation: Installation<'a>,
    running: Running,
    target: Target,
    answered: usize,
}

/// Measures the loads in turns on two servers, restarts the larger one, and shows the figures.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let stage = Stage::set(&options.settings, Issuer::start)?;
    let generator = Generator::new(&options.settings)?;
    let mut few = Node::start(&stage, "few", FEW)?;
    let mut many = Node::start(&stage, "many", options.publishers)?;
    let (rounds, each) = (usize::from(options.rounds), usize::try_from(options.exchanges)?);
    let count = (rounds + 1) * 2 * each + STARTS;
    tell(&format!("signing {count} id tokens"));
    let tokens = stage.issuer.tokens(count)?;
    stage.pinning.pin_generator()?;

    let loads = measure(&generator, &mut few, &mut many, options, &mut Tokens(&tokens[..count - STARTS]))?;
    let memory = [few.memory()?, many.memory()?];
    few.finish()?;
    let starts = many.restarts(&generator, &tokens[count - STARTS..], options.publishers)?;
    many.finish()?;

    tell(&comparison::table(&loads));
    let [of_few, of_many] = memory.map(|bytes| bytes / 1024 / 1024);
    tell(&format!("\nmemory after that: {of_few} MiB with few publishers, {of_many} MiB with many"));
    let (median, most) = (milliseconds_at(50, &starts), milliseconds_at(100, &starts));
    tell(&format!(
        "killed and started with {} publishers, to the first token: {median:.0} ms, at most {most:.0} of {STARTS} times",
        options.publishers
    ));
    tell(&stage.pinning.to_string());
    let starts: Vec<Value> = starts.iter().map(|took| json!(took.as_secs_f64() * 1_000.0)).collect();
    options.settings.save(json!({
        "cores": stage.pinning.to_string(),
        "publishers": options.publishers,
        "rounds": options.rounds,
        "exchanges": options.exchanges,
        "loads": comparison::to_json(&loads),
        "memory": memory,
        "first_token_ms": starts,
    }))
}

fn measure(
    generator: &Generator,
    few: &mut Node<'_>,
    many: &mut Node<'_>,
    options: &Options,
    tokens: &mut Tokens<'_>,
) -> anyhow::Result<Vec<Load>> {
    let (all, each) = (options.publishers, usize::try_from(options.exchanges)?);
    let names =
        ["1,000 publishers, all busy", "many publishers, 1,000 of them busy", "many publishers, all alike"];
    let mut loads = names.map(Load::new);
    // The first round fills caches, and is not counted.
    for round in 0..=options.rounds {
        // Two servers may have the same tokens.
        let (busy, alike) = (tokens.take(each), tokens.take(each));
        let measured = [
            few.exchange(generator, busy, FEW)?,
            many.exchange(generator, busy, FEW)?,
            many.exchange(generator, alike, all)?,
        ];
        if round > 0 {
            loads.iter_mut().zip(measured).for_each(|(load, round)| load.rounds.push(round));
        }
    }
    Ok(loads.into())
}

impl<'a> Node<'a> {
    fn start(stage: &'a Stage, name: &str, publishers: u32) -> anyhow::Result<Self> {
        let folder = stage.folder.path().join(name);
        fs::create_dir(&folder)?;
        let installation = Installation::make(stage, &folder, "sqlite:countersign.db")?;
        let secret = installation.output(&["admin-token", "add", "bench", "--role", "owner"])?;
        let running = installation.start()?;
        let start = Instant::now();
        fill::add_publishers(running.address()?, secret.trim(), publishers)?;
        tell(&format!("added {publishers} publishers in {:.1} s", start.elapsed().as_secs_f64()));
        let target = Target::of(std::slice::from_ref(&running), None)?;
        Ok(Self { installation, running, target, answered: 0 })
    }

    /// Exchanges the tokens for the first so many resources, by turns in an order without neighbours.
    fn exchange(
        &mut self,
        generator: &Generator,
        tokens: &[String],
        resources: u32,
    ) -> anyhow::Result<Round> {
        let numbers = (u32::try_from(self.answered)?..).map(|number| fill::scattered(number, resources));
        let requests = tokens.iter().zip(numbers).map(|(token, number)| good(token, number)).collect();
        let (round, outcome) = generator.closed_loop(&self.target, requests, AT_MOST)?;
        self.answered += outcome.answered;
        Ok(round)
    }

    fn memory(&self) -> anyhow::Result<u64> {
        resident_memory(self.running.process())
    }

    /// How long it takes from the start of the program to the first token, each time after it was killed; in ascending order.
    fn restarts(
        &mut self,
        generator: &Generator,
        tokens: &[String],
        publishers: u32,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut starts = Vec::new();
        for (token, number) in tokens.iter().zip(0..) {
            self.running.kill();
            let start = Instant::now();
            self.running = self.installation.start()?;
            self.target = Target::of(std::slice::from_ref(&self.running), None)?;
            let outcome = generator.one(&self.target, good(token, fill::scattered(number, publishers)))?;
            starts.push(start.elapsed());
            self.answered += outcome.answered;
        }
        starts.sort_unstable();
        Ok(starts)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.running.kill();
        self.installation.ensure_issued(self.answered)
    }
}

fn good(token: &str, number: u32) -> Request {
    Request::good(request(token, &fill::resource(number)))
}
