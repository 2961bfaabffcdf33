//! The exchange server, and the commands of its operator.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::actors::{Actor, alone};
use super::outcome::Outcome;
use crate::step::{Failure, Result};
use crate::tools;
use crate::workspace::Workspace;

/// The running server.
pub(crate) struct Server<'a> {
    workspace: &'a Workspace,
    program: PathBuf,
    config: PathBuf,
    url: String,
    _actor: Actor,
}

impl<'a> Server<'a> {
    /// Writes a configuration that knows one issuer, starts the server with it and waits until it is ready.
    pub(crate) fn start(workspace: &'a Workspace, folder: &Path, issuer: &str) -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let url = format!("http://{address}");
        let config = folder.join("countersign.toml");
        let lines = [
            format!("public_url = \"{url}\""),
            format!("listen = \"{address}\""),
            "database = \"sqlite:countersign.db\"".to_owned(),
            "[[issuers]]".to_owned(),
            format!("url = \"{issuer}\""),
            "preset = \"github\"".to_owned(),
        ];
        tools::write(&config, &(lines.join("\n") + "\n"))?;
        println!("  $ countersign-server serve --config countersign.toml");
        for line in &lines {
            println!("    | {line}");
        }
        let log = folder.join("server.log");
        let program = workspace.program("countersign-server");
        let mut command = Command::new(&program);
        alone(&mut command, workspace)
            .current_dir(folder)
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null());
        let output = File::create(&log).and_then(|file| Ok((file.try_clone()?, file)));
        let (output, errors) =
            output.map_err(|error| Failure::new(format!("cannot write {}: {error}", log.display())))?;
        let mut actor = Actor::start(command.stdout(output).stderr(errors))?;
        wait_until_ready(&mut actor, &address, &log)?;
        Ok(Self { workspace, program, config, url, _actor: actor })
    }

    /// Its public URL: the endpoint for clients, and the issuer of its tokens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Has the resource's owner trust the publishing workflow of acme/train.
    pub(crate) fn add_publisher(&self, resource: &str, issuer: &str) -> Result<Outcome> {
        let rules =
            ["--set", "repository=acme/train", "--set", "branch=main", "--set", "workflow=publish.yml"];
        let provider = ["publisher", "add", resource, "--provider", "github", "--issuer", issuer];
        self.operator(&[&provider[..], &rules[..]].concat())
    }

    /// Shows the ledger.
    pub(crate) fn exchanges(&self) -> Result<Outcome> {
        self.operator(&["exchanges"])
    }

    fn operator(&self, arguments: &[&str]) -> Result<Outcome> {
        let mut command = Command::new(&self.program);
        let folder = self.config.parent().unwrap_or(&self.config);
        alone(&mut command, self.workspace).current_dir(folder).args(arguments);
        Outcome::of(command.args(["--config", "countersign.toml"]), &[])
    }
}

/// A port that is free now. Somebody else may take it before the server does; then the server says so.
fn free_port() -> Result<u16> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    port.map(|address| address.port())
        .map_err(|error| Failure::new(format!("no free port on 127.0.0.1: {error}")))
}

fn wait_until_ready(actor: &mut Actor, address: &str, log: &Path) -> Result {
    let failed = |why: &str| {
        let log = fs::read_to_string(log).unwrap_or_default();
        Failure::new(format!("the server {why}; its log says:\n{log}"))
    };
    for _ in 0..200 {
        if let Ok(Some(status)) = actor.child().try_wait() {
            return Err(failed(&format!("ended ({status})")));
        }
        if is_ready(address) {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
    Err(failed("is not ready after 10 s"))
}

/// Whether `GET /readyz` answers 200.
fn is_ready(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = [0; 12];
    let asked = stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .and_then(|()| stream.write_all(request.as_bytes()))
        .and_then(|()| stream.read_exact(&mut answer));
    asked.is_ok() && answer.ends_with(b" 200")
}
