//! What a scenario came to.

use std::fmt;
use std::time::Duration;

/// A scenario that ended as it should.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was played.
    Played(Box<Played>),
    /// This machine cannot play it.
    LeftOut {
        /// What would have been done.
        what: &'static str,
        /// Why not.
        why: String,
    },
}

/// What was seen of it.
#[derive(Debug)]
pub(super) struct Played {
    /// What was done.
    pub(super) what: &'static str,
    /// Tokens that were answered, all of which are on record.
    pub(super) answered: usize,
    /// Tokens on record.
    pub(super) recorded: usize,
    /// Id tokens that had bought what they may, and were tried again at the end, on each node.
    pub(super) replays: usize,
    /// The longest time in which a node issued nothing.
    pub(super) longest_gap: Duration,
    /// How long after the repair each node had issued a token.
    pub(super) back_after: Option<Duration>,
}

/// All of them, for people.
#[derive(Default)]
pub(super) struct Table(Vec<anyhow::Result<Outcome>>);

impl Table {
    pub(super) fn add(&mut self, outcome: anyhow::Result<Outcome>) {
        self.0.push(outcome);
    }

    pub(super) fn failed(&self) -> usize {
        self.0.iter().filter(|outcome| outcome.is_err()).count()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<58} {:>8} {:>9} {:>9} {:>7} {:>12} {:>12}",
            "", "answered", "on record", "replayed", "bought", "without for", "back after"
        )?;
        for outcome in &self.0 {
            match outcome {
                Ok(outcome) => writeln!(f, "{outcome}")?,
                Err(error) => writeln!(f, "FAILED: {error:#}")?,
            }
        }
        write!(
            f,
            "\nTokens on record beyond those answered: their answer was lost with a connection, or was \"come again\"."
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Played(played) => played.fmt(f),
            Self::LeftOut { what, why } => write!(f, "{what:<58} LEFT OUT: {why}"),
        }
    }
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, answered, recorded, replays, longest_gap, back_after } = self;
        let back = back_after.map_or_else(|| "-".to_owned(), seconds);
        // Had one of the replays bought anything, there would be no outcome.
        write!(
            f,
            "{what:<58} {answered:>8} {recorded:>9} {replays:>9} {:>7} {:>12} {back:>12}",
            0,
            seconds(*longest_gap)
        )
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
