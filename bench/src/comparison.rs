//! Loads beside each other, and each beside the first.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::generator::Round;
use crate::rate::{Rate, median};

/// A load, measured in several rounds.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) rounds: Vec<Round>,
}

impl Load {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, rounds: Vec::new() }
    }

    pub(crate) fn rate(&self) -> Rate {
        Rate::median(self.rounds.iter().map(|round| round.rate))
    }

    /// What share of another's speed this has, by the clock and by processor time: the middle of the rounds' ratios, since what
    /// disturbs the machine disturbs a whole round.
    pub(crate) fn share_of(&self, other: &Self) -> (f64, f64) {
        let rounds = || self.rounds.iter().zip(&other.rounds).map(|(own, other)| (own.rate, other.rate));
        (
            median(rounds().map(|(own, other)| own.per_second / other.per_second)),
            median(rounds().map(|(own, other)| other.cpu_micros / own.cpu_micros)),
        )
    }
}

/// The loads as a table.
pub(crate) fn table(loads: &[Load]) -> String {
    let mut table = format!(
        "\n{:<46} {:>11} {:>12} {:>11} {:>12}",
        "", "a second", "of the first", "µs of CPU", "of the first"
    );
    for load in loads {
        let (rate, (share, cpu_share)) = (load.rate(), load.share_of(&loads[0]));
        // Writing to a text never fails.
        let _ = write!(
            table,
            "\n{:<46} {:>11.0} {:>10.0} % {:>11.1} {:>10.0} %",
            load.name,
            rate.per_second,
            share * 100.0,
            rate.cpu_micros,
            cpu_share * 100.0
        );
    }
    table
}

/// The same for a machine to read, with each round.
pub(crate) fn to_json(loads: &[Load]) -> Value {
    let load = |load: &Load| {
        let (share, cpu_share) = load.share_of(&loads[0]);
        let rounds: Vec<Value> = load.rounds.iter().map(|round| round.rate.to_json()).collect();
        let rate = load.rate().to_json();
        json!({ "name": load.name, "rate": rate, "share": share, "cpu_share": cpu_share, "rounds": rounds })
    };
    loads.iter().map(load).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Load, table};
    use crate::generator::Round;
    use crate::rate::Rate;

    fn load(name: &'static str, seconds: [u64; 3]) -> Load {
        let rounds = seconds.map(|seconds| Round {
            rate: Rate::new(100, Duration::from_secs(seconds), f64::from(u32::try_from(seconds).unwrap())),
            database_micros: 0.0,
            written_each: 0.0,
            generator_busy: 0.0,
        });
        Load { name, rounds: rounds.to_vec() }
    }

    #[test]
    fn loads_are_compared_round_by_round() {
        // The ratio of the middles would be a half.
        let (first, second) = (load("first", [10, 20, 40]), load("second", [40, 20, 60]));
        let (share, cpu_share) = second.share_of(&first);
        assert!(
            (share - 2.0 / 3.0).abs() < 1e-9 && (cpu_share - 2.0 / 3.0).abs() < 1e-9,
            "{share} {cpu_share}"
        );
        let shown = table(&[first, second]);
        assert!(shown.lines().nth(2).unwrap().contains("100 %"), "{shown}");
        assert!(shown.lines().nth(3).unwrap().contains("67 %"), "{shown}");
    }
}
