//! `cargo xtask`: the project's own commands. Standard library only, so that it builds in a second.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]

mod bench;
mod chaos;
mod ci;
mod demo;
mod dist;
mod release;
mod soak;
mod step;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use step::{Failure, Result};
use workspace::Workspace;

const HELP: &str = "\
The project's own commands.

    cargo xtask demo                a CI job gets an access token without any secret, step by step
    cargo xtask test [ARGS]         all tests; ARGS go to `cargo test`
    cargo xtask ci                  all that must hold before a change is merged
    cargo xtask bench [ARGS]        what an exchange costs, beside what its cryptography costs; also publishers, mix, endurance, registry, compare;
                                    with --plain, of the server as `cargo build --release` makes it
    cargo xtask soak [--seconds N]  the server under load as everything around it changes, for ten minutes
    cargo xtask chaos [ARGS]        nodes, databases, disks, clocks and issuers fail under load, for about five minutes
    cargo xtask dist [--figures]    the command line tool as one static file, and what it costs
    cargo xtask dist server         the server, compiled for what it does most

What they need beyond the Rust toolchain, they fetch into target/tools.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result {
    let (command, rest) = arguments.split_first().map_or(("help", arguments), |(first, rest)| (first, rest));
    if !rest.is_empty() && matches!(command, "demo" | "ci") {
        return Err(Failure::new(format!("`{command}` takes no arguments; found {rest:?}")));
    }
    let workspace = Workspace::find()?;
    match command {
        "demo" => demo::run(&workspace),
        "test" => test::run(&workspace, rest),
        "ci" => ci::run(&workspace),
        "bench" => bench::run(&workspace, rest),
        "soak" => soak::run(&workspace, rest),
        "chaos" => chaos::run(&workspace, rest),
        "dist" => dist::run(&workspace, rest),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        unknown => {
            let expected = "expected demo, test, ci, bench, soak, chaos or dist";
            Err(Failure::new(format!("{expected}; found {unknown:?}\n\n{HELP}")))
        }
    }
}
