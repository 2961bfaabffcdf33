//! `countersign simulate`: a command as if inside a provider's job.

mod environment;

use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::process::{Command, ExitCode};

use clap::Args;
use countersign_client::{Client, Settings};
use countersign_core::{Audience, Provider};
use countersign_simulator::{Overrides, Simulator, system_clock};
use tokio::runtime;

use crate::child;
use crate::command::simulate::environment::{exported, is_of_a_job};
use crate::failure::Failure;
use crate::process::Process;

const HELP: &str = "\
Examples:
  countersign simulate github -- countersign whoami
  countersign simulate github --claim repository=acme/other --claim ref=refs/tags/v1 -- ./publish.sh
  countersign simulate gitlab --audience https://trust.example.com -- ./publish.sh
  countersign simulate github --port 9000 --serve

Nothing leaves this machine: the issuer is on 127.0.0.1, with keys that live as long as this command, so a server takes
its id tokens only if it is told to. To rehearse a publisher, give the port and add the issuer to the server's
configuration:
  [[issuers]]
  url = \"http://127.0.0.1:9000/github\"
  preset = \"github\"

The usual run is one of acme/train on the branch main; --claim says what is different, and what follows from it changes
along. The command sees the variables of that job and those of this shell that belong to no CI provider.

With --serve the variables are printed for another shell to source, until standard input closes or Ctrl-C.

Exit code: the command's own, or 128 and the number of the signal that ended it; 127 if there is no such command, 126
if it cannot be run.";

/// `countersign simulate`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The provider, such as github or gitlab
    provider: Provider,
    /// A claim that differs from the usual run's: NAME=TEXT, or NAME:=JSON for what is no text
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
    /// What the id token is for, where the provider's jobs declare that [default: the one in `HF_ENDPOINT`, else the Hub]
    #[arg(long)]
    audience: Option<Audience>,
    /// The port of 127.0.0.1 to listen on [default: a free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Prints the variables of the job and keeps its provider up
    #[arg(long, conflicts_with = "command")]
    serve: bool,
    /// The command and its arguments
    #[arg(last = true, required_unless_present = "serve", value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Starts the provider and a job there, and runs the command in it.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let settings = Settings { audience: arguments.audience, ..Settings::default() };
    let client = Client::new(process.surroundings, settings)?;
    let overrides = Overrides::parse(arguments.claims.iter().map(String::as_str))?;
    // Here and nowhere else: every other command starts faster without.
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let simulator = runtime.block_on(Simulator::listen(arguments.port, system_clock()))?;
    let Some(provider) = simulator.provider(arguments.provider) else {
        let played = simulator.providers().map(|played| played.preset().preset().name);
        return Err(Failure::NobodyPlays {
            asked: arguments.provider,
            played: played.collect::<Vec<_>>().join(", "),
        });
    };
    let job = provider.job(&overrides, client.audience().as_str());
    let note = format!(
        "a pretended job of {}; its issuer is {}",
        arguments.provider.preset().title,
        provider.issuer()
    );
    let Some((program, rest)) = arguments.command.split_first() else {
        writeln!(process.stdout, "# {note}\n{}", exported(&job))?;
        process.stdout.flush()?;
        wait_until_closed(&mut process.stdin)?;
        return Ok(ExitCode::SUCCESS);
    };
    if !process.quiet {
        writeln!(process.stderr, "countersign: {note}")?;
    }
    let mut command = Command::new(program);
    command.args(rest);
    for name in client.surroundings().variables.names().filter(|name| is_of_a_job(name)) {
        command.env_remove(name);
    }
    Ok(child::run(command.envs(job))?)
}

fn wait_until_closed(input: &mut dyn BufRead) -> io::Result<()> {
    io::copy(input, &mut io::sink()).map(drop)
}
