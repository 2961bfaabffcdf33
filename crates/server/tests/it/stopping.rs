//! A server that is asked to stop stops, whatever has become of its log.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use crate::program::prepare;

/// A process that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, if all is well.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A server that logs as much as it can, the rest of its log, and its address.
fn start(folder: &Path) -> (Running, BufReader<ChildStderr>, String) {
    let child = Command::new(env!("CARGO_BIN_EXE_countersign-server"))
        .args(["serve", "--config", "countersign.toml"])
        .env("COUNTERSIGN_LOG", "trace")
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Running(child);
    let mut log = BufReader::new(child.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("is ready") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended before it was ready");
    }
    let address = line.split("address=").nth(1).unwrap().trim().to_owned();
    (child, log, format!("http://{address}/healthz"))
}

fn terminate(child: &Running) {
    let killed = Command::new("kill").args(["-TERM", &child.0.id().to_string()]).status().unwrap();
    assert!(killed.success());
}

/// Waits for the end, and makes one if there is none in time.
async fn ends_within(mut child: Running, limit: Duration) -> bool {
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    let ended = async {
        while child.0.try_wait().unwrap().is_none() {
            looks.tick().await;
        }
    };
    tokio::time::timeout(limit, ended).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_log_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let _simulator = prepare(folder.path()).await;
    let (child, log, health) = start(folder.path());
    drop(log);
    for _ in 0..20 {
        assert_eq!(crate::stage::client().get(&health).send().await.unwrap().status(), 200);
    }
    terminate(&child);
    assert!(ends_within(child, Duration::from_secs(20)).await, "it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_log_that_nobody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let _simulator = prepare(folder.path()).await;
    let (child, _log, health) = start(folder.path());
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build().unwrap();
    // Until all its threads wait for somebody to read.
    while client.get(&health).send().await.is_ok() {}
    terminate(&child);
    assert!(ends_within(child, Duration::from_mins(1)).await, "it goes on");
}
