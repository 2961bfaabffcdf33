//! How fast something went.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

/// How fast something went, by the clock on the wall and by processor time.
///
/// On a machine that others use too, the second says more: it does not count the time in which they ran.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) cpu_micros: f64,
}

impl Rate {
    pub(crate) fn new(operations: usize, took: Duration, cpu_seconds: f64) -> Self {
        Self {
            per_second: number(operations as u64) / took.as_secs_f64(),
            cpu_micros: micros_each(cpu_seconds, operations),
        }
    }

    /// The middle of each figure by itself.
    pub(crate) fn median(rates: impl Iterator<Item = Self> + Clone) -> Self {
        Self {
            per_second: median(rates.clone().map(|rate| rate.per_second)),
            cpu_micros: median(rates.map(|rate| rate.cpu_micros)),
        }
    }

    pub(crate) fn to_json(self) -> Value {
        json!({ "per_second": self.per_second, "cpu_micros": self.cpu_micros })
    }

    pub(crate) fn from_json(text: &str) -> anyhow::Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        let number = |name: &str| value[name].as_f64().with_context(|| format!("{name} is missing"));
        Ok(Self { per_second: number("per_second")?, cpu_micros: number("cpu_micros")? })
    }
}

/// A count as a number to calculate with.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, and nothing that is counted here comes near"
)]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

/// Microseconds for each of so many operations that took so many seconds together.
pub(crate) fn micros_each(seconds: f64, operations: usize) -> f64 {
    seconds * 1_000_000.0 / number(operations as u64)
}

/// The value in the middle. Of an even count the lower one; there is no mean of figures that were never measured.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// The time within which so many of a hundred were done, in milliseconds, of times in ascending order.
pub(crate) fn milliseconds_at(percent: usize, sorted: &[Duration]) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or(Duration::ZERO).as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::time::Duration;

    use super::{Rate, median, milliseconds_at};

    #[test]
    fn a_rate_survives_the_way_between_processes() {
        let rate = Rate::new(3_000, Duration::from_millis(1_500), 0.75);
        let read = Rate::from_json(&rate.to_json().to_string()).unwrap();
        assert!((read.per_second - 2_000.0).abs() < 1e-9);
        assert!((read.cpu_micros - 250.0).abs() < 1e-9);
        assert!(Rate::from_json("{}").is_err());
    }

    #[test]
    fn the_median_is_one_of_the_values() {
        for (values, middle) in [(&[3.0, 1.0, 2.0][..], 2.0_f64), (&[4.0, 1.0], 1.0), (&[5.0], 5.0)] {
            assert_eq!(median(values.iter().copied()).total_cmp(&middle), Ordering::Equal, "{values:?}");
        }
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_percentile_is_the_time_within_which_so_many_were_done() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        for (percent, expected) in [(50, 100.0_f64), (99, 198.0), (100, 200.0)] {
            assert!((milliseconds_at(percent, &times) - expected).abs() < 1e-9, "{percent}");
        }
        assert!(milliseconds_at(99, &[]).abs() < 1e-9);
    }
}
