//! `countersign-server`: trusted publishers in front of a registry.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use countersign_server::clock::{SystemClock, SystemRandomness};
use countersign_server::config::{Config, Environment, LogFormat};
use countersign_server::idleness::Idleness;
use countersign_server::serve::{GRACE, Server, Surroundings};
use countersign_server::traces::Traces;
use secrecy::SecretString;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

mod command;
mod lines;

use lines::{JsonLines, Lines};

/// An exchange allocates a few hundred small things on several threads: the system's allocator took a sixth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exchanges the id tokens of CI jobs for short-lived access tokens.
#[derive(Debug, Parser)]
#[command(name = "countersign-server", version, about, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server until it is told to stop (SIGTERM, Ctrl-C).
    Serve(Common),
    /// Manages the trusted publishers in the local database.
    #[command(subcommand)]
    Publisher(command::publisher::Command),
    /// Manages the tokens by which people and registries prove who they are.
    #[command(subcommand)]
    AdminToken(command::admin_token::Command),
    /// Manages the keys that access tokens are signed with.
    #[command(subcommand)]
    Keys(command::keys::Command),
    /// Verifies, exports and prunes the audit log in the local database.
    #[command(subcommand)]
    Audit(command::audit::Command),
    /// Makes the tables of the database, or brings them up to date.
    Migrate(command::migrate::Arguments),
    /// Copies everything from a file of SQLite into an empty PostgreSQL database, to go on there with several nodes.
    Copy(command::copy::Arguments),
    /// Shows what is known of each CI provider: fields, ids, refused events.
    Presets(command::presets::Arguments),
    /// Shows the latest exchanges in the local database, refused ones with their whole explanation.
    Exchanges(command::exchanges::Arguments),
}

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
struct Common {
    /// The configuration file; without it `countersign.toml` if there is one, else the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  countersign-server serve
  countersign-server publisher add acme/awesome-model --provider github \\
      --set repository=acme/train --set branch=main --set workflow=publish.yml
  countersign-server publisher list
  countersign-server exchanges --limit 5";

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            command::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let idleness = Idleness::default();
    let runtime = runtime(&idleness)?;
    match arguments.command {
        Command::Serve(common) => runtime.block_on(serve(&common, idleness)),
        Command::Publisher(command) => runtime.block_on(command.run()),
        Command::AdminToken(command) => runtime.block_on(command.run()),
        Command::Keys(command) => runtime.block_on(command.run()),
        Command::Audit(command) => runtime.block_on(command.run()),
        Command::Migrate(arguments) => runtime.block_on(arguments.run()),
        Command::Copy(arguments) => runtime.block_on(arguments.run()),
        Command::Presets(arguments) => {
            arguments.run();
            Ok(())
        }
        Command::Exchanges(arguments) => runtime.block_on(arguments.run()),
    }
}

/// The threads that serve requests. When one has nothing to do, it says so, and writes the lines of the log that it has kept.
fn runtime(idleness: &Idleness) -> std::io::Result<Runtime> {
    let (resting, going_on) = (idleness.clone(), idleness.clone());
    Builder::new_multi_thread()
        .enable_all()
        .on_thread_park(move || {
            // Before the log is written: whoever waits for this goes on meanwhile, also where whoever reads the log is slow.
            resting.rest();
            lines::write_kept();
        })
        .on_thread_unpark(move || going_on.go_on())
        .on_thread_stop(lines::write_kept)
        .build()
}

impl Common {
    fn load(&self) -> anyhow::Result<Config> {
        self.load_with(None)
    }

    /// The same with another database.
    fn load_with(&self, database: Option<SecretString>) -> anyhow::Result<Config> {
        const DEFAULT: &str = "countersign.toml";
        // A link that leads nowhere is a file that cannot be read, not a file that is not there.
        let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
        let path = self.config.clone().or_else(|| Some(PathBuf::from(DEFAULT)).filter(is_there));
        let database_url = database.or_else(|| variable("COUNTERSIGN_DATABASE_URL").map(Into::into));
        let given = Environment { database_url };
        Ok(match path {
            Some(path) => Config::load(&path, &given),
            None => Config::without_file(&given),
        }?)
    }
}

