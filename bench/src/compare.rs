//! `countersign-bench compare`: the figures of two runs beside each other, and which differences the rounds cannot explain.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use anyhow::ensure;

mod figures;

use crate::tell;
use figures::{Figure, Figures, Row};

/// What is compared.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Figures that `--json` saved.
    #[arg(value_name = "BEFORE.json")]
    before: PathBuf,
    /// Those of a later run, of the same measurement.
    #[arg(value_name = "AFTER.json")]
    after: PathBuf,
}

/// Reads both, and shows them beside each other.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let (before, after) = (Figures::read(&options.before)?, Figures::read(&options.after)?);
    tell(&compare(&before, &after)?);
    Ok(())
}

const NAME: usize = 14;
const VALUE: usize = 34;

/// The table, after what the two do not have in common.
fn compare(before: &Figures, after: &Figures) -> anyhow::Result<String> {
    ensure!(
        before.rows.iter().any(|row| after.row(&row.name).is_some()),
        "there is nothing to compare: one has {}, the other {}",
        names(before),
        names(after)
    );
    let mut text = differences(before, after);
    write!(text, "\n{:NAME$} {:>VALUE$} {:>VALUE$} {:>7}", "", "before", "after", "ratio")?;
    for (row, later) in before.rows.iter().filter_map(|row| Some((row, after.row(&row.name)?))) {
        write!(text, "\n{}", row.name)?;
        let both = row.figures.iter().filter_map(|figure| Some((figure, later.figure(figure.name)?)));
        for (figure, later) in both {
            write!(text, "\n{}", Line { before: figure, after: later })?;
        }
    }
    text.push_str(
        "\n\na ratio is of the medians. In brackets: the least and the most of the rounds; where those of one run reach into those\n\
         of the other, the ratio is marked ~, since that may be noise. So may be what has no brackets: it was measured once",
    );
    Ok(text)
}

/// What a reader must know first: that the figures are not of the same thing.
fn differences(before: &Figures, after: &Figures) -> String {
    let mut lines = Vec::new();
    let settings = before.settings.iter().zip(&after.settings);
    for (before, after) in settings.filter(|(before, after)| before != after) {
        lines.push(format!("different {}: {before} before, {after} after\n", before.name));
    }
    if !lines.is_empty() {
        lines.push("so a ratio may say more about that than about the program\n".to_owned());
    }
    for (when, one, other) in [("before", before, after), ("after", after, before)] {
        let missing = one.rows.iter().filter(|row| other.row(&row.name).is_none());
        lines.extend(missing.map(|row| format!("only {when}: {}\n", row.name)));
    }
    lines.concat()
}

