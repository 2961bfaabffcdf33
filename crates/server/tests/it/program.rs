//! The real program, on real time.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use countersign_simulator::Simulator;

pub(crate) const RESOURCE: &str = "acme/awesome-model";

pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) url: String,
    /// Everything that it logs after it is ready. Whoever does not read a pipe to its end blocks the writer.
    log: JoinHandle<String>,
}

impl Program {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// Starts with more variables in its environment.
    pub(crate) fn start_with(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign-server"))
            .args(["serve", "--config", "countersign.toml"])
            .env("COUNTERSIGN_LOG", "trace")
            .envs(variables.iter().copied())
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let ready = lines.find(|line| line.contains("is ready")).unwrap();
        let address = match serde_json::from_str::<serde_json::Value>(&ready) {
            Ok(line) => line["address"].as_str().unwrap().to_owned(),
            Err(_) => ready.split("address=").nth(1).unwrap().trim().to_owned(),
        };
        let url = format!("http://{address}");
        let log = std::thread::spawn(move || lines.collect::<Vec<_>>().join("\n"));
        Self { child, url, log }
    }

    /// What a crash or the power does: nothing is said to the program, and its last lines may be lost.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log.join().unwrap();
    }

    /// What an operator does. Returns all that it has logged.
    pub(crate) fn stop(mut self) -> String {
        let stopped = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(stopped.success());
        assert!(self.child.wait().unwrap().success());
        self.log.join().unwrap()
    }
}

/// A configuration and a publisher in the folder, and the issuer that they trust.
pub(crate) async fn prepare(folder: &Path) -> Simulator {
    prepare_with(folder, "").await
}

/// The same with more configuration (keys before tables).
pub(crate) async fn prepare_with(folder: &Path, more: &str) -> Simulator {
    let simulator = Simulator::start().await.unwrap();
    let issuer = simulator.github().issuer();
    let configuration = format!(
        "public_url = \"https://trust.example.com\"\nlisten = \"127.0.0.1:0\"\n{more}[[issuers]]\nurl = \"{issuer}\"\npreset = \"github\"\n"
    );
    std::fs::write(folder.join("countersign.toml"), configuration).unwrap();
    let added = Command::new(env!("CARGO_BIN_EXE_countersign-server"))
        .args(["publisher", "add", RESOURCE, "--provider", "github", "--set", "repository=acme/train"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(added.status.success(), "{added:?}");
    simulator
}