async fn serve(common: &Common, idleness: Idleness) -> anyhow::Result<()> {
    let config = common.load()?;
    let traces = config.tracing.as_ref().map(Traces::to).transpose()?;
    log_to_stderr(config.log_format, traces.as_ref())?;
    allow_descriptors();
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        encryption_key: encryption_key(&config)?,
        idleness: Some(idleness),
    };
    let server = Server::prepare(config, surroundings).await?;
    tracing::info!(public_url = %server.public_url(), address = %server.address()?, "countersign-server is ready");
    if let Some(address) = server.metrics_address() {
        tracing::info!(metrics = %address?, "metrics are served");
    }
    end_in_time()?;
    let stop = server.stopper();
    tokio::spawn(async move {
        asked_to_stop().await;
        tracing::info!("stopping: answering what was accepted");
        stop();
    });
    let outcome = server.run().await;
    if let Some(traces) = traces {
        // Waits for the collector, so away from the threads that speak with it.
        tokio::task::spawn_blocking(move || traces.shut_down()).await?;
    }
    outcome
}

/// Ends the process when it was asked to stop and its grace is over, whatever keeps it. A log that nobody reads does: it blocks
/// each thread that writes to it, and in the end those are all. So this is a thread of its own, and logs nothing.
fn end_in_time() -> anyhow::Result<()> {
    /// Beyond the grace of requests: for the last traces, and for the store.
    const MORE: Duration = Duration::from_secs(10);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let wait = move || {
        runtime.block_on(async {
            asked_to_stop().await;
            tokio::time::sleep(GRACE + MORE).await;
        });
        std::process::exit(1);
    };
    std::thread::Builder::new().name("end".to_owned()).spawn(wait)?;
    Ok(())
}

/// Raises the number of files that the process may have open to what it may raise it to: each connection is one, and the
/// usual 1,024 are there for programs that use `select`.
fn allow_descriptors() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
    }
}

async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    drop(tokio::signal::ctrl_c().await);
}

fn log_to_stderr(format: LogFormat, traces: Option<&Traces>) -> anyhow::Result<()> {
    let filter = variable("COUNTERSIGN_LOG").unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::try_new(&filter)
        .with_context(|| format!("COUNTERSIGN_LOG: expected a level or filter such as info or countersign_server=debug, found {filter:?}"))?;
    // Where the log cannot be written, that cannot be said either: the attempt would panic, and take along what was logged.
    let lines =
        tracing_subscriber::fmt::layer().with_writer(|| Lines).with_ansi(false).log_internal_errors(false);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).map_event_format(JsonLines).boxed(),
    };
    // A filter over all costs next to nothing where it says no; one for each layer is asked each time.
    let registry = tracing_subscriber::registry();
    match traces {
        None => registry.with(lines).with(filter).init(),
        Some(traces) => registry.with(lines.with_filter(filter)).with(traces.layer()).init(),
    }
    Ok(())
}

/// The key for signing keys, if the environment or a command has it.
fn encryption_key(config: &Config) -> anyhow::Result<Option<SecretString>> {
    if let Some(key) = variable("COUNTERSIGN_ENCRYPTION_KEY") {
        return Ok(Some(key.into()));
    }
    let Some((program, arguments)) = config.encryption_key_command.as_deref().and_then(<[_]>::split_first)
    else {
        return Ok(None);
    };
    tracing::info!(program, "asking encryption_key_command for the encryption key");
    let output = std::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("encryption_key_command: cannot run {program}"))?;
    anyhow::ensure!(
        output.status.success(),
        "encryption_key_command: expected {program} to succeed and to print the key, it ended with {}",
        output.status
    );
    let printed = String::from_utf8(output.stdout).map_err(|_| {
        anyhow::anyhow!("encryption_key_command: expected {program} to print 64 hexadecimal digits")
    })?;
    Ok(Some(SecretString::from(printed)))
}

#[expect(clippy::disallowed_methods, reason = "the edge: the environment is read here and nowhere else")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;

    #[test]
    fn a_thread_that_serves_says_when_it_has_nothing_to_do_and_when_it_has() {
        let idleness = Idleness::default();
        let runtime = runtime(&idleness).unwrap();
        assert!(idleness.wait(Duration::from_mins(1)), "no thread has anything to do");
        let threads = runtime.metrics().num_workers();
        let (begun, done) = (Arc::new(Barrier::new(threads + 1)), Arc::new(Barrier::new(threads + 1)));
        for _ in 0..threads {
            let (begun, done) = (Arc::clone(&begun), Arc::clone(&done));
            runtime.spawn(async move {
                begun.wait();
                done.wait();
            });
        }
        begun.wait();
        let does_one_rest = idleness.wait(Duration::from_millis(20));
        done.wait();
        assert!(!does_one_rest, "each of them has");
    }
}
