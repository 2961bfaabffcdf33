//! The measurement of the table: each subject in turns, on the same tokens, core and load generator.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::arguments::Options;
use crate::generator::{Generator, Round};
use crate::lifeline::Order;
use crate::load::Request;
use crate::rate::{Rate, number};
use crate::report::{Latency, Measured, Report, Turn};
use crate::stage::Stage;
use crate::subject::{Kept, Row, Subject};
use crate::tell;
use crate::workload::{Issuer, Tokens, leave_for_the_limit};

/// Exchanges before anything is measured: the first one pins the publisher's ids, and the database gets its pages.
const WARM_UP: usize = 500;
/// The share of the measured throughput at which latency is measured.
const PACE: f64 = 0.8;
/// How long a round may last, for those who do not get through their exchanges.
const AT_MOST: Duration = Duration::from_secs(3);
/// For how long latency is measured in each round, if there are tokens enough.
const PACED_SECONDS: f64 = 2.0;
/// Tokens for that, for each of those that throughput is measured with.
const PACED_TOKENS: usize = 2;

/// Measures the rows that were asked for, and shows them.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let stage = Stage::set(&options.settings, Issuer::start)?;
    let of_a_round = (1 + PACED_TOKENS) * usize::try_from(options.exchanges)?;
    let count = WARM_UP + usize::from(options.rounds) * of_a_round;
    tell(&format!("signing {count} id tokens"));
    let tokens = stage.issuer.tokens(count)?;
    leave_for_the_limit(stage.folder.path(), &tokens)?;
    let report = measure(options, &stage, Tokens(&tokens))?;
    tell(&report.to_string());
    options.settings.save(report.to_json())
}

fn measure(options: &Options, stage: &Stage, mut tokens: Tokens<'_>) -> anyhow::Result<Report> {
    let (rounds, each) = (usize::from(options.rounds), usize::try_from(options.exchanges)?);
    let mut contenders = Vec::new();
    for row in options.rows() {
        tell(&format!("starting {}", row.name()));
        let subject = row.start(stage, options.openbao.as_deref())?;
        contenders.push(Contender { row, subject, answered: 0, turns: Vec::new() });
    }
    stage.pinning.pin_generator()?;
    let generator = Generator::new(&options.settings)?;
    let warm_up = tokens.take(WARM_UP);
    for contender in &mut contenders {
        contender.closed_loop(&generator, warm_up)?;
        contender.subject.order(Order::Pause)?;
    }

    tell(&format!(
        "measuring {rounds} rounds of up to {each} exchanges, and up to {} for the latency",
        PACED_TOKENS * each
    ));
    let mut limit = Vec::new();
    for _ in 0..rounds {
        limit.push(alone(stage)?);
        let (fast, paced) = (tokens.take(each), tokens.take(PACED_TOKENS * each));
        for contender in &mut contenders {
            contender.turn(&generator, fast, paced)?;
        }
    }
    let measured = contenders.into_iter().map(Contender::finish).collect::<anyhow::Result<_>>()?;
    Ok(Report {
        cores: stage.pinning.to_string(),
        connections: options.settings.connections,
        open_connections: options.settings.open_connections(),
        exchanges: options.exchanges,
        limit,
        measured,
    })
}

/// The cryptography alone, in a process on the measured core; the servers idle meanwhile.
fn alone(stage: &Stage) -> anyhow::Result<Rate> {
    let output = stage.pinning.measured(&stage.own).arg("limit").arg(stage.folder.path()).output()?;
    ensure!(output.status.success(), "the limit: {}", String::from_utf8_lossy(&output.stderr).trim());
    Rate::from_json(&String::from_utf8_lossy(&output.stdout))
}

/// A subject and what is known of it by now.
struct Contender<'a> {
    row: Row,
    subject: Box<dyn Subject + 'a>,
    answered: usize,
    turns: Vec<Turn>,
}

impl Contender<'_> {
    fn requests(&self, tokens: &[String]) -> Vec<Request> {
        tokens.iter().map(|token| Request::good(self.subject.request(token))).collect()
    }

    /// What it can do, and what it is like when it is busy, but not too busy. All others stand still.
    fn turn(&mut self, generator: &Generator, fast: &[String], paced: &[String]) -> anyhow::Result<()> {
        write_back()?;
        self.subject.order(Order::GoOn)?;
        let round = self.closed_loop(generator, fast)?;
        let latency = self.paced(generator, paced, PACE * round.rate.per_second)?;
        self.turns.push(Turn { round, latency });
        self.subject.order(Order::Pause)
    }

    fn closed_loop(&mut self, generator: &Generator, tokens: &[String]) -> anyhow::Result<Round> {
        let (round, outcome) =
            generator.closed_loop(&self.subject.target()?, self.requests(tokens), AT_MOST)?;
        self.answered += outcome.answered;
        Ok(round)
    }

    fn paced(
        &mut self,
        generator: &Generator,
        tokens: &[String],
        per_second: f64,
    ) -> anyhow::Result<Latency> {
        let count = whole(per_second * PACED_SECONDS).min(tokens.len());
        let outcome =
            generator.paced(&self.subject.target()?, self.requests(&tokens[..count]), per_second)?;
        self.answered += outcome.answered;
        Ok(Latency::of(&outcome.latencies, per_second))
    }

    /// The last part: what is left of it.
    fn finish(mut self) -> anyhow::Result<Measured> {
        self.subject.order(Order::GoOn)?;
        let Kept { stored, commits } = self.subject.finish(self.answered)?;
        Ok(Measured {
            row: self.row,
            turns: self.turns,
            stored_each: stored.map(|bytes| each(bytes, self.answered)),
            in_one_commit: commits.map(|commits| 1.0 / each(commits, self.answered)),
            answered: self.answered,
        })
    }
}

/// Has the disk take what those before have left in memory for it.
fn write_back() -> anyhow::Result<()> {
    let status = Command::new("sync").status().context("cannot run sync")?;
    ensure!(status.success(), "sync: {status}");
    Ok(())
}

fn each(total: u64, operations: usize) -> f64 {
    number(total) / number(operations as u64)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small positive number of requests"
)]
fn whole(count: f64) -> usize {
    count as usize
}
