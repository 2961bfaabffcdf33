//! What was found.

use serde_json::{Value, json};

use crate::paint::{Paint, Tone};
use crate::printable::printable;

/// One thing that was looked at.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) detail: String,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Verdict {
    /// As it should be.
    Good,
    /// Strange, and perhaps no reason for anything.
    Remark,
    /// Wrong: what to change, and the exit code that the other commands would give.
    Wrong {
        /// The change.
        change: Change,
        /// The exit code.
        code: u8,
    },
    /// Not looked at.
    Skipped,
}

/// What to change.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// In words.
    pub(super) words: String,
    /// The lines to add, if it is made in a file.
    pub(super) snippet: Option<String>,
}

impl From<String> for Change {
    fn from(words: String) -> Self {
        Self { words, snippet: None }
    }
}

impl Verdict {
    const fn word(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Remark => "remark",
            Self::Wrong { .. } => "WRONG",
            Self::Skipped => "skipped",
        }
    }

    const fn tone(&self) -> Tone {
        match self {
            Self::Good => Tone::Good,
            Self::Remark => Tone::Remark,
            Self::Wrong { .. } => Tone::Wrong,
            Self::Skipped => Tone::Faint,
        }
    }
}

impl Step {
    pub(super) fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Good, detail: detail.into() }
    }

    pub(super) fn remark(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Remark, detail: detail.into() }
    }

    pub(super) fn skipped(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Skipped, detail: detail.into() }
    }

    pub(super) fn wrong(
        name: &'static str,
        detail: impl Into<String>,
        code: u8,
        change: impl Into<Change>,
    ) -> Self {
        Self { name, verdict: Verdict::Wrong { change: change.into(), code }, detail: detail.into() }
    }
}

/// Everything that was looked at, in order.
#[derive(Debug)]
pub(super) struct Report(pub(super) Vec<Step>);

impl Report {
    /// The first thing that is wrong: what follows is often wrong because of it.
    fn first_wrong(&self) -> Option<(&Step, &Change, u8)> {
        self.0.iter().find_map(|step| match &step.verdict {
            Verdict::Wrong { change, code } => Some((step, change, *code)),
            _ => None,
        })
    }

    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        self.first_wrong().map_or(0, |(_, _, code)| code)
    }

    /// For a person: a line for each step, and what to do. With `quiet`, only what is not as it should be.
    pub(super) fn as_text(&self, paint: Paint, quiet: bool) -> String {
        let line = |step: &Step| {
            let word = paint.show(step.verdict.tone(), &format!("{:<7}", step.verdict.word()));
            format!("{word}  {:<12}  {}\n", step.name, printable(&step.detail))
        };
        let is_wanted =
            |step: &&Step| !quiet || matches!(step.verdict, Verdict::Remark | Verdict::Wrong { .. });
        let end = match self.first_wrong() {
            Some((_, change, _)) => {
                let words = printable(&change.words);
                let snippet = change.snippet.iter().flat_map(|snippet| snippet.lines());
                let lines: Vec<String> = snippet.map(|line| format!("    {}\n", printable(line))).collect();
                let gap = if lines.is_empty() { "" } else { "\n" };
                format!("\n{} {words}\n{gap}{}", paint.show(Tone::Wrong, "to do:"), lines.concat())
            }
            None if quiet => String::new(),
            None if self.0.iter().any(|step| matches!(step.verdict, Verdict::Skipped)) => {
                "\nnothing is wrong as far as was looked\n".to_owned()
            }
            None => "\nnothing is wrong\n".to_owned(),
        };
        self.0.iter().filter(is_wanted).map(line).chain([end]).collect()
    }

    /// For a machine.
    pub(super) fn as_json(&self) -> Value {
        let steps = self.0.iter().map(|step| {
            let verdict = step.verdict.word().to_ascii_lowercase();
            json!({ "step": step.name, "verdict": verdict, "detail": step.detail })
        });
        let wrong = self.first_wrong();
        json!({
            "steps": steps.collect::<Vec<_>>(),
            "wrong": wrong.map(|(step, _, _)| step.name),
            "to_do": wrong.map(|(_, change, _)| &change.words),
            "snippet": wrong.and_then(|(_, change, _)| change.snippet.as_deref()),
            "exit_code": self.code(),
        })
    }
}
