//! The server under measurement: the released program, on a database of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::cpu;
use crate::pinning::Pinning;
use crate::workload::{AUDIENCE, KEYS, RESOURCE};

const CONFIG: &str = "countersign.toml";
const DATABASE: &str = "countersign.db";

/// A server that has been set up in a folder, running or not.
pub(crate) struct Installation<'a> {
    program: PathBuf,
    folder: &'a Path,
    pinning: &'a Pinning,
}

impl<'a> Installation<'a> {
    /// Writes the configuration, everything by default but the issuer, and has the one publisher trusted that all
    /// exchanges go through.
    pub(crate) fn make(
        program: PathBuf,
        folder: &'a Path,
        pinning: &'a Pinning,
        issuer: &str,
    ) -> anyhow::Result<Self> {
        ensure!(
            program.is_file(),
            "there is no server at {}; build it (cargo build --release --package countersign-server) or name another with \
             --server",
            program.display()
        );
        let config = format!(
            "listen = \"127.0.0.1:0\"\ndatabase = \"sqlite:{DATABASE}\"\nlog_format = \"json\"\n\n[limits]\nexchanges_per_tenant = 0\n\n[[issuers]]\n\
             url = \"{issuer}\"\npreset = \"github\"\naudiences = [\"{AUDIENCE}\"]\njwks_file = \"{KEYS}\"\n"
        );
        fs::write(folder.join(CONFIG), config)?;
        let installation = Self { program, folder, pinning };
        let rules = ["repository=acme/train", "branch=main", "workflow=publish.yml"];
        let mut add =
            installation.command(Command::new(&installation.program), &["publisher", "add", RESOURCE]);
        add.args(["--provider", "github"]).args(rules.iter().flat_map(|rule| ["--set", rule]));
        let added = add.output().context("cannot run the server program")?;
        ensure!(added.status.success(), "publisher add: {}", String::from_utf8_lossy(&added.stderr).trim());
        Ok(installation)
    }

    /// Starts it on the measured core, and waits until it says that it is ready.
    pub(crate) fn start(&self) -> anyhow::Result<Running> {
        let mut serve = self.command(self.pinning.measured(&self.program), &["serve"]);
        let child = serve.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut running = Running { child: child.context("cannot start the server")?, address: None };
        let stderr = running.child.stderr.take().context("the server has a standard error")?;
        running.address = Some(address(stderr)?);
        Ok(running)
    }

    /// Counts the exchanges on record, as the program shows them: all, and those that were issued.
    pub(crate) fn recorded(&self) -> anyhow::Result<(usize, usize)> {
        let limit = u32::MAX.to_string();
        let arguments = ["exchanges", "--json", "--limit", &limit];
        let mut show = self.command(Command::new(&self.program), &arguments);
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

    /// The size of the database once no program has it open, and its log is part of it.
    pub(crate) fn database_bytes(&self) -> anyhow::Result<u64> {
        Ok(fs::metadata(self.folder.join(DATABASE))?.len())
    }

    /// Nothing of the user's own settings reaches the server.
    fn command(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.args(arguments).args(["--config", CONFIG]).current_dir(self.folder);
        command.env_remove("COUNTERSIGN_LOG").env_remove("COUNTERSIGN_ENCRYPTION_KEY");
        command
    }
}

/// A running server, until dropped.
pub(crate) struct Running {
    child: Child,
    address: Option<SocketAddr>,
}

impl Running {
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        self.address.context("the server is ready")
    }

    /// The processor time of all its threads.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        cpu::seconds_of(self.child.id())
    }
}

impl Drop for Running {
    /// Kills it: what was answered must be in the ledger all the same (invariant 1), and is counted afterwards.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
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
