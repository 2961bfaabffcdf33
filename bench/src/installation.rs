//! The server under measurement: the released program, on a database of its own.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::lifeline::{Order, Program};
use crate::stage::Stage;
use crate::workload::{AUDIENCE, KEYS, RULES};

const CONFIG: &str = "countersign.toml";

/// A server that has been set up in a folder, running or not.
pub(crate) struct Installation<'a> {
    stage: &'a Stage,
    folder: PathBuf,
}

impl<'a> Installation<'a> {
    /// Writes the configuration: everything by default but what a measurement cannot do without, which is the issuer, no limit
    /// for the one tenant that all jobs belong to, and patience with connections that a steady rate does not need at first.
    pub(crate) fn make(stage: &'a Stage, folder: &Path, database: &str) -> anyhow::Result<Self> {
        ensure!(
            stage.server.is_file(),
            "there is no server at {}; build it (cargo build --release --package countersign-server) or name another with \
             --server",
            stage.server.display()
        );
        let migrate = if database.starts_with("postgres:") { "[postgres]\nmigrate = true\n" } else { "" };
        let config = format!(
            "public_url = \"{AUDIENCE}\"\nlisten = \"127.0.0.1:0\"\ndatabase = \"{database}\"\nlog_format = \"json\"\n{migrate}\
             [limits]\nexchanges_per_tenant = 0\npatience = \"5m\"\n\
             [[issuers]]\nurl = \"{}\"\npreset = \"github\"\nalgorithms = [\"{}\"]\njwks_file = \"{}\"\n",
            stage.issuer.url(),
            stage.issuer.algorithm(),
            stage.folder.path().join(KEYS).display(),
        );
        fs::write(folder.join(CONFIG), config)?;
        Ok(Self { stage, folder: folder.to_owned() })
    }

    /// Has a publisher trusted that fits the workload's jobs and learns their ids from the first.
    pub(crate) fn trust(&self, resource: &str) -> anyhow::Result<()> {
        let rules = RULES.map(|(field, value)| format!("{field}={value}"));
        let mut arguments = vec!["publisher", "add", resource, "--provider", "github"];
        arguments.extend(rules.iter().flat_map(|rule| ["--set", rule]));
        self.output(&arguments).map(drop)
    }

    /// Starts it on the measured core, and waits until it says that it is ready.
    pub(crate) fn start(&self) -> anyhow::Result<Running> {
        let mut serve = self.command(self.stage.pinning.measured(&self.stage.server), &["serve"]);
        let program =
            Program::start_with(serve.stdin(Stdio::null()).stderr(Stdio::piped()), self.stage.ending);
        let mut running = Running { program: program.context("cannot start the server")?, address: None };
        let stderr = running.program.child().stderr.take().context("the server has a standard error")?;
        running.address = Some(address(stderr)?);
        Ok(running)
    }

    /// Counts the exchanges on record, as the program shows them: all, and those that were issued.
    pub(crate) fn recorded(&self) -> anyhow::Result<(usize, usize)> {
        let limit = u32::MAX.to_string();
        let arguments = ["exchanges", "--json", "--limit", &limit];
        let mut show = self.command(Command::new(&self.stage.server), &arguments);
        let mut child = show.stdout(Stdio::piped()).spawn()?;
        let (mut all, mut issued) = (0, 0);
        for line in BufReader::new(child.stdout.take().context("the program has a standard output")?).lines()
        {
            // One member a line: there are too many exchanges to have them in memory as a whole. Those inside of `detail`
            // are further in.
            let line = line?;
            if let Some(outcome) = line.strip_prefix("    \"outcome\": ") {
                all += 1;
                issued += usize::from(outcome.starts_with("\"issued\""));
            }
        }
        ensure!(child.wait()?.success(), "the ledger cannot be shown");
        Ok((all, issued))
    }

    /// Makes sure that so many tokens are on record, as many as were answered.
    pub(crate) fn ensure_issued(&self, answered: usize) -> anyhow::Result<()> {
        let (_, issued) = self.recorded()?;
        ensure!(issued == answered, "{answered} tokens were answered, but {issued} are on record");
        Ok(())
    }

    /// In how many transactions everything on record was recorded. Verifies the whole audit log on the way.
    pub(crate) fn batches(&self) -> anyhow::Result<u64> {
        let printed = self.output(&["audit", "verify"])?;
        let number = printed.lines().find_map(|line| {
            let (_, batches) = line.strip_prefix("in order: ")?.split_once(" rows in ")?;
            batches.strip_suffix(" batches")?.parse().ok()
        });
        number.with_context(|| format!("expected the number of batches, found {printed:?}"))
    }

    /// What a command of the program prints.
    pub(crate) fn output(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(Command::new(&self.stage.server), arguments).output();
        let output = output.context("cannot run the server program")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {}", arguments.join(" "), complaint.trim());
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Nothing of the user's own settings reaches the server.
    fn command(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments).args(["--config", CONFIG]).current_dir(&self.folder);
        for variable in ["COUNTERSIGN_LOG", "COUNTERSIGN_ENCRYPTION_KEY", "COUNTERSIGN_DATABASE_URL"] {
            command.env_remove(variable);
        }
        command
    }
}

/// A running server, until dropped.
pub(crate) struct Running {
    program: Program,
    address: Option<SocketAddr>,
}

impl Running {
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        self.address.context("the server is ready")
    }

    /// Stops it where it is, or has it go on.
    pub(crate) fn order(&self, order: Order) -> io::Result<()> {
        self.program.order(order)
    }

    pub(crate) fn process(&self) -> u32 {
        self.program.id()
    }

    /// Kills it: what was answered must be in the ledger all the same (invariant 1), and is counted afterwards.
    pub(crate) fn kill(&mut self) {
        drop(self.program.kill());
    }
}

/// Reads the log up to the line that says where the server listens; the rest is passed on, so that nothing is missed.
fn address(stderr: ChildStderr) -> anyhow::Result<SocketAddr> {
    let mut log = BufReader::new(stderr);
    let mut seen = String::new();
    let mut start = 0;
    while log.read_line(&mut seen)? > 0 {
        let line: Value = serde_json::from_str(&seen[start..]).unwrap_or_default();
        if let Some(address) = line["address"].as_str() {
            let address = address.parse()?;
            std::thread::spawn(move || pass_on(log));
            return Ok(address);
        }
        start = seen.len();
    }
    bail!("the server does not start: {}", seen.trim())
}

/// What the server warns of goes to the user; a line for each request is no news.
#[expect(clippy::print_stderr, reason = "what the server says to whoever runs it")]
fn pass_on(log: impl BufRead) {
    for line in log.lines().map_while(Result::ok).filter(|line| !line.contains("\"level\":\"INFO\"")) {
        eprintln!("{line}");
    }
}