fn names(figures: &Figures) -> String {
    figures.rows.iter().map(|Row { name, .. }| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// One figure of both.
struct Line<'a> {
    before: &'a Figure,
    after: &'a Figure,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after } = self;
        write!(f, "  {:<12} {:>VALUE$} {:>VALUE$}", before.name, before.to_string(), after.to_string())?;
        // Nothing is so many times nothing.
        if before.value.abs() < f64::EPSILON {
            return Ok(());
        }
        write!(f, " {:>7.2}{}", after.value / before.value, if before.meets(after) { " ~" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::{Figures, compare};

    /// A saved table of two rows.
    fn table() -> Value {
        let rate = |per_second: f64| json!({ "per_second": per_second, "cpu_micros": 1e6 / per_second });
        let row = |name: &str, rounds: [f64; 3]| {
            json!({
                "row": name,
                "exchange": rate(rounds[1]),
                "ratio": rounds[1] / 20_000.0,
                "database_micros": 0.0,
                "latency": { "per_second": 1.0, "p50_ms": 5.5, "p99_ms": 20.0 },
                "stored_bytes_each": null,
                "rounds": rounds.map(rate),
            })
        };
        json!({
            "machine": "2 of X",
            "connections": 64,
            "limit": rate(20_000.0),
            "limit_rounds": [rate(20_000.0)],
            "rows": [row("sqlite", [5_000.0, 5_200.0, 5_400.0]), row("postgres", [4_000.0, 4_100.0, 4_200.0])],
        })
    }

    fn compared(before: &Value, after: &Value) -> anyhow::Result<String> {
        compare(&Figures::of(before)?, &Figures::of(after)?)
    }

    /// The line of a figure of a row, without the spaces of the table.
    fn line(text: &str, row: &str, figure: &str) -> String {
        let mut lines = text.lines().skip_while(|line| *line != row).skip(1);
        let found = lines.find(|line| line.starts_with(&format!("  {figure} "))).unwrap();
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_ratio_is_of_the_medians_and_says_whether_the_rounds_explain_it() {
        let mut after = table();
        let faster = [7_000.0, 7_800.0, 5_400.0].map(|rate| json!({ "per_second": rate }));
        after["rows"][0]["exchange"]["per_second"] = 7_800.0.into();
        after["rows"][0]["rounds"] = faster.into();
        after["rows"][1]["rounds"][0]["per_second"] = 4_201.0.into();
        after["rows"][1]["rounds"][1]["per_second"] = 4_305.0.into();
        after["rows"][1]["rounds"][2]["per_second"] = 4_205.0.into();
        after["rows"][1]["exchange"]["per_second"] = 4_305.0.into();
        after["rows"][1]["latency"]["p99_ms"] = 30.0.into();
        let text = compared(&table(), &after).unwrap();
        // 5,400 of both: the rounds meet.
        let sqlite = line(&text, "sqlite", "a second");
        assert_eq!(sqlite, "a second 5200 (5000..5400) 7800 (5400..7800) 1.50 ~");
        let postgres = line(&text, "postgres", "a second");
        assert_eq!(postgres, "a second 4100 (4000..4200) 4305 (4201..4305) 1.05");
        // Measured once: nothing is known of noise.
        assert_eq!(line(&text, "postgres", "p99 ms"), "p99 ms 20.0 30.0 1.50");
        assert_eq!(line(&text, "limit", "a second"), "a second 20000 20000 1.00");
        // There is no ratio to nothing, and no line for what was not measured.
        assert_eq!(line(&text, "sqlite", "database µs"), "database µs 0.00 0.00");
        assert!(!text.contains("kept B"), "{text}");
        assert!(text.starts_with("\n  "), "the two runs are of the same thing:\n{text}");
    }

    #[test]
    fn runs_of_different_things_say_so_first() {
        let mut after = table();
        after["machine"] = "8 of Y".into();
        after["rows"][0]["row"] = "two-nodes".into();
        after.as_object_mut().unwrap().remove("connections");
        let text = compared(&table(), &after).unwrap();
        let first: Vec<&str> = text.lines().take(5).collect();
        assert_eq!(
            first,
            [
                "different machine: 2 of X before, 8 of Y after",
                "different connections: 64 before, not said after",
                "so a ratio may say more about that than about the program",
                "only before: sqlite",
                "only after: two-nodes",
            ]
        );
        assert!(line(&text, "postgres", "a second").ends_with("1.00 ~"), "{text}");
    }

    #[test]
    fn loads_are_compared_and_nothing_else_is() {
        let loads = |name: &str| {
            let rate = json!({ "per_second": 100.0, "cpu_micros": 10.0 });
            json!({ "loads": [{ "name": name, "rate": rate, "rounds": [rate, rate] }] })
        };
        let text = compared(&loads("valid only"), &loads("valid only")).unwrap();
        assert_eq!(
            line(&text, "valid only", "µs of CPU"),
            "µs of CPU 10.0 (10.0..10.0) 10.0 (10.0..10.0) 1.00 ~"
        );
        let error = compared(&loads("valid only"), &table()).unwrap_err().to_string();
        assert!(
            error.contains(r#"one has "valid only", the other "limit", "sqlite", "postgres""#),
            "{error}"
        );
        for other in [
            json!({ "samples": [] }),
            json!([]),
            json!({ "rows": [{}] }),
            json!({ "loads": [{ "name": "x" }] }),
        ] {
            assert!(Figures::of(&other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_file_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("figures.json");
        let error = || format!("{:#}", Figures::read(&file).unwrap_err());
        assert!(error().contains("cannot read") && error().contains("figures.json"), "{}", error());
        fs::write(&file, "a second").unwrap();
        assert!(error().contains("is no JSON"), "{}", error());
        fs::write(&file, "{}").unwrap();
        assert!(error().contains("neither rows nor loads"), "{}", error());
        fs::write(&file, table().to_string()).unwrap();
        assert_eq!(Figures::read(&file).unwrap().rows.len(), 3);
    }
}
