//! A server in a folder of its own, or several over one database, and what their operator does to them meanwhile.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::Issuers;
use super::log::{Findings, Log};
use crate::lifeline::Program;

/// What id tokens are minted for, and whose access tokens these are.
pub(crate) const AUDIENCE: &str = "https://trial.example.com";
/// Trusts the steady GitHub, the GitLab and the late GitHub, all the time.
pub(crate) const STABLE: &str = "acme/stable";
/// Has a publisher that comes and goes.
pub(crate) const CHANGING: &str = "acme/changing";

const CONFIG: &str = "countersign.toml";
/// How long a server may take to stop: its own grace, and a little more.
const GRACE: Duration = Duration::from_secs(40);

/// A server that has been set up in a folder.
#[derive(Clone)]
pub(crate) struct Installation {
    program: PathBuf,
    folder: PathBuf,
    github: String,
}

/// What becomes of the publisher that comes and goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Disable,
    Enable,
    Remove,
    Add,
}

impl Installation {
    /// Writes the configuration, `settings` besides (keys before tables), and has those trusted that requests come from.
    pub(crate) fn make(
        program: PathBuf,
        folder: &Path,
        issuers: &Issuers,
        settings: &str,
    ) -> anyhow::Result<Self> {
        ensure!(
            program.is_file(),
            "there is no server at {}; build it (cargo build --package countersign-server) or name another with --server",
            program.display()
        );
        let (github, gitlab) = (issuers.steady.github().issuer(), issuers.steady.gitlab().issuer());
        let late = issuers.late.github().issuer();
        let config = format!(
            "public_url = \"{AUDIENCE}\"\nlisten = \"127.0.0.1:0\"\nlog_format = \"json\"\n{settings}\n\
             [metrics]\nlisten = \"127.0.0.1:0\"\n[limits]\nexchanges_per_tenant = 0\n\
             [[issuers]]\nurl = \"{github}\"\npreset = \"github\"\n\
             [[issuers]]\nurl = \"{gitlab}\"\npreset = \"gitlab\"\nproxy = \"{}\"\n\
             [[issuers]]\nurl = \"{late}\"\npreset = \"github\"\nproxy = \"{}\"\n",
            issuers.to_gitlab.url(),
            issuers.to_late.url()
        );
        fs::write(folder.join(CONFIG), config)?;
        let installation = Self { program, folder: folder.to_owned(), github: github.to_string() };
        installation.trust(STABLE, "github", &installation.github, "repository=acme/train")?;
        installation.trust(STABLE, "github", late.as_str(), "repository=acme/train")?;
        installation.trust(STABLE, "gitlab", gitlab.as_str(), "project=acme/train")?;
        installation.trust(CHANGING, "github", &installation.github, "repository=acme/train")?;
        Ok(installation)
    }

    pub(crate) fn start(&self) -> anyhow::Result<Running> {
        self.start_with(&[])
    }

    /// Starts a server with these variables in its environment.
    pub(crate) fn start_with(&self, variables: &[(&str, String)]) -> anyhow::Result<Running> {
        let mut serve = self.command(&["serve"]);
        serve.env("COUNTERSIGN_LOG", "debug").envs(variables.iter().map(|(name, value)| (name, value)));
        let program = Program::start(serve.stdin(Stdio::null()).stderr(Stdio::piped()));
        let mut program = program.context("cannot start the server")?;
        let stderr = program.child().stderr.take().context("the server has a standard error")?;
        let mut running = Running { program, log: Some(Log::read(stderr)), address: None, metrics: None };
        let log = running.log.as_ref().context("the log is read")?;
        let address = |of| log.address(of).with_context(|| format!("the server does not say its {of}"));
        (running.address, running.metrics) =
            (Some(address("address")?.parse()?), Some(address("metrics")?.parse()?));
        Ok(running)
    }

