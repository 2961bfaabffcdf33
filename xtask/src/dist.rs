//! `cargo xtask dist`: the command line tool as it is given to CI jobs, one file that needs nothing of the machine.

mod elf;
mod figures;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{Failure, Result, printed, run as execute, step};
use crate::workspace::Workspace;

/// The most bytes that a job should have to fetch.
const MOST_BYTES: u64 = 8_000_000;

/// Builds the static tool, checks that it is one and small, and with `--figures` measures it.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    let with_figures = match arguments {
        [] => false,
        [flag] if flag == "--figures" => true,
        _ => return Err(Failure::new(format!("expected nothing or --figures; found {arguments:?}"))),
    };
    let target = target()?;
    let built = build(workspace, &target)?;
    let size = check(&built)?;
    let place = workspace.root.join("target/dist").join(format!("countersign-{target}"));
    let copied = fs::create_dir_all(place.parent().unwrap_or(&place)).and_then(|()| fs::copy(&built, &place));
    copied.map_err(|error| Failure::new(format!("cannot write {}: {error}", place.display())))?;
    if with_figures {
        figures::measure(workspace, &place)?;
    }
    println!("\n{}: {:.2} MB, static", place.display(), megabytes(size));
    Ok(())
}

/// This machine's kind, with a C library that can be linked in.
fn target() -> Result<String> {
    let version = printed(Command::new("rustc").arg("-vV")).unwrap_or_default();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    match host {
        Some(host) if host.contains("-linux-") => Ok(host.to_owned()),
        _ => Err(Failure::new(format!("expected Linux, where programs can be static; found {host:?}"))),
    }
}

fn build(workspace: &Workspace, target: &str) -> Result<PathBuf> {
    step("build the static tool (some minutes at first)", || {
        let mut build =
            workspace.cargo(["build", "--profile", "tool", "--package", "countersign", "--locked"]);
        // With a target named, the flag is for the program alone and not for what runs while it is built.
        build.args(["--target", target]).env("RUSTFLAGS", "-C target-feature=+crt-static");
        execute(build.env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_TARGET_DIR"))
    })?;
    Ok(workspace.root.join("target").join(target).join("tool/countersign"))
}

/// Whether it needs nothing and is small; its size.
fn check(program: &Path) -> Result<u64> {
    let bytes = fs::read(program)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", program.display())))?;
    elf::is_static(&bytes).map_err(|found| {
        Failure::new(format!(
            "expected a program that needs no other file, found that {} {found}",
            program.display()
        ))
    })?;
    let size = bytes.len() as u64;
    if size > MOST_BYTES {
        return Err(Failure::new(format!(
            "expected at most {MOST_BYTES} bytes, found {size}; `cargo bloat` tells what is in it"
        )));
    }
    Ok(size)
}

#[expect(clippy::cast_precision_loss, reason = "two digits of it are shown")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
