//! A PostgreSQL server of one's own, for tests and measurements: on a socket in a folder of its own, and gone with the
//! program that started it, however that ends.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, bail, ensure};

/// The process that has the server, written where it is short.
const KEEPER: &str = include_str!("keeper.sh");
/// Runs that process, and then removes the folder, which who has the server may not be allowed to: it is in somebody else's.
const REMOVE: &str = r#"folder=$1; shift; "$@"; rm -rf "$folder""#;
/// Where Debian keeps PostgreSQL's programs, out of the path, in a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// What a server is to be like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setup<'a> {
    /// Settings besides PostgreSQL's own, as options of its command line; `FOLDER` stands for the server's folder.
    pub settings: &'a str,
    /// Options of `initdb`, which makes its data folder: where its log goes, how large a piece of that is.
    pub options: &'a [&'a str],
    /// Files to put into its folder, with what they say.
    pub files: &'a [(&'a str, &'a str)],
    /// Where its folder is made; in the system's temporary folder by default.
    pub place: Option<&'a Path>,
    /// The server that it is to follow as a standby, under the name `standby`.
    pub follows: Option<&'a Cluster>,
    /// A command, with its first arguments, that runs it: one that chooses its cores, say.
    pub under: &'a [&'a str],
}

/// A running server, until dropped. Its superuser is `postgres`, whom it trusts.
#[derive(Debug)]
pub struct Cluster {
    keeper: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    programs: PathBuf,
    folder: PathBuf,
}

impl Cluster {
    /// Starts one with these settings.
    pub fn start(settings: &str) -> anyhow::Result<Self> {
        Self::start_with(Setup { settings, ..Setup::default() })
    }

    /// Starts one, and waits until it accepts connections.
    pub fn start_with(setup: Setup<'_>) -> anyhow::Result<Self> {
        let place = setup.place.map_or_else(std::env::temp_dir, Path::to_owned);
        let folder = tempfile::Builder::new().prefix("pg").tempdir_in(place)?.keep();
        let mut command = keeper(&folder, &setup)?;
        let settings = setup.settings.replace("FOLDER", &folder.display().to_string());
        let follows = |primary: &Self| {
            format!("host={} user=postgres application_name=standby", primary.folder.display())
        };
        let programs = programs()?;
        command.args(["-c", KEEPER, "keeper"]).arg(&programs).arg(&folder);
        command.arg(setup.follows.map_or_else(String::new, follows));
        command.arg(format!("-c listen_addresses= -k {} {settings}", folder.display()));
        command.args(setup.options);
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        // A Ctrl-C is for the program that asks: when that has ended, the keeper stops the server.
        command.process_group(0);
        let mut keeper = command.spawn().context("cannot start a shell")?;
        let answers = BufReader::new(keeper.stdout.take().context("the keeper has a standard output")?);
        let mut cluster = Self { orders: keeper.stdin.take(), keeper, answers, programs, folder };
        cluster.answer()?;
        Ok(cluster)
    }

    /// Stops the server as `pg_ctl stop -m MODE` does (`fast`, `immediate`), has it `start` again, sends its first process a
    /// signal that it cannot catch (`kill`), stops and continues all of them (`freeze`, `thaw`), or makes a standby the
    /// primary (`promote`). Returns when that is done.
    pub fn tell(&mut self, word: &str) -> anyhow::Result<()> {
        let orders = self.orders.as_mut().context("the keeper has a standard input")?;
        writeln!(orders, "{word}")?;
        self.answer()
    }

    /// Runs a statement as the superuser; what `psql` prints, errors included.
    pub fn sql(&self, statement: &str) -> anyhow::Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--username",
            "postgres",
            "--host",
        ]);
        let output =
            psql.arg(&self.folder).args(["--port", &self.note(3)?, "--command", statement]).output()?;
        let (answer, complaint) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        Ok(format!("{answer}{complaint}").trim().to_owned())
    }

    /// What it has logged.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.folder.join("log"))?)
    }

    /// The server's first process, which all others are children of.
    pub fn process(&self) -> anyhow::Result<u32> {
        self.note(0)?.parse().context("postmaster.pid begins with a process id")
    }

    /// The address of a database, for the driver.
    pub fn address(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.socket())
    }

    /// The folder of its socket, as an address names it.
    pub fn socket(&self) -> String {
        self.folder.display().to_string().replace('/', "%2F")
    }

    /// A line of what the running server has noted of itself.
    fn note(&self, line: usize) -> anyhow::Result<String> {
        let notes = fs::read_to_string(self.folder.join("data/postmaster.pid"))?;
        Ok(notes.lines().nth(line).context("postmaster.pid is too short")?.to_owned())
    }

    fn answer(&mut self) -> anyhow::Result<()> {
        let mut said = String::new();
        while !said.ends_with("done\n") {
            ensure!(self.answers.read_line(&mut said)? > 0, "PostgreSQL: {said}");
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.orders.take());
        drop(self.keeper.wait());
    }
}

/// A shell with the rights that the server is to have, to which the folder and the files in it belong.
fn keeper(folder: &Path, setup: &Setup<'_>) -> anyhow::Result<Command> {
    let paths: Vec<PathBuf> = setup.files.iter().map(|(name, _)| folder.join(name)).collect();
    for (path, (_, text)) in paths.iter().zip(setup.files) {
        fs::write(path, text)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    let mut words: Vec<String> = setup.under.iter().map(|word| (*word).to_owned()).collect();
    if fs::metadata(folder)?.uid() != 0 {
        return Ok(shell(folder, words));
    }
    // PostgreSQL refuses to run as root.
    let (user, group) = (id("-u")?, id("-g")?);
    for path in paths.iter().map(PathBuf::as_path).chain([folder]) {
        chown(path, Some(user), Some(group))?;
    }
    words.extend(["setpriv".to_owned(), format!("--reuid={user}"), format!("--regid={group}")]);
    words.push("--clear-groups".to_owned());
    Ok(shell(folder, words))
}

/// A shell, run by the words before it, and a folder that goes after it.
fn shell(folder: &Path, words: Vec<String>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", REMOVE, "remove"]).arg(folder).args(words).arg("sh");
    command
}

/// The number of the user without rights, or of its group.
fn id(option: &str) -> anyhow::Result<u32> {
    let printed = Command::new("id").args([option, "nobody"]).output()?.stdout;
    Ok(String::from_utf8(printed)?.trim().parse()?)
}

/// Where PostgreSQL's programs are.
fn programs() -> anyhow::Result<PathBuf> {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut folders = versions.map(|version| version.path().join("bin"));
    if let Some(found) = folders.find(|folder| folder.join("initdb").exists()) {
        return Ok(found);
    }
    let printed = Command::new("pg_config").arg("--bindir").output();
    match printed.ok().and_then(|output| String::from_utf8(output.stdout).ok()) {
        Some(folder) if !folder.trim().is_empty() => Ok(folder.trim().into()),
        _ => bail!("PostgreSQL is not installed; `cargo xtask test` installs what the tests need"),
    }
}
