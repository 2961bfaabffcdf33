//! `countersign`: a CI job's identity in, a registry's short-lived access token out.
//!
//! Only `main` touches the process: it reads the environment and the arguments once, and hands the streams on.

mod arguments;
mod command;
mod failure;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use countersign_client::{Variables, system};

use crate::arguments::Arguments;
use crate::failure::report;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help asked for, or a usage error: clap knows the stream and the code. A closed stream has no reader.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::OTHER));
        }
    };
    let surroundings = system::surroundings(environment());
    let (mut stdout, mut stderr) = (io::stdout().lock(), io::stderr().lock());
    match command::run(arguments, surroundings, &mut stdout, &mut stderr) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = stderr.write_all(report(&failure).as_bytes());
            ExitCode::from(failure.code())
        }
    }
}

/// The environment; a variable that is not UTF-8 is none that this program reads.
#[expect(clippy::disallowed_methods, reason = "the edge: the environment is read here, once")]
fn environment() -> Variables {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
