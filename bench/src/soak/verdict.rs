//! What requests came to, and what they should have.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::ensure;

/// The status that is right; or the two that are.
pub(super) type Expected = &'static [u16];

/// All that was answered.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    of: BTreeMap<(&'static str, u16), usize>,
    issued: HashSet<String>,
    wrong: Vec<String>,
}

impl Tally {
    /// Takes down an answer. `kind` says what the request was.
    pub(super) fn note(&self, kind: &'static str, expected: Expected, status: u16, body: &[u8]) {
        let mut counts = self.counts();
        *counts.of.entry((kind, status)).or_default() += 1;
        if !expected.contains(&status) && counts.wrong.len() < 10 {
            // Of an answer that has a token nothing is shown.
            let body = if status == 200 { "a good answer".into() } else { String::from_utf8_lossy(body) };
            let text: String = body.chars().take(300).collect();
            counts.wrong.push(format!("{kind}: expected {expected:?}, found {status}: {text}"));
        }
    }

    /// Takes down something else that is wrong.
    pub(super) fn note_wrong(&self, what: String) {
        self.counts().wrong.push(what);
    }

    /// Takes down the id of an access token that came and that verifies.
    pub(super) fn note_issued(&self, id: &str) {
        if !self.counts().issued.insert(id.to_owned()) {
            self.note_wrong(format!("two tokens have the id {id}"));
        }
    }

    pub(super) fn issued(&self) -> HashSet<String> {
        self.counts().issued.clone()
    }

    /// Whether all verdicts were right.
    pub(super) fn finish(&self) -> anyhow::Result<()> {
        let counts = self.counts();
        ensure!(counts.wrong.is_empty(), "wrong verdicts:\n{}", counts.wrong.join("\n"));
        Ok(())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        for ((kind, status), count) in &counts.of {
            writeln!(f, "{count:>8} {status} {kind}")?;
        }
        write!(f, "{} wrong verdicts", counts.wrong.len())
    }
}