    /// Changes the publisher that comes and goes; whether it lets runs in afterwards.
    pub(crate) fn change_publisher(&self, change: Change) -> anyhow::Result<bool> {
        match change {
            Change::Disable => self.with_changing("disable")?,
            Change::Enable => self.with_changing("enable")?,
            Change::Remove => self.with_changing("remove")?,
            Change::Add => self.trust(CHANGING, "github", &self.github, "repository=acme/train")?,
        }
        Ok(matches!(change, Change::Enable | Change::Add))
    }

    /// Has the server sign with a new key.
    pub(crate) fn rotate_key(&self) -> anyhow::Result<()> {
        self.output(&["keys", "rotate", "--now"]).map(drop)
    }

    /// The ids of all exchanges on record that issued a token.
    pub(crate) fn issued(&self) -> anyhow::Result<HashSet<String>> {
        let limit = u32::MAX.to_string();
        let mut show = self.command(&["exchanges", "--json", "--limit", &limit]);
        let mut child = show.stdout(Stdio::piped()).spawn()?;
        let (mut issued, mut id) = (HashSet::new(), String::new());
        for line in BufReader::new(child.stdout.take().context("the program has a standard output")?).lines()
        {
            // One member a line: there may be too many exchanges to have them in memory as a whole.
            let line = line?;
            if let Some(value) = line.strip_prefix("    \"id\": \"") {
                value.trim_end_matches([',', '"']).clone_into(&mut id);
            } else if line.starts_with("    \"outcome\": \"issued\"") {
                issued.insert(id.clone());
            }
        }
        ensure!(child.wait()?.success(), "the ledger cannot be shown");
        Ok(issued)
    }

    /// Whether the audit log's chain is whole.
    pub(crate) fn verify_audit_log(&self) -> anyhow::Result<()> {
        self.output(&["audit", "verify"]).map(drop)
    }

    /// Has one issuer's runs trusted for a resource, by a rule.
    pub(crate) fn trust(
        &self,
        resource: &str,
        provider: &str,
        issuer: &str,
        rule: &str,
    ) -> anyhow::Result<()> {
        let who = ["--provider", provider, "--issuer", issuer, "--set", rule];
        self.output(&[&["publisher", "add", resource], &who[..]].concat()).map(drop)
    }

    fn with_changing(&self, command: &str) -> anyhow::Result<()> {
        let listed: serde_json::Value =
            serde_json::from_str(&self.output(&["publisher", "list", CHANGING, "--json"])?)?;
        let id = listed[0]["id"].as_str().context("the publisher is there")?;
        self.output(&["publisher", command, id]).map(drop)
    }

    fn output(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments).output().context("cannot run the server program")?;
        ensure!(
            output.status.success(),
            "{}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Nothing of the user's own settings reaches the server.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--config", CONFIG]).current_dir(&self.folder);
        command.env_remove("COUNTERSIGN_LOG").env_remove("COUNTERSIGN_ENCRYPTION_KEY");
        command
    }
}

/// A running server, which is killed when it is dropped.
pub(crate) struct Running {
    program: Program,
    log: Option<Log>,
    address: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
}

impl Running {
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        self.address.context("the server is ready")
    }

    pub(crate) fn metrics(&self) -> anyhow::Result<SocketAddr> {
        self.metrics.context("the server is ready")
    }

    pub(crate) fn process(&self) -> u32 {
        self.program.id()
    }

    /// What a crash or the power does: nothing is said to the program. Its log is read all the same.
    pub(crate) fn kill(mut self) -> anyhow::Result<Findings> {
        self.program.kill()?;
        Ok(self.log.take().context("the log is read")?.findings())
    }

    /// Stops it as its operator would, and reads the rest of its log.
    pub(crate) fn stop(mut self) -> anyhow::Result<Findings> {
        self.program.ask_to_end().context("the server cannot be stopped")?;
        let mut waited = Duration::ZERO;
        let status = loop {
            match self.program.child().try_wait()? {
                Some(status) => break status,
                None if waited >= GRACE => bail!("the server has not stopped within {} s", GRACE.as_secs()),
                None => std::thread::sleep(Duration::from_millis(50)),
            }
            waited += Duration::from_millis(50);
        };
        ensure!(status.success(), "the server ended with {status}");
        Ok(self.log.take().context("the log is read")?.findings())
    }
}
