//! The disk that the database is on fills up, and is made room on.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use countersign_cluster::{Cluster, Setup};
use tokio::time::{Instant, sleep};

use super::outcome::Outcome;
use super::stage::{Environment, Stage};
use super::{Place, blocking};
use crate::trial::verdict::Weather;

/// How long it may take until a full disk is noticed: what the databases have set aside for themselves is used up first.
const LONGEST_FILLING: Duration = Duration::from_mins(1);

/// A filesystem in memory for as long as its standard input is open, which is as long as this program runs: not a Ctrl-C, and not
/// while a database that is being stopped has files there.
const MOUNT: &str = r#"mount -t tmpfs -o size="$2" tmpfs "$1" || { rmdir "$1"; exit 1; }
echo done
cat >/dev/null
tries=0
until umount "$1" 2>/dev/null || [ $((tries += 1)) -gt 100 ]; do sleep 0.1; done
umount -l "$1" 2>/dev/null
rmdir "$1""#;

/// One node, on a file of SQLite.
pub(super) async fn play_sqlite(place: &Place) -> anyhow::Result<Outcome> {
    let what = "the disk of SQLite is full, then has room again";
    let disk = match blocking(|| Disk::mount("24m")) {
        Ok(disk) => disk,
        Err(error) => return Ok(Outcome::LeftOut { what, why: format!("{error:#}") }),
    };
    let settings = format!("database = \"sqlite:{}/countersign.db\"\n", disk.folder().display());
    let stage = Stage::begin(place, &settings, &[Environment::new()], |_| Ok(())).await?;
    let back = fill_and_empty(place, stage, &disk, || disk.empty()).await?;
    back.0.finish(what, Some(back.1)).await
}

/// Two nodes, over PostgreSQL.
pub(super) async fn play_postgres(place: &Place) -> anyhow::Result<Outcome> {
    let what = "the disk of PostgreSQL is full, then has room again";
    let disk = match blocking(|| Disk::mount("160m")) {
        Ok(disk) => disk,
        Err(error) => return Ok(Outcome::LeftOut { what, why: format!("{error:#}") }),
    };
    let setup = Setup { place: Some(disk.folder()), ..Setup::default() };
    let mut cluster = blocking(|| Cluster::start_with(setup))?;
    let stage = Stage::over(place, &cluster.address("postgres")).await?;
    // It gives up where it is its log that finds no room.
    let repair = || {
        disk.empty()?;
        if is_running(&cluster) { Ok(()) } else { cluster.tell("start") }
    };
    let (stage, back) = fill_and_empty(place, stage, &disk, repair).await?;
    let outcome = stage.finish(what, Some(back)).await;
    drop(cluster);
    outcome
}

/// The same, but it is PostgreSQL's log that has no room: whoever was to follow it keeps it from throwing any of it away, and has gone.
/// PostgreSQL ends itself for that, and is started again.
pub(super) async fn play_log(place: &Place) -> anyhow::Result<Outcome> {
    /// No piece is used again, and each is small, so that the last is soon full.
    const SETTINGS: &str = "-c wal_keep_size=1GB -c min_wal_size=2MB -c max_wal_size=8MB -c lc_messages=C";
    let what = "the disk of PostgreSQL's log is full, so that it stops";
    let disk = match blocking(|| Disk::mount("256m")) {
        Ok(disk) => disk,
        Err(error) => return Ok(Outcome::LeftOut { what, why: format!("{error:#}") }),
    };
    let log = format!("--waldir={}/log", disk.folder().display());
    let options = ["--wal-segsize=1", &log];
    let setup = Setup { settings: SETTINGS, options: &options, ..Setup::default() };
    let mut cluster = blocking(|| Cluster::start_with(setup))?;
    let stage = Stage::over(place, &cluster.address("postgres")).await?;
    let repair = || {
        let full = Instant::now();
        // It tries to recover first, which needs room, too.
        while cluster.process().is_ok() {
            ensure!(full.elapsed() < LONGEST_FILLING, "PostgreSQL goes on without a log");
            thread::sleep(Duration::from_millis(100));
        }
        ensure!(
            cluster.log()?.contains("PANIC:"),
            "PostgreSQL did not stop for want of room: {}",
            cluster.log()?
        );
        disk.empty()?;
        cluster.tell("start")
    };
    let (stage, back) = fill_and_empty(place, stage, &disk, repair).await?;
    let outcome = stage.finish(what, Some(back)).await;
    drop(cluster);
    outcome
}

/// Whether it answers.
fn is_running(cluster: &Cluster) -> bool {
    cluster.sql("SELECT 1").is_ok_and(|answer| answer == "1")
}

/// Fills a disk, and waits until that is noticed; then `repair` makes room, and whatever else it takes.
async fn fill_and_empty(
    place: &Place,
    mut stage: Stage,
    disk: &Disk,
    repair: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<(Stage, Duration)> {
    stage.set_weather(Weather::Foul);
    blocking(|| disk.fill())?;
    let full = Instant::now();
    while stage.node(0).traffic.is_ready().await? {
        ensure!(
            full.elapsed() < LONGEST_FILLING,
            "the disk is full, {} exchanges were refused for it, and /readyz says that all is well",
            stage.refused()
        );
        sleep(Duration::from_millis(200)).await;
    }
    sleep(place.phase).await;
    ensure!(stage.refused() > 0, "/readyz says that the disk is full, and no exchange was refused for it");
    blocking(repair)?;
    let back = stage.recovered(Instant::now()).await?;
    sleep(place.phase).await;
    Ok((stage, back))
}

/// A disk with little room.
struct Disk {
    keeper: Child,
    folder: PathBuf,
}

impl Disk {
    fn mount(size: &str) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("disk").tempdir()?.keep();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", MOUNT, "keeper"]).arg(&folder).arg(size).process_group(0);
        let mut keeper =
            keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut said = [0; 5];
        let mut output = keeper.stdout.take().context("the keeper has a standard output")?;
        let mounted = std::io::Read::read_exact(&mut output, &mut said).is_ok();
        let disk = Self { keeper, folder };
        ensure!(mounted, "a filesystem cannot be mounted here, which needs root");
        // PostgreSQL runs as somebody else than root.
        fs::set_permissions(disk.folder(), std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        Ok(disk)
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    fn fill(&self) -> anyhow::Result<()> {
        let mut ballast = File::create(self.ballast())?;
        let page = [0; 4096];
        while ballast.write_all(&page).is_ok() {}
        Ok(())
    }

    fn empty(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}
