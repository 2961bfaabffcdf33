//! The figures.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::load::Outcome;
use crate::pinning::Pinning;
use crate::rate::{Rate, median};

/// What was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) pinning: Pinning,
    pub(crate) connections: u16,
    /// Limit and stored exchange, measured right after each other.
    pub(crate) rounds: Vec<(Rate, Rate)>,
    /// The rate at which the latency was measured, and what came of it.
    pub(crate) paced_per_second: f64,
    pub(crate) paced: Outcome,
    /// How much of its core the load generator was busy for while throughput was measured: near 1, it is what was measured.
    pub(crate) generator_busy: f64,
    pub(crate) issued: usize,
    pub(crate) database_bytes_each: f64,
}

impl Report {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "pinned": matches!(self.pinning, Pinning::Cores { .. }),
            "connections": self.connections,
            "limit": self.limit().to_json(),
            "exchange": self.exchange().to_json(),
            "ratio": self.ratio(),
            "cpu_ratio": self.cpu_ratio(),
            "rounds": self.rounds.iter().map(|(limit, exchange)| json!({
                "limit": limit.to_json(),
                "exchange": exchange.to_json(),
            })).collect::<Vec<_>>(),
            "latency": {
                "per_second": self.paced_per_second,
                "p50_ms": self.milliseconds_at(50),
                "p99_ms": self.milliseconds_at(99),
            },
            "generator_busy": self.generator_busy,
            "issued": self.issued,
            "database_bytes_each": self.database_bytes_each,
        })
    }

    fn limit(&self) -> Rate {
        middle(self.rounds.iter().map(|(limit, _)| *limit))
    }

    fn exchange(&self) -> Rate {
        middle(self.rounds.iter().map(|(_, exchange)| *exchange))
    }

    /// The middle of the rounds' ratios, not the ratio of the middles: what disturbs the machine disturbs a whole round.
    fn ratio(&self) -> f64 {
        median(self.rounds.iter().map(|(limit, exchange)| exchange.per_second / limit.per_second))
    }

    fn cpu_ratio(&self) -> f64 {
        median(self.rounds.iter().map(|(limit, exchange)| limit.cpu_micros / exchange.cpu_micros))
    }

    fn milliseconds_at(&self, percent: usize) -> f64 {
        let latencies = &self.paced.latencies;
        let rank = (latencies.len() * percent).div_ceil(100).saturating_sub(1);
        latencies.get(rank).copied().unwrap_or(Duration::ZERO).as_secs_f64() * 1_000.0
    }
}

fn middle(rates: impl Iterator<Item = Rate> + Clone) -> Rate {
    Rate {
        per_second: median(rates.clone().map(|rate| rate.per_second)),
        cpu_micros: median(rates.map(|rate| rate.cpu_micros)),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limit, exchange) = (self.limit(), self.exchange());
        writeln!(f, "{:<47} {:>10} {:>14}", "", "per second", "µs of CPU each")?;
        let mut row = |name: &str, rate: Rate| {
            writeln!(f, "{name:<47} {:>10.0} {:>14.1}", rate.per_second, rate.cpu_micros)
        };
        row("cryptographic limit (RS256 verify, ES256 sign)", limit)?;
        row("stored exchange (SQLite, synchronous FULL)", exchange)?;
        let (ratio, cpu_ratio) = (self.ratio() * 100.0, self.cpu_ratio() * 100.0);
        writeln!(f, "{:<47} {ratio:>8.0} % {cpu_ratio:>12.0} %", "ratio to the limit")?;
        writeln!(f, "{:<47} {:>10.0}", "latency at 80 % of that throughput", self.paced_per_second)?;
        for percent in [50, 99] {
            writeln!(f, "{:<47} {:>7.2} ms", format!("  p{percent}"), self.milliseconds_at(percent))?;
        }
        writeln!(f, "{:<47} {:>10.0}", "bytes of database each", self.database_bytes_each)?;
        writeln!(f, "\nmedians of {} rounds over {} connections;", self.rounds.len(), self.connections)?;
        writeln!(f, "all answers were 200, and the ledger has each of the {} tokens;", self.issued)?;
        match &self.pinning {
            Pinning::Cores { measured, generator } => writeln!(
                f,
                "measured on core {measured}, from core {generator}, of which the generator used {:.0} %",
                self.generator_busy * 100.0
            ),
            Pinning::None(why) => writeln!(f, "not pinned to cores, so of little worth: {why}"),
        }
    }
}
