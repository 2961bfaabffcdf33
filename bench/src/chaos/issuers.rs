//! Issuers whose addresses say anything but the truth, each in another way, all at once.

use std::time::Duration;

use anyhow::ensure;
use countersign_cluster::Cluster;
use countersign_simulator::Simulator;
use tokio::time::{Instant, sleep};

use super::outcome::Outcome;
use super::stage::{Environment, Stage};
use super::{Place, blocking};
use crate::trial::gate::{Gate, LIES, Lie, Mode};
use crate::trial::sender::{MAY_BE, REFUSED, Sender, UNAVAILABLE};
use crate::trial::server::{Installation, STABLE};
use crate::trial::verdict::Expected;

/// The cooldown after a fetch, the time-out of one that was under way, and some seconds.
const LONGEST_COOLDOWN: Duration = Duration::from_secs(80);

/// An issuer, and the way to it.
struct Liar {
    mode: Mode,
    simulator: Simulator,
    gate: Gate,
}

/// Nobody else's jobs notice anything; the liars' jobs get no token until the truth is heard again.
pub(super) async fn play(place: &Place) -> anyhow::Result<Outcome> {
    let what = "ten issuers that lie, hang, redirect or never end";
    let mut liars = Vec::new();
    for mode in LIES.map(Mode::Lying).into_iter().chain([Mode::Hanging, Mode::Refusing]) {
        liars.push(Liar::start(mode).await?);
    }
    let cluster = blocking(|| Cluster::start(""))?;
    let tables: String = liars.iter().map(Liar::settings).collect();
    let settings =
        format!("database = {:?}\n[postgres]\nmigrate = true\n{tables}", cluster.address("postgres"));
    let trust = |installation: &Installation| {
        liars.iter().try_for_each(|liar| {
            let issuer = liar.simulator.github().issuer();
            installation.trust(STABLE, "github", issuer.as_str(), "repository=acme/train")
        })
    };
    let environments = [Environment::new(), Environment::new()];
    let mut stage = Stage::begin(place, &settings, &environments, trust).await?;
    let mut sender = stage.node(0).traffic.sender(100).await?;
    let end = Instant::now() + place.phase;
    while Instant::now() < end {
        for liar in &liars {
            sender.ask_of(&liar.simulator, liar.verdict()).await?;
        }
    }
    let back = listen_to_the_truth(&liars, &mut sender).await?;
    stage.finish(what, Some(back)).await
}

/// Has all of them come to themselves, and waits until their jobs get tokens; how long that took.
async fn listen_to_the_truth(liars: &[Liar], sender: &mut Sender) -> anyhow::Result<Duration> {
    for liar in liars {
        liar.gate.set(Mode::Open);
    }
    let repaired = Instant::now();
    let mut waiting: Vec<&Liar> = liars.iter().collect();
    while !waiting.is_empty() {
        let names: Vec<_> = waiting.iter().map(|liar| liar.mode).collect();
        ensure!(repaired.elapsed() < LONGEST_COOLDOWN, "no tokens for the jobs of those that were {names:?}");
        sleep(Duration::from_millis(500)).await;
        let mut still = Vec::new();
        for liar in waiting {
            // The key is unknown until the right keys are fetched.
            let expected = if liar.verdict() == REFUSED { &[200, 400] } else { MAY_BE };
            if sender.ask_of(&liar.simulator, expected).await? != Some(200) {
                still.push(liar);
            }
        }
        waiting = still;
    }
    Ok(repaired.elapsed())
}

impl Liar {
    async fn start(mode: Mode) -> anyhow::Result<Self> {
        let simulator = Simulator::start().await?;
        let gate = Gate::start(simulator.github().issuer().authority(), mode).await?;
        Ok(Self { mode, simulator, gate })
    }

    /// The table of the configuration that has it.
    fn settings(&self) -> String {
        let (url, proxy) = (self.simulator.github().issuer(), self.gate.url());
        format!("[[issuers]]\nurl = \"{url}\"\npreset = \"github\"\nproxy = \"{proxy}\"\n")
    }

    /// What its jobs must be told. Keys that came from its own address are its keys, and none of them is the token's.
    fn verdict(&self) -> Expected {
        if self.mode == Mode::Lying(Lie::OtherKeys) { REFUSED } else { UNAVAILABLE }
    }
}
