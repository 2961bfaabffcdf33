//! PostgreSQL for the benchmark: a server of its own, as Debian packages it and with its default settings.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::pinning::Pinning;

/// The tests' keeper, which starts the server, and ends it when this program ends.
const KEEPER: &str = include_str!("../../crates/server/tests/it/postgres/keeper.sh");
/// The one database that is used, which is there from the beginning.
const DATABASE: &str = "postgres";

/// A running server, until dropped. `fsync` and `synchronous_commit` are on, which are the defaults.
pub(crate) struct Cluster {
    keeper: Child,
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Cluster {
    /// Starts one on the database's core, in a new folder in `parent`, which other users must be able to enter.
    pub(crate) fn start(parent: &Path, pinning: &Pinning) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir_in(parent)?.keep();
        // The keeper removes one in a folder that is its user's own.
        let inner = folder.join("server");
        fs::create_dir(&inner)?;
        let (programs, port) = (programs()?, free_port()?);
        let mut command = if folder.metadata()?.uid() == 0 {
            // PostgreSQL refuses to run as root.
            let (user, group) = (id_of_nobody("-u")?, id_of_nobody("-g")?);
            chown(&folder, Some(user), Some(group))?;
            chown(&inner, Some(user), Some(group))?;
            let mut command = pinning.database(Path::new("setpriv"));
            command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups", "sh"]);
            command
        } else {
            pinning.database(Path::new("sh"))
        };
        command.args(["-c", KEEPER, "keeper"]).arg(&programs).arg(&inner);
        command.arg(format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="));
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().context("cannot start PostgreSQL")?;
        let answers = keeper.stdout.take();
        // From here on it is ended if anything fails.
        let cluster = Self { keeper, programs, folder, port };
        wait_for(answers.context("the keeper has a standard output")?)?;
        Ok(cluster)
    }

    /// The address of the database.
    pub(crate) fn address(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{DATABASE}", self.port)
    }

    /// The process that all others are children of.
    pub(crate) fn process(&self) -> anyhow::Result<u32> {
        let file = fs::read_to_string(self.folder.join("server/data/postmaster.pid"))?;
        file.lines().next().and_then(|id| id.parse().ok()).context("postmaster.pid begins with a process id")
    }

    /// The size of the database: tables, indexes, and what they keep free.
    pub(crate) fn database_bytes(&self) -> anyhow::Result<u64> {
        let query = format!("SELECT pg_database_size('{DATABASE}')");
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", &query]).arg(self.address());
        let output = psql.output().context("cannot run psql")?;
        let (answer, complaint) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        ensure!(output.status.success(), "psql: {}", complaint.trim());
        answer.trim().parse().with_context(|| format!("expected a number of {query}, found {answer:?}"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn wait_for(answers: ChildStdout) -> anyhow::Result<()> {
    let (mut answers, mut said) = (BufReader::new(answers), String::new());
    while !said.ends_with("done\n") {
        if answers.read_line(&mut said)? == 0 {
            bail!("PostgreSQL does not start: {}", said.trim());
        }
    }
    Ok(())
}

/// A port that is free now. Somebody else may take it before it is used; then what was to use it says so.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn id_of_nobody(option: &str) -> anyhow::Result<u32> {
    let output = Command::new("id").args([option, "nobody"]).output().context("cannot run id")?;
    String::from_utf8(output.stdout)?.trim().parse().context("expected an id of the user nobody")
}

/// Where PostgreSQL's programs are: Debian keeps them out of the path.
fn programs() -> anyhow::Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders = versions.map(|version| version.path().join("bin"));
    let configured = || {
        let printed = Command::new("pg_config").arg("--bindir").output().ok()?.stdout;
        Some(PathBuf::from(String::from_utf8(printed).ok()?.trim()))
    };
    let found = folders.find(|bin| bin.join("initdb").exists()).or_else(configured);
    found.context("PostgreSQL is not installed; `cargo xtask bench` installs what is measured")
}
