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
    pub(crate) rounds: Vec<Round>,
    pub(crate) paced: Paced,
    /// Bytes by which the database has grown for each exchange.
    pub(crate) stored_each: Option<f64>,
    /// Exchanges for each transaction.
    pub(crate) in_one_commit: Option<f64>,
    pub(crate) answered: usize,
}

/// A subject at a steady rate below its limits.
#[derive(Debug)]
pub(crate) struct Paced {
    pub(crate) per_second: f64,
    /// In ascending order.
    pub(crate) latencies: Vec<Duration>,
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
        let rounds = limit.iter().zip(&self.rounds).map(|(limit, round)| round.beside(limit));
        json!({
            "row": self.row.name(),
            "exchange": self.rate().to_json(),
            "ratio": ratio,
            "cpu_ratio": cpu_ratio,
            "database_micros": self.median_of(|round| round.database_micros),
            "generator_busy": self.median_of(|round| round.generator_busy),
            "latency": {
                "per_second": self.paced.per_second,
                "p50_ms": milliseconds_at(50, &self.paced.latencies),
                "p99_ms": milliseconds_at(99, &self.paced.latencies),
            },
            "stored_bytes_each": self.stored_each,
            "written_bytes_each": self.median_of(|round| round.written_each),
            "in_one_commit": self.in_one_commit,
            "answered": self.answered,
            "rounds": rounds.collect::<Vec<_>>(),
        })
    }

    fn rate(&self) -> Rate {
        Rate::median(self.rounds.iter().map(|round| round.rate))
    }

    fn median_of(&self, figure: fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(figure))
    }

    /// Of what the cryptography allows, by the clock and by processor time. The middle of the rounds' ratios, not the ratio of the
    /// middles: what disturbs the machine disturbs a whole round.
    fn ratios(&self, limit: &[Rate]) -> (f64, f64) {
        let rounds = || limit.iter().zip(self.rounds.iter().map(|round| round.rate));
        (
            median(rounds().map(|(limit, rate)| rate.per_second / limit.per_second)),
            median(rounds().map(|(limit, rate)| limit.cpu_micros / rate.cpu_micros)),
        )
    }
}

const COLUMNS: [&str; 11] = [
    "a second",
    "of limit",
    "µs of CPU",
    "of limit",
    "database µs",
    "p50 ms",
    "p99 ms",
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
        writeln!(f, "p50 and p99 at 80 % of the throughput, counted from when each request was due;")?;
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
        for percent in [50, 99] {
            write!(f, " {:>11.2}", milliseconds_at(percent, &self.paced.latencies))?;
        }
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
