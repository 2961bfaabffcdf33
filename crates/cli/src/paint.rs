//! Colours, on a terminal and nowhere else.

use countersign_client::Variables;

/// Whether a stream shows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// A file, a pipe, a log, or somebody who wants none.
    Plain,
    /// A terminal.
    Colours,
}

/// What a text is, which says how it looks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Strange.
    Remark,
    /// Wrong.
    Wrong,
    /// Beside the point.
    Faint,
}

impl Paint {
    /// Decides for one stream. `NO_COLOR` with any value turns colours off (no-color.org), as `TERM=dumb` does.
    pub(crate) fn on(is_terminal: bool, variables: &Variables) -> Self {
        let unwanted = variables.text("NO_COLOR").is_some() || variables.is_exactly("TERM", "dumb");
        if is_terminal && !unwanted { Self::Colours } else { Self::Plain }
    }

    /// The text in its colour. Count its width before: what is added has none.
    pub(crate) fn show(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Remark => "33",
            Tone::Wrong => "1;31",
            Tone::Faint => "2",
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Colours => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
