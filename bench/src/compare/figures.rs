//! Figures as they were saved.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// What one run measured.
#[derive(Debug)]
pub(super) struct Figures {
    /// Under which conditions: always the same ones, in the same order.
    pub(super) settings: Vec<Setting>,
    pub(super) rows: Vec<Row>,
}

/// A condition; what an older version did not save is unknown.
#[derive(Debug, PartialEq)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    value: Option<Value>,
}

/// What was measured: a row of the table, or a load.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) figures: Vec<Figure>,
}

/// The median of some rounds, or the one value that there is.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: f64,
    /// Each round's; none where it was measured once.
    rounds: Vec<f64>,
}

/// The settings by their names in the file.
const SETTINGS: [(&str, &str); 8] = [
    ("machine", "machine"),
    ("cores", "cores"),
    ("connections", "connections"),
    ("open_connections", "connections at a steady rate"),
    ("rounds", "number of rounds"),
    ("exchanges", "exchanges a round"),
    ("publishers", "number of publishers"),
    ("database", "database"),
];

/// A figure's name here, where a row has it, and where each of its rounds does.
type Place = (&'static str, &'static str, &'static str);

const OF_A_RATE: [Place; 2] =
    [("a second", "/per_second", "/per_second"), ("µs of CPU", "/cpu_micros", "/cpu_micros")];
const OF_A_ROW: [Place; 11] = [
    ("a second", "/exchange/per_second", "/per_second"),
    ("of limit", "/ratio", "/ratio"),
    ("µs of CPU", "/exchange/cpu_micros", "/cpu_micros"),
    ("CPU of limit", "/cpu_ratio", "/cpu_ratio"),
    ("database µs", "/database_micros", "/database_micros"),
    ("p50 ms", "/latency/p50_ms", "/latency/p50_ms"),
    ("p99 ms", "/latency/p99_ms", "/latency/p99_ms"),
    ("kept B", "/stored_bytes_each", ""),
    ("written B", "/written_bytes_each", "/written_bytes_each"),
    ("a commit", "/in_one_commit", ""),
    ("generator", "/generator_busy", "/generator_busy"),
];
const OF_A_LOAD: [Place; 2] =
    [("a second", "/rate/per_second", "/per_second"), ("µs of CPU", "/rate/cpu_micros", "/cpu_micros")];

impl Figures {
    /// Reads a file that `--json` saved.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let shown = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        let saved = serde_json::from_str(&text).with_context(|| format!("{shown} is no JSON"))?;
        Self::of(&saved).with_context(|| format!("expected figures that --json saved in {shown}"))
    }

    /// Of the table, or of a measurement that has loads.
    pub(super) fn of(saved: &Value) -> anyhow::Result<Self> {
        let rows = if let Some(rows) = saved["rows"].as_array() {
            let limit = Row::of("limit", &saved["limit"], &saved["limit_rounds"], &OF_A_RATE)?;
            let rows = rows.iter().map(|row| Row::named(row, "row", &OF_A_ROW));
            std::iter::once(Ok(limit)).chain(rows).collect::<anyhow::Result<_>>()?
        } else if let Some(loads) = saved["loads"].as_array() {
            loads.iter().map(|load| Row::named(load, "name", &OF_A_LOAD)).collect::<anyhow::Result<_>>()?
        } else {
            bail!("it has neither rows nor loads; the table, `publishers` and `mix` can be compared")
        };
        let settings = SETTINGS.map(|(key, name)| Setting { name, value: saved.get(key).cloned() });
        Ok(Self { settings: settings.into(), rows })
    }

    /// The row of that name.
    pub(super) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}

impl Row {
    fn named(saved: &Value, name: &str, places: &[Place]) -> anyhow::Result<Self> {
        let name = saved[name].as_str().context("a row has no name")?;
        Self::of(name, saved, &saved["rounds"], places)
    }

    /// With the figures that are there: not all rows have all, and older versions saved fewer.
    fn of(name: &str, saved: &Value, rounds: &Value, places: &[Place]) -> anyhow::Result<Self> {
        let rounds = rounds.as_array().map(Vec::as_slice).unwrap_or_default();
        let figures: Vec<Figure> =
            places.iter().filter_map(|place| Figure::at(place, saved, rounds)).collect();
        ensure!(!figures.is_empty(), "the row {name:?} has no figure");
        Ok(Self { name: name.to_owned(), figures })
    }

    /// The figure of that name.
    pub(super) fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }
}

impl Figure {
    fn at((name, whole, of_a_round): &Place, saved: &Value, rounds: &[Value]) -> Option<Self> {
        let value = saved.pointer(whole)?.as_f64()?;
        // The empty pointer is the round itself, which is no number.
        let rounds = rounds.iter().filter_map(|round| round.pointer(of_a_round)?.as_f64()).collect();
        Some(Self { name, value, rounds })
    }

    /// The least and the most of the rounds.
    fn spread(&self) -> (f64, f64) {
        let least = self.rounds.iter().copied().fold(self.value, f64::min);
        let most = self.rounds.iter().copied().fold(self.value, f64::max);
        (least, most)
    }

    /// Whether the spread of one reaches into that of the other. A figure without rounds has none, and says nothing of that.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let ((least, most), (least_of_other, most_of_other)) = (self.spread(), other.spread());
        let is_known = self.rounds.len() > 1 && other.rounds.len() > 1;
        is_known && least <= most_of_other && least_of_other <= most
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self.spread();
        // Three figures at least of whatever size it is.
        let digits = if self.value >= 100.0 {
            0
        } else if self.value >= 10.0 {
            1
        } else {
            2
        };
        write!(f, "{:.digits$}", self.value)?;
        if self.rounds.len() > 1 { write!(f, " ({least:.digits$}..{most:.digits$})") } else { Ok(()) }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(Value::String(text)) => f.write_str(text),
            Some(value) => write!(f, "{value}"),
            None => f.write_str("not said"),
        }
    }
}
