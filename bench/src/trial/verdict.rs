//! What requests came to, and what they should have.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::ensure;

/// The status that is right; or the two that are.
pub(crate) type Expected = &'static [u16];

/// Id tokens that are kept once they have bought what they may, to be tried again at the end.
const MOST_SPENT: usize = 5_000;

/// Whether the server has all that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// It has: each verdict is exact.
    Fair,
    /// It has not: it may say "come again" to anything, or not answer at all.
    Foul,
    /// Its time is not that of its jobs: it may refuse what is good as well.
    Jumping,
}

impl Weather {
    /// Whether an answer is right in it.
    fn allows(self, status: u16, expected: Expected) -> bool {
        expected.contains(&status)
            || match self {
                Self::Fair => false,
                Self::Foul => status == 503,
                Self::Jumping => [400, 503].contains(&status),
            }
    }
}

/// All that was answered.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    of: BTreeMap<(&'static str, u16), usize>,
    /// Requests that may have come to a token that nobody was given.
    in_doubt: usize,
    issued: HashSet<String>,
    spent: Vec<String>,
    wrong: Vec<String>,
}

impl Tally {
    /// Takes down an answer. `kind` says what the request was.
    pub(crate) fn note(
        &self,
        kind: &'static str,
        expected: Expected,
        weather: Weather,
        status: u16,
        body: &[u8],
    ) {
        let mut counts = self.counts();
        *counts.of.entry((kind, status)).or_default() += 1;
        counts.in_doubt += usize::from(status == 503);
        if !weather.allows(status, expected) && counts.wrong.len() < 10 {
            // Of an answer that has a token nothing is shown.
            let body = if status == 200 { "a good answer".into() } else { String::from_utf8_lossy(body) };
            let text: String = body.chars().take(300).collect();
            counts.wrong.push(format!("{kind}: expected {expected:?}, found {status}: {text}"));
        }
    }

    /// Takes down a request that was not answered.
    pub(crate) fn note_unanswered(&self, kind: &'static str, weather: Weather, why: &anyhow::Error) {
        let mut counts = self.counts();
        *counts.of.entry((kind, 0)).or_default() += 1;
        counts.in_doubt += 1;
        if weather == Weather::Fair && counts.wrong.len() < 10 {
            counts.wrong.push(format!("{kind}: not answered: {why:#}"));
        }
    }

    /// Takes down something else that is wrong.
    pub(crate) fn note_wrong(&self, what: String) {
        self.counts().wrong.push(what);
    }

    /// Takes down the id of an access token that came and that verifies.
    pub(crate) fn note_issued(&self, id: &str) {
        if !self.counts().issued.insert(id.to_owned()) {
            self.note_wrong(format!("two tokens have the id {id}"));
        }
    }

    /// Takes down an id token that has bought what it may.
    pub(crate) fn note_spent(&self, id_token: &str) {
        let mut counts = self.counts();
        if counts.spent.len() < MOST_SPENT {
            counts.spent.push(id_token.to_owned());
        }
    }

    pub(crate) fn issued(&self) -> HashSet<String> {
        self.counts().issued.clone()
    }

    pub(crate) fn spent(&self) -> Vec<String> {
        self.counts().spent.clone()
    }

    /// How many requests may have come to a token that nobody was given.
    pub(crate) fn in_doubt(&self) -> usize {
        self.counts().in_doubt
    }

    /// Whether all verdicts were right.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
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
