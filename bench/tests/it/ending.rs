//! A benchmark that is interrupted leaves nothing behind: no server, no database, no file.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

/// How long what was left may take to go: a PostgreSQL server has to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process and when it was started, in ticks since the machine was: a number is given to others later.
type Process = (u32, u64);

#[test]
fn a_signal_ends_the_servers_and_databases_that_were_started_and_removes_their_files() {
    for signal in ["TERM", "INT", "KILL"] {
        check(signal);
    }
}

fn check(signal: &str) {
    let folder = tempfile::tempdir().unwrap();
    // PostgreSQL runs as somebody else than root.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_countersign-bench"));
    bench.args(["--only", "stateless,sqlite,postgres", "--rounds", "1", "--exchanges", "100", "--folder"]);
    // A group of its own, as a terminal's job has it: a Ctrl-C goes to all of it.
    let mut bench = bench.arg(folder.path()).process_group(0).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(bench.stdout.take().unwrap()).lines().map_while(Result::ok);
    let is_measuring = lines.any(|line| line.starts_with("measuring"));
    assert!(
        is_measuring,
        "it needs the server's program beside its own: cargo build --package countersign-server"
    );
    let started = started(bench.id(), folder.path());
    let programs: BTreeSet<String> = started.iter().filter_map(|process| program(*process)).collect();
    for expected in ["countersign-bench", "countersign-server", "postgres"] {
        assert!(programs.contains(expected), "expected {expected}, found {programs:?}");
    }
    assert!(fs::read_dir(folder.path()).unwrap().count() >= 2, "a folder of files, and one of PostgreSQL");

    let target = if signal == "INT" { format!("-{}", bench.id()) } else { bench.id().to_string() };
    let sent = Command::new("kill").args([&format!("-{signal}"), "--", &target]).status().unwrap();
    assert!(sent.success());
    assert!(!bench.wait().unwrap().success(), "{signal} ends it");
    let late = Instant::now() + PATIENCE;
    loop {
        let left: Vec<String> = started.iter().filter_map(|process| program(*process)).collect();
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
        if left.is_empty() && files.is_empty() {
            return;
        }
        assert!(Instant::now() < late, "after {signal} there are still {left:?} and {files:?}");
        std::thread::yield_now();
    }
}

/// All that a process has started, with what these have, and all that run in its folder: a database server has left the family.
fn started(process: u32, folder: &Path) -> Vec<Process> {
    let mut found = Vec::new();
    let mut next = vec![process];
    while let Some(parent) = next.pop() {
        let children = children(parent);
        next.extend(&children);
        found.extend(children);
    }
    let all =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_inside =
        |id: &u32| fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|place| place.starts_with(folder));
    found.extend(all.filter(is_inside));
    found.into_iter().filter_map(|id| Some((id, started_at(id)?))).collect()
}

/// The children of all threads of a process.
fn children(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<u32>>())
        .collect()
}

/// The program that a process runs, if it does yet: one that has ended and was not waited for has none.
fn program((id, at): Process) -> Option<String> {
    let program = fs::read_link(format!("/proc/{id}/exe")).ok()?;
    let name = Path::new(&program).file_name()?.to_string_lossy().into_owned();
    (started_at(id) == Some(at)).then_some(name)
}

/// Field 22 of `stat` (proc(5)); the second is in parentheses, and may hold anything.
fn started_at(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}
