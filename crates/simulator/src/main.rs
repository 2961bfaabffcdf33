//! `countersign-simulator`: pretend CI providers for scripts and people.

use std::io::{self, Write};

use anyhow::Context;
use clap::Parser;
use countersign_simulator::{Simulator, system_clock};
use tokio::io::{AsyncBufReadExt, BufReader};

mod command;

use command::{Command, Job};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let command = Command::parse();
    let simulator = Simulator::listen(command.port, system_clock()).await?;
    print(&command.job.start(&simulator)?)?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.context("cannot read standard input")? {
        print(&answer(&line, &simulator))?;
    }
    Ok(())
}

/// Starts one more job. A line that asks for none must not end those that run: it is answered with `ERROR`.
fn answer(line: &str, simulator: &Simulator) -> Vec<(String, String)> {
    match Job::from_line(line).and_then(|job| job.start(simulator)) {
        Ok(variables) => variables,
        Err(error) => vec![("ERROR".to_owned(), format!("{error:#}"))],
    }
}

/// Prints one `NAME=value` a line, then an empty line.
fn print(variables: &[(String, String)]) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    let lines = variables.iter().try_for_each(|(name, value)| {
        // A line break would end the value early, and could make a variable of the rest.
        writeln!(output, "{name}={}", value.replace(['\r', '\n'], " "))
    });
    lines.and_then(|()| writeln!(output)).and_then(|()| output.flush()).context("cannot print")
}
