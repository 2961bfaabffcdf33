//! What every measurement needs: programs, a folder on a disk, cores, and an issuer.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::lifeline::{Ending, Folder};
use crate::pinning::Pinning;
use crate::workload::Issuer;

/// How many times as many connections a steady rate may use: who sends does not wait for who was sent before, so with too few of them
/// the generator becomes what is measured as soon as an answer takes a few milliseconds.
const OPEN: u16 = 4;
/// As many at most: each is a file of this process and one of the server's, and a program has often no more than 1,024.
const AT_MOST: u16 = 768;

/// What can be asked of every measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Settings {
    /// The server to measure; by default the one beside this program.
    #[arg(long, value_name = "PATH")]
    pub(crate) server: Option<PathBuf>,
    /// Keep-alive connections, each with one request under way; a steady rate may use four times as many.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) connections: u16,
    /// Where the databases are put for the time of the measurement; by default beside this program, since a temporary folder
    /// may be in memory, where nothing is ever written to a disk.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// Asks servers to end that are killed otherwise: those that count what they do write it down then.
    #[arg(long, hide = true)]
    pub(crate) gently: bool,
    /// Saves the figures as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// What servers are started with.
pub(crate) struct Stage {
    pub(crate) pinning: Pinning,
    /// How servers end.
    pub(crate) ending: Ending,
    /// This program.
    pub(crate) own: PathBuf,
    /// The released server.
    pub(crate) server: PathBuf,
    /// Where a measurement has its files, until this is dropped.
    pub(crate) folder: Folder,
    /// Where databases are made that other users have to reach.
    pub(crate) parent: PathBuf,
    pub(crate) issuer: Issuer,
}

impl Stage {
    /// Sets everything up for an issuer.
    pub(crate) fn set(
        settings: &Settings,
        issuer: impl FnOnce(&Path) -> anyhow::Result<Issuer>,
    ) -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let beside = own.parent().context("a program is in a folder")?.to_owned();
        let parent = settings.folder.as_deref().map_or_else(|| beside.clone(), absolute);
        let folder = Folder::make_in(&parent)?;
        Ok(Self {
            pinning: Pinning::detect(),
            ending: if settings.gently { Ending::Asked } else { Ending::Killed },
            server: settings.server.as_deref().map_or_else(|| beside.join("countersign-server"), absolute),
            issuer: issuer(folder.path())?,
            own,
            folder,
            parent,
        })
    }
}

impl Settings {
    /// How many connections a steady rate may use.
    pub(crate) fn open_connections(&self) -> u16 {
        self.connections.saturating_mul(OPEN).min(AT_MOST)
    }

    /// Saves the figures where they were wanted, with what they were measured on.
    pub(crate) fn save(&self, mut figures: Value) -> anyhow::Result<()> {
        let Some(file) = &self.json else { return Ok(()) };
        figures["machine"] = machine()?.into();
        figures["connections"] = self.connections.into();
        figures["open_connections"] = self.open_connections().into();
        std::fs::write(file, format!("{figures:#}\n"))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

/// What this runs on: other processors or another system have other figures.
fn machine() -> anyhow::Result<String> {
    let read = |path: &str| std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
    let (processors, release) = (read("/proc/cpuinfo")?, read("/proc/sys/kernel/osrelease")?);
    // Some kinds of processors have no name of their own.
    let name = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = name.map_or(std::env::consts::ARCH, |(_, name)| name.trim());
    let count = processors.lines().filter(|line| line.starts_with("processor")).count();
    Ok(format!("{count} of {name}, Linux {}", release.trim()))
}

/// A path that means the same in another folder.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
