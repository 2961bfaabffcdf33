//! PostgreSQL for the tests: a server of their own, on a socket in a temporary folder, and a database for each test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use countersign_server::config::Config;
use countersign_server::store::{IfMissing, Store, open};
use tokio_postgres::NoTls;

/// Starts, stops and removes a server, as its own lines say.
const KEEPER: &str = include_str!("postgres/keeper.sh");

/// A running server.
pub(crate) struct Cluster {
    keeper: Child,
    answers: BufReader<std::process::ChildStdout>,
    folder: PathBuf,
}

impl Cluster {
    /// Starts one, with settings besides PostgreSQL's own.
    pub(crate) fn start(settings: &str) -> Self {
        Self::start_with(settings, &[])
    }

    /// The same with files in its folder, which the settings call `FOLDER`.
    pub(crate) fn start_with(settings: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("pg").tempdir().unwrap().keep();
        let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.join(name)).collect();
        for (path, (_, text)) in paths.iter().zip(files) {
            std::fs::write(path, text).unwrap();
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        let mut command = if folder.metadata().unwrap().uid() == 0 {
            // PostgreSQL refuses to run as root.
            let id = |option: &str| {
                let printed = Command::new("id").args([option, "nobody"]).output().unwrap().stdout;
                String::from_utf8(printed).unwrap().trim().to_owned()
            };
            let (user, group) = (id("-u"), id("-g"));
            for path in paths.iter().chain([&folder]) {
                chown(path, Some(user.parse().unwrap()), Some(group.parse().unwrap())).unwrap();
            }
            let mut command = Command::new("setpriv");
            command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        let settings = settings.replace("FOLDER", &folder.display().to_string());
        command.args(["-c", KEEPER, "keeper"]).arg(programs()).arg(&folder);
        command.arg(format!("-c listen_addresses= -k {} {settings}", folder.display()));
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().unwrap();
        let answers = BufReader::new(keeper.stdout.take().unwrap());
        let mut cluster = Self { keeper, answers, folder };
        cluster.wait();
        cluster
    }

    /// Stops the server as `pg_ctl stop -m MODE` does, or starts it again.
    pub(crate) fn tell(&mut self, word: &str) {
        writeln!(self.keeper.stdin.as_mut().unwrap(), "{word}").unwrap();
        self.wait();
    }

    fn wait(&mut self) {
        let mut said = String::new();
        while !said.ends_with("done\n") {
            assert!(self.answers.read_line(&mut said).unwrap() > 0, "PostgreSQL: {said}");
        }
    }

    /// The address of a database of its own, which is empty.
    pub(crate) async fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NUMBER.fetch_add(1, Ordering::SeqCst));
        let client = connect(&self.address("postgres")).await;
        // Its order of texts is not that of their bytes: nothing may rest on that.
        let create = format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING UTF8 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'"
        );
        client.batch_execute(&create).await.unwrap();
        self.address(&name)
    }

    fn address(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.socket())
    }

    /// The folder of its socket, as an address names it.
    pub(crate) fn socket(&self) -> String {
        self.folder.display().to_string().replace('/', "%2F")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().unwrap();
    }
}

/// The address of an empty database on the server that the tests share.
pub(crate) async fn database() -> String {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start("-c max_connections=400")).database().await
}

/// A store over that database, in which the schema is made if it is not there.
pub(crate) async fn store(address: &str) -> std::sync::Arc<dyn Store> {
    let text = format!("database = {address:?}\n[postgres]\nmigrate = true\nconnections = 6\n");
    let config = Config::parse(&text, Path::new("countersign.toml")).unwrap();
    open(&config.database, IfMissing::Refuse).await.unwrap()
}

/// A connection to look behind the store.
pub(crate) async fn connect(address: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Where PostgreSQL's programs are: Debian keeps them out of the path.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders = versions.map(|version| version.unwrap().path().join("bin"));
    let configured = || {
        let printed = Command::new("pg_config").arg("--bindir").output().ok()?.stdout;
        Some(PathBuf::from(String::from_utf8(printed).ok()?.trim()))
    };
    let found = folders.find(|bin| bin.join("initdb").exists()).or_else(configured);
    found.expect("PostgreSQL is not installed; `cargo xtask test` installs what the tests need")
}
