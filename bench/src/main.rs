//! `countersign-bench`: how many exchanges a core does, and how many its cryptography alone would allow.
//!
//! Everything is measured in one run, on one core and on the same tokens: as a ratio it means something on any machine.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser as _;

mod arguments;
mod connection;
mod es256;
mod generator;
mod installation;
mod limit;
mod load;
mod pinning;
mod postgres;
mod process;
mod rate;
mod registry;
mod report;
mod soak;
mod stateless;
mod subject;
mod table;
mod workload;

use arguments::{Arguments, Options, Part};
use pinning::Pinning;
use subject::Stage;
use workload::Workload;

/// The server's, so that what is measured beside it is not slower for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        Some(Part::Limit { folder }) => limit::measure(&folder),
        Some(Part::Stateless { folder }) => stateless::serve(&folder),
        Some(Part::Registry) => registry::measure(),
        Some(Part::Soak(options)) => soak::run(&options),
        None => run(&arguments.options),
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let beside = own.parent().context("a program is in a folder")?.to_owned();
    let parent = options.folder.as_deref().map_or_else(|| beside.clone(), absolute);
    let folder = tempfile::tempdir_in(&parent)?;
    let count = table::tokens(options)?;
    tell(&format!("signing {count} id tokens"));
    let workload = Workload::make(count, folder.path())?;
    let stage = Stage {
        pinning: Pinning::detect(),
        own,
        server: options.server.as_deref().map_or_else(|| beside.join("countersign-server"), absolute),
        openbao: options.openbao.as_deref().map(absolute),
        folder: folder.path().to_owned(),
        parent,
        issuer: workload.issuer.clone(),
        algorithm: "RS256",
    };
    let report = table::measure(options, &stage, &workload)?;
    tell(&report.to_string());
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{:#}\n", report.to_json()))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// A path that means the same in another folder.
fn absolute(path: &std::path::Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn tell(text: &str) {
    println!("{text}");
}
