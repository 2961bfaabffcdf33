//! `countersign`: a CI job's identity in, a registry's short-lived access token out.
//!
//! Only `main` touches the process: it reads the environment and the arguments once, and hands the streams on.

mod administration;
mod arguments;
mod child;
mod command;
mod failure;
mod job;
mod masking;
mod origin;
mod paint;
mod printable;
mod process;
mod progress;
mod publisher_file;
mod token_cache;
mod token_file;
mod variable_name;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, BufReader, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use countersign_client::{Variables, system};

use crate::arguments::Arguments;
use crate::failure::report;
use crate::paint::Paint;
use crate::process::Process;
use crate::progress::Progress;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help asked for, or a usage error: clap knows the stream and the code. A closed stream has no reader.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::OTHER));
        }
    };
    let variables = environment();
    let paint = Paint::on(io::stderr().is_terminal(), &variables);
    let progress = Progress::on(io::stderr().is_terminal(), arguments.quiet, &variables);
    let process = Process {
        paint: Paint::on(io::stdout().is_terminal(), &variables),
        quiet: arguments.quiet,
        surroundings: progress.around(system::surroundings(variables)),
        progress,
        stdin: Box::new(BufReader::new(io::stdin())),
        stdout: Box::new(io::stdout()),
        stderr: Box::new(io::stderr()),
        random,
    };
    command::run(arguments, process).unwrap_or_else(|failure| {
        let _ = io::stderr().write_all(report(&failure, paint).as_bytes());
        ExitCode::from(failure.code())
    })
}

/// The environment; a variable that is not UTF-8 is none that this program reads.
#[expect(clippy::disallowed_methods, reason = "the edge: the environment is read here, once")]
fn environment() -> Variables {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The standard library keys its hash maps from the system's randomness, each anew: one `SipHash` of nothing is 64 bits of
/// it, without another library.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
