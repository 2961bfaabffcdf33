//! Programs as this crate needs them: run to the end, standard output taken whole.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The most bytes of a program's output that are read; a token has a few thousand.
pub const MAX_OUTPUT: usize = 1024 * 1024;

/// A program and its arguments. No shell is between: nothing in them is expanded.
///
/// `Debug` shows the program only: arguments of other people's commands may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// The program, found in `PATH` unless it contains a slash.
    pub program: String,
    /// What it is given.
    pub arguments: Vec<String>,
}

impl Command {
    /// A program with these arguments.
    pub fn new<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self { program: program.to_owned(), arguments: arguments.into_iter().map(str::to_owned).collect() }
    }
}

impl FromStr for Command {
    type Err = Infallible;

    /// Splits at white space. An argument with white space in it needs a script of its own.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let mut words = text.split_whitespace();
        let program = words.next().unwrap_or_default();
        Ok(Self::new(program, words))
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({})", self.program)
    }
}

/// Why a program gave nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no such program.
    #[error("the program {program:?} was not found; install it, or add its folder to PATH")]
    NotFound {
        /// The program.
        program: String,
    },
    /// It was found and could not be run or read.
    #[error("the program {program:?} could not be run: {reason}")]
    NotRun {
        /// The program.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// It ended and said that it failed.
    #[error("the program {program:?} failed with {status}: {message}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended, such as `exit status: 1`.
        status: String,
        /// The last line of its standard error, made safe to print.
        message: String,
    },
    /// It did not end, and was ended.
    #[error("the program {program:?} did not end within {seconds} s")]
    TooSlow {
        /// The program.
        program: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It printed nothing, more than [`MAX_OUTPUT`], or something beside the token. None of it is repeated.
    #[error(
        "the program {program:?} printed something else than expected: an id token alone, without white space in it, in at \
         most {MAX_OUTPUT} bytes"
    )]
    Output {
        /// The program.
        program: String,
    },
}
