//! `countersign-bench soak`: the real server under load while everything around it changes.
//!
//! Publishers come and go, keys of the server and of its issuers rotate, one issuer fails and hangs and comes back, another
//! hangs from the beginning. Whatever happens, the right verdict on each request is known before it is sent. At the end no
//! verdict was wrong, memory has not grown, every token that was answered is in the ledger, and no line of the log has
//! anything in it that looks like a token.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use countersign_simulator::OldKey;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

mod memory;

use crate::lifeline::Folder;
use crate::trial::gate::Mode;
use crate::trial::load::{Load, PACE, WORKERS};
use crate::trial::server::{self, Installation};
use crate::trial::traffic::Traffic;
use crate::trial::verdict::Tally;
use crate::trial::{Issuers, log, sender};
use memory::Memory;

/// How long the keys of an issuer that has come back may take to be asked for again: the cooldown after a failure, and the
/// time-out of a fetch that was under way.
const COOLDOWN: Duration = Duration::from_secs(80);

/// How long, and which server.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long it lasts.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(10..=3_600))]
    seconds: u64,
    /// The server; by default the one beside this program.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
}

/// Plays it, and fails with what went wrong.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let beside = own.parent().context("a program is in a folder")?;
    let program =
        std::path::absolute(options.server.as_deref().unwrap_or(&beside.join("countersign-server")))?;
    let folder = Folder::make_in(beside)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(play(Duration::from_secs(options.seconds), program, folder.path()))
}

async fn play(length: Duration, program: PathBuf, folder: &std::path::Path) -> anyhow::Result<()> {
    let issuers = Issuers::start().await?;
    let installation = Installation::make(program, folder, &issuers, "")?;
    let server = installation.start()?;
    let (start, tally) = (Instant::now(), Arc::new(Tally::default()));
    let end = start + length;
    let traffic = Arc::new(Traffic::new(Arc::clone(&issuers), &server, Arc::clone(&tally)).await?);
    crate::tell(&format!(
        "{} s of load: {} connections, {} requests a second",
        length.as_secs(),
        WORKERS,
        WORKERS * u64::from(PACE)
    ));

    let load = Load::start(&[Arc::clone(&traffic)]);
    let mut playing = JoinSet::new();
    playing.spawn(ask_the_late_issuer(Arc::clone(&traffic), length, end));
    playing.spawn(change_publishers(Arc::clone(&traffic), installation.clone(), end));
    playing.spawn(rotate_keys(Arc::clone(&issuers), installation.clone(), length, end));
    playing.spawn(fail_and_recover(Arc::clone(&issuers), end));
    let memory = Memory::watch(&server, start + length / 4, end).await?;
    while let Some(ended) = playing.join_next().await {
        ended??;
    }
    load.stop().await?;
    tally.finish()?;
    let metrics = traffic.metrics().await?;
    let log = server.stop()?;
    report(&tally, &memory, &log, &installation, &metrics)
}

fn report(
    tally: &Tally,
    memory: &Memory,
    log: &log::Findings,
    installation: &Installation,
    metrics: &str,
) -> anyhow::Result<()> {
    let issued = tally.issued();
    let recorded = installation.issued()?;
    let lost = issued.iter().filter(|id| !recorded.contains(*id)).count();
    let counted: usize = metrics
        .lines()
        .filter(|line| line.starts_with("countersign_exchanges_total") && line.contains("outcome=\"issued\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
        .sum();
    crate::tell(&tally.to_string());
    crate::tell(&format!("{memory}\n{log}"));
    crate::tell(&format!(
        "{} tokens answered, {} on record, {lost} lost, {counted} in the metrics",
        issued.len(),
        recorded.len()
    ));
    ensure!(lost == 0, "expected every answered token in the ledger, {lost} are not");
    ensure!(
        recorded.len() == issued.len(),
        "the ledger has {} tokens, {} were answered",
        recorded.len(),
        issued.len()
    );
    ensure!(counted == issued.len(), "the metrics have {counted} tokens, {} were answered", issued.len());
    ensure!(log.suspicious.is_empty(), "the log has what looks like a token:\n{}", log.suspicious.join("\n"));
    memory.check()
}

/// Its jobs are told to come again while it hangs, never that they are wrong; some time after it has come back they get
/// their tokens.
async fn ask_the_late_issuer(traffic: Arc<Traffic>, length: Duration, end: Instant) -> anyhow::Result<()> {
    let mut sender = traffic.sender(WORKERS).await?;
    let opens_at = Instant::now() + Duration::from_mins(1).min(length / 4);
    while Instant::now() < opens_at {
        sender.ask_late(sender::UNAVAILABLE).await?;
        sleep(Duration::from_millis(500)).await;
    }
    traffic.issuers().to_late.set(Mode::Open);
    while Instant::now() < end {
        let expected = if Instant::now() < opens_at + COOLDOWN { sender::MAY_BE } else { sender::ISSUED };
        sender.ask_late(expected).await?;
        sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

/// Disables, enables, removes and adds the publisher of one resource. Requests for it wait meanwhile, so that what each of
/// them should come to is known.
async fn change_publishers(
    traffic: Arc<Traffic>,
    installation: Installation,
    end: Instant,
) -> anyhow::Result<()> {
    while Instant::now() < end {
        for step in
            [server::Change::Disable, server::Change::Enable, server::Change::Remove, server::Change::Add]
        {
            let mut trusted = traffic.trusted().await;
            let installation = installation.clone();
            *trusted = tokio::task::spawn_blocking(move || installation.change_publisher(step)).await??;
            drop(trusted);
            sleep(Duration::from_millis(700)).await;
        }
    }
    Ok(())
}

/// The server's keys ten times, and those of the steady issuer every 150 seconds: more often than its key set is fetched
/// anyway, less often than it may be.
async fn rotate_keys(
    issuers: Arc<Issuers>,
    installation: Installation,
    length: Duration,
    end: Instant,
) -> anyhow::Result<()> {
    let mut rotations = 0;
    let (start, mut next) = (Instant::now(), Instant::now() + length / 10);
    while next < end {
        sleep_until(next).await;
        next += length / 10;
        let installation = installation.clone();
        tokio::task::spawn_blocking(move || installation.rotate_key()).await??;
        if start.elapsed().as_secs() / 150 > rotations {
            rotations += 1;
            issuers.steady.github().rotate_key(OldKey::Kept);
        }
    }
    Ok(())
}

/// Jobs of an issuer whose keys are known never notice that it is away.
async fn fail_and_recover(issuers: Arc<Issuers>, end: Instant) -> anyhow::Result<()> {
    let mut modes = [Mode::Refusing, Mode::Open, Mode::Hanging, Mode::Open].into_iter().cycle();
    while Instant::now() < end {
        sleep_until(end.min(Instant::now() + Duration::from_secs(20))).await;
        modes.next().into_iter().for_each(|mode| issuers.to_gitlab.set(mode));
    }
    Ok(())
}
