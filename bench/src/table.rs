//! The measurement of the table: each subject in turns, on the same tokens, core and load generator.

use std::time::Duration;

use anyhow::ensure;

use crate::arguments::Options;
use crate::generator::{Generator, Round};
use crate::load::Request;
use crate::rate::{Rate, median, number};
use crate::report::{Measured, Paced, Report};
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
/// For how long latency is measured, if there are tokens enough.
const PACED_SECONDS: f64 = 5.0;

/// Measures the rows that were asked for, and shows them.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let stage = Stage::set(&options.settings, Issuer::start)?;
    let count = WARM_UP + (usize::from(options.rounds) + 2) * usize::try_from(options.exchanges)?;
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
        contenders.push(Contender { row, subject, answered: 0, rounds: Vec::new() });
    }
    stage.pinning.pin_generator()?;
    let generator = Generator::new(options.settings.connections)?;
    let warm_up = tokens.take(WARM_UP);
    for contender in &mut contenders {
        contender.closed_loop(&generator, warm_up)?;
        contender.rounds.clear();
    }

    tell(&format!(
        "measuring {rounds} rounds of up to {each} exchanges, and up to {} for the latency",
        2 * each
    ));
    let mut limit = Vec::new();
    for _ in 0..rounds {
        limit.push(alone(stage)?);
        let round = tokens.take(each);
        for contender in &mut contenders {
            contender.closed_loop(&generator, round)?;
        }
    }
    let last = tokens.take(2 * each);
    let mut measured = Vec::new();
    for contender in contenders {
        measured.push(contender.paced(&generator, last)?);
    }
    Ok(Report {
        cores: stage.pinning.to_string(),
        connections: options.settings.connections,
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
    rounds: Vec<Round>,
}

impl Contender<'_> {
    fn requests(&self, tokens: &[String]) -> Vec<Request> {
        tokens.iter().map(|token| Request::good(self.subject.request(token))).collect()
    }

    fn closed_loop(&mut self, generator: &Generator, tokens: &[String]) -> anyhow::Result<()> {
        let (round, outcome) =
            generator.closed_loop(&self.subject.target()?, self.requests(tokens), AT_MOST)?;
        self.answered += outcome.answered;
        self.rounds.push(round);
        Ok(())
    }

    /// The last part: what this subject is like when it is busy, and what is left of it.
    fn paced(mut self, generator: &Generator, tokens: &[String]) -> anyhow::Result<Measured> {
        let per_second = PACE * median(self.rounds.iter().map(|round| round.rate.per_second));
        let mut requests = self.requests(tokens);
        requests.truncate(whole(per_second * PACED_SECONDS));
        let outcome = generator.paced(&self.subject.target()?, requests, per_second)?;
        self.answered += outcome.answered;
        let Kept { stored, commits } = self.subject.finish(self.answered)?;
        Ok(Measured {
            row: self.row,
            rounds: self.rounds,
            paced: Paced { per_second, latencies: outcome.latencies },
            stored_each: stored.map(|bytes| each(bytes, self.answered)),
            in_one_commit: commits.map(|commits| 1.0 / each(commits, self.answered)),
            answered: self.answered,
        })
    }
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
