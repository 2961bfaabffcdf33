//! The figures.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::generator::Round;
use crate::rate::{Rate, median, milliseconds_at};
use crate::subject::Row;

/// What was measured.
#[derive(Debug)]
pub(crate) struct Report {
    /// Which core did what.
    pub(crate) cores: String,
    pub(crate) connections: u16,
    /// As many as a steady rate may use.
    pub(crate) open_connections: u16,
    /// Exchanges in each round, at most.
    pub(crate) exchanges: u32,
    /// The cryptography alone, in each round.
    pub(crate) limit: Vec<Rate>,
    pub(crate) measured: Vec<Measured>,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) row: Row,
    /// As many as of the limit, each measured soon after it.
    pub(crate) turns: Vec<Turn>,
    /// Bytes by which the database has grown for each exchange.
    pub(crate) stored_each: Option<f64>,
    /// Exchanges for each transaction.
    pub(crate) in_one_commit: Option<f64>,
    pub(crate) answered: usize,
}

/// What was measured of a subject in one of the rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// At its limits.
    pub(crate) round: Round,
    /// Below them, right after that.
    pub(crate) latency: Latency,
}

/// How soon requests were answered at a steady rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Latency {
    /// Of the times of requests, in ascending order.
    pub(crate) fn of(latencies: &[Duration], per_second: f64) -> Self {
        let [p50_ms, p99_ms] = [50, 99].map(|percent| milliseconds_at(percent, latencies));
        Self { per_second, p50_ms, p99_ms }
    }

    fn to_json(self) -> Value {
        json!({ "per_second": self.per_second, "p50_ms": self.p50_ms, "p99_ms": self.p99_ms })
    }
}

impl Report {
    /// The same for a machine to read, with each round.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "cores": self.cores,
            "rounds": self.limit.len(),
            "exchanges": self.exchanges,
            "limit": Rate::median(self.limit.iter().copied()).to_json(),
            "limit_rounds": self.limit.iter().map(|rate| rate.to_json()).collect::<Vec<_>>(),
            "rows": self.measured.iter().map(|measured| measured.to_json(&self.limit)).collect::<Vec<_>>(),
        })
    }
}

impl Measured {
    fn to_json(&self, limit: &[Rate]) -> Value {
        let (ratio, cpu_ratio) = self.ratios(limit);
        let rounds = limit.iter().zip(&self.turns).map(|(limit, turn)| {
            let mut round = turn.round.beside(limit);
            round["latency"] = turn.latency.to_json();
            round
        });
        json!({
            "row": self.row.name(),
            "exchange": self.rate().to_json(),
            "ratio": ratio,
            "cpu_ratio": cpu_ratio,
            "database_micros": self.median_of(|round| round.database_micros),
            "generator_busy": self.median_of(|round| round.generator_busy),
            "latency": self.latency().to_json(),
            "stored_bytes_each": self.stored_each,
            "written_bytes_each": self.median_of(|round| round.written_each),
            "in_one_commit": self.in_one_commit,
            "answered": self.answered,
            "rounds": rounds.collect::<Vec<_>>(),
        })
    }

    fn rate(&self) -> Rate {
        Rate::median(self.turns.iter().map(|turn| turn.round.rate))
    }

    /// The middle of each figure by itself: where something else stalls the machine for a tenth of a second, that is the p99 of its round.
    fn latency(&self) -> Latency {
        let middle =
            |figure: fn(&Latency) -> f64| median(self.turns.iter().map(|turn| figure(&turn.latency)));
        Latency {
            per_second: middle(|latency| latency.per_second),
            p50_ms: middle(|latency| latency.p50_ms),
            p99_ms: middle(|latency| latency.p99_ms),
        }
    }

    fn median_of(&self, figure: fn(&Round) -> f64) -> f64 {
        median(self.turns.iter().map(|turn| figure(&turn.round)))
    }

    /// Of what the cryptography allows, by the clock and by processor time. The middle of the rounds' ratios, not the ratio of the
    /// middles: what disturbs the machine disturbs a whole round.
    fn ratios(&self, limit: &[Rate]) -> (f64, f64) {
        let rounds = || limit.iter().zip(self.turns.iter().map(|turn| turn.round.rate));
        (
            median(rounds().map(|(limit, rate)| rate.per_second / limit.per_second)),
            median(rounds().map(|(limit, rate)| limit.cpu_micros / rate.cpu_micros)),
        )
    }
}

const COLUMNS: [&str; 12] = [
    "a second",
    "of limit",
    "µs of CPU",
    "of limit",
    "database µs",
    "p50 ms",
    "p99 ms",
    "worst",
    "kept B",
    "written B",
    "a commit",
    "generator",
];
const TITLE: usize = 46;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{:TITLE$}", "")?;
        COLUMNS.iter().try_for_each(|column| write!(f, " {column:>11}"))?;
        let limit = Rate::median(self.limit.iter().copied());
        write!(f, "\n{:TITLE$}", "cryptographic limit (RS256 verify, ES256 sign)")?;
        write!(f, " {:>11.0} {:>11} {:>11.1}", limit.per_second, "", limit.cpu_micros)?;
        for measured in &self.measured {
            measured.write(f, &self.limit)?;
        }
        let rounds = self.limit.len();
        writeln!(f, "\n\nmedians of {rounds} rounds over {} connections; {};", self.connections, self.cores)?;
        writeln!(
            f,
            "p50, p99 and the worst p99 of a round at 80 % of its throughput, over up to {} connections, from when each request was due,\n\
             without the first eighth of them;",
            self.open_connections
        )?;
        write!(f, "every answer was a token, and every token of ours is in its ledger")
    }
}

impl Measured {
    fn write(&self, f: &mut fmt::Formatter<'_>, limit: &[Rate]) -> fmt::Result {
        let (rate, (ratio, cpu_ratio)) = (self.rate(), self.ratios(limit));
        let database = Some(self.median_of(|round| round.database_micros)).filter(|micros| *micros > 0.0);
        let optional = |value: Option<f64>| value.map(|value| format!("{value:.0}")).unwrap_or_default();
        write!(f, "\n{:TITLE$}", self.row.title())?;
        write!(f, " {:>11.0} {:>9.0} %", rate.per_second, ratio * 100.0)?;
        write!(f, " {:>11.1} {:>9.0} % {:>11}", rate.cpu_micros, cpu_ratio * 100.0, optional(database))?;
        let latency = self.latency();
        let worst = self.turns.iter().map(|turn| turn.latency.p99_ms).fold(f64::NAN, f64::max);
        write!(f, " {:>11.2} {:>11.2} {worst:>11.2}", latency.p50_ms, latency.p99_ms)?;
        let written = self.median_of(|round| round.written_each);
        write!(
            f,
            " {:>11} {written:>11.0} {:>11}",
            optional(self.stored_each),
            optional(self.in_one_commit)
        )?;
        write!(f, " {:>9.0} %", self.median_of(|round| round.generator_busy) * 100.0)
    }
}
