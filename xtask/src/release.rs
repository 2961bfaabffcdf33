//! The server as it is released: compiled for what it does most, which a build of it has counted under the benchmark's load.
//!
//! The compiler then knows what belongs together and which way a branch mostly goes. What a server does for an exchange is a long
//! way through many small functions, none of which stands out, so this is worth more than any of them (docs/performance.md).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{Result, quietly, run as execute, step};
use crate::tools;
use crate::workspace::Workspace;

/// The loads that are counted: each row that is ours, and what is refused. Their figures mean nothing, and nobody is shown them.
const LOADS: [&[&str]; 3] = [
    &["--only", "stateless,sqlite,postgres,two-nodes", "--rounds", "1", "--exchanges", "4000"],
    &["mix", "--rounds", "1", "--requests", "4000"],
    &["mix", "--rounds", "1", "--requests", "4000", "--postgres"],
];

/// The programs that came of it.
pub(crate) struct Programs {
    pub(crate) server: PathBuf,
    /// The benchmark, compiled in the same way, so that its rows are no slower than the server for that.
    pub(crate) bench: PathBuf,
}

/// Builds them, after what counts and a run of it, where that is not of the same programs.
pub(crate) fn build(workspace: &Workspace, target: &str) -> Result<Programs> {
    let profdata = tools::llvm::install_profdata()?;
    tools::postgresql::install()?;
    let place = workspace.root.join("target/profiling");
    let profile = place.join("server.profdata");
    let counting = step("build the server so that it counts what it does (some minutes at first)", || {
        compile(workspace, target, &place, "-Cprofile-generate")
    })?;
    if is_older(&profile, [&counting.server, &counting.bench]) {
        step("count", || count(workspace, &counting, &profdata, &place.join("counts"), &profile))?;
    }
    step("build the server for what was counted (some minutes at first)", || {
        let flag = format!("-Cprofile-use={}", profile.display());
        compile(workspace, target, &workspace.root.join("target/optimized"), &flag)
    })
}

/// With a target named, the flag is for the programs alone and not for what runs while they are built.
fn compile(workspace: &Workspace, target: &str, place: &Path, flag: &str) -> Result<Programs> {
    let mut build = workspace.cargo(["build", "--release", "--locked", "--target", target, "--target-dir"]);
    build.arg(place).args(["--package", "countersign-server", "--package", "countersign-bench"]);
    execute(build.env("RUSTFLAGS", flag).env_remove("CARGO_ENCODED_RUSTFLAGS"))?;
    let folder = place.join(target).join("release");
    Ok(Programs { server: folder.join("countersign-server"), bench: folder.join("countersign-bench") })
}

/// Whether a file is older than one of the others, or is not there.
fn is_older<const N: usize>(file: &Path, others: [&PathBuf; N]) -> bool {
    let time = |file: &Path| fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
    others.iter().any(|other| time(other) > time(file))
}

fn count(
    workspace: &Workspace,
    counting: &Programs,
    profdata: &Path,
    counts: &Path,
    profile: &Path,
) -> Result {
    tools::clear(counts)?;
    for load in LOADS {
        let mut bench = Command::new(&counting.bench);
        // Whoever counts writes it down at its end, so nobody is killed.
        bench.current_dir(&workspace.root).args(load).arg("--gently");
        quietly(bench.env("LLVM_PROFILE_FILE", counts.join("%m-%p.profraw")))?;
    }
    let mut merge = Command::new(profdata);
    quietly(merge.args(["merge", "--sparse", "--output"]).arg(profile).arg(counts))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn counts_are_made_anew_for_other_programs() {
        let folder = std::env::temp_dir().join(format!("countersign-xtask-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let [profile, server, bench] = ["profile", "server", "bench"].map(|name| folder.join(name));
        let write = |file: &Path, seconds: u64| {
            let file = fs::File::create(file).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        write(&server, 1);
        write(&bench, 2);
        assert!(is_older(&profile, [&server, &bench]), "there is none");
        write(&profile, 3);
        assert!(!is_older(&profile, [&server, &bench]));
        write(&bench, 4);
        assert!(is_older(&profile, [&server, &bench]));
        fs::remove_dir_all(&folder).unwrap();
    }
}
