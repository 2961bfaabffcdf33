//! What the tool costs: its start, and its own time in a job beside its two round trips.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::demo::actors::in_job;
use crate::demo::folder::Folder;
use crate::demo::server::Server;
use crate::demo::simulator::{Simulator, Variables};
use crate::step::{Failure, Result, now, quietly, step};
use crate::workspace::Workspace;
use crate::{test, tools};

const RESOURCE: &str = "acme/awesome-model";
/// How often each thing is done; `hf` takes a hundred times as long.
const ROUNDS: usize = 40;
const ROUNDS_OF_HF: usize = 5;

/// Measures in turns, so that a busy moment of the machine hits all alike, and prints a table.
pub(super) fn measure(workspace: &Workspace, tool: &Path) -> Result {
    tools::python::install(workspace)?;
    test::build(workspace)?;
    let rows = step("measure", || {
        let folder = Folder::make(workspace)?;
        let (simulator, job) = Simulator::start(workspace)?;
        let server = Server::start(workspace, folder.path(), simulator.issuer())?;
        server.add_publisher(RESOURCE, simulator.issuer())?.expect_success()?;
        by_name(workspace, tool, &server, &job, folder.path())?;
        let mut nothing = Times::new("a program that does nothing");
        let mut start = Times::new("countersign --version");
        let mut trips = Times::new("the two round trips alone");
        let mut token = Times::new("countersign token");
        let mut hf = Times::new("hf auth token");
        for round in 0..ROUNDS {
            nothing.add(|| quietly(&mut Command::new("true")))?;
            start.add(|| quietly(Command::new(tool).arg("--version")))?;
            trips.add(|| round_trips(&server, &job))?;
            token.add(|| {
                let mut command = Command::new(tool);
                in_job(&mut command, workspace, &job, folder.path());
                quietly(command.args(["token", RESOURCE]).env("HF_ENDPOINT", server.url()))
            })?;
            if round < ROUNDS_OF_HF {
                hf.add(|| {
                    let mut command = Command::new(tools::python::folder(workspace).join("bin/hf"));
                    in_job(&mut command, workspace, &job, folder.path());
                    command.env("HF_ENDPOINT", server.url()).env("HF_OIDC_RESOURCE", RESOURCE);
                    quietly(command.args(["auth", "token"]))
                })?;
            }
        }
        Ok([nothing, start, trips, token, hf])
    })?;
    println!("\n{:32} {:>10} {:>10}", "", "best", "median");
    for times in &rows {
        println!("{:32} {:>7.2} ms {:>7.2} ms", times.name, times.best(), times.median());
    }
    let [_, _, trips, token, hf] = &rows;
    for (name, times) in [("own time of countersign token", token), ("own time of hf auth token", hf)] {
        let (best, median) = (times.best() - trips.best(), times.median() - trips.median());
        println!("{name:32} {best:>7.2} ms {median:>7.2} ms");
    }
    Ok(())
}

/// The static tool finds a server by its name too: no library of the system does that for it.
fn by_name(workspace: &Workspace, tool: &Path, server: &Server<'_>, job: &Variables, home: &Path) -> Result {
    let mut command = Command::new(tool);
    in_job(&mut command, workspace, job, home);
    let endpoint = server.url().replace("127.0.0.1", "localhost");
    quietly(command.args(["token", RESOURCE, "--endpoint", &endpoint, "--audience", server.url()]))
}

/// How long something took, each time, in milliseconds.
struct Times {
    name: &'static str,
    all: Vec<f64>,
}

impl Times {
    fn new(name: &'static str) -> Self {
        Self { name, all: Vec::new() }
    }

    fn add(&mut self, action: impl FnOnce() -> Result) -> Result {
        let start = now();
        action()?;
        self.all.push(start.elapsed().as_secs_f64() * 1e3);
        self.all.sort_by(f64::total_cmp);
        Ok(())
    }

    fn best(&self) -> f64 {
        self.all.first().copied().unwrap_or_default()
    }

    fn median(&self) -> f64 {
        self.all.get(self.all.len() / 2).copied().unwrap_or_default()
    }
}

/// Runs a program out of sight; it must succeed.
/// What every client of the job has to wait for: the mint endpoint and the token endpoint, each over a connection of its own.
fn round_trips(server: &Server<'_>, job: &Variables) -> Result {
    let mint = format!("{}&audience={}", job.value("ACTIONS_ID_TOKEN_REQUEST_URL")?, server.url());
    let authorization = format!("Authorization: Bearer {}", job.value("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?);
    let answer = ask("GET", &mint, &authorization, "")?;
    let id_token = answer.split("\"value\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let id_token = id_token.ok_or_else(|| Failure::new(format!("expected an id token, found {answer}")))?;
    let body = format!(
        "{{\"grant_type\":\"urn:ietf:params:oauth:grant-type:token-exchange\",\
         \"subject_token_type\":\"urn:ietf:params:oauth:token-type:id_token\",\
         \"subject_token\":\"{id_token}\",\"resource\":\"{RESOURCE}\"}}"
    );
    let answer =
        ask("POST", &format!("{}/oauth/token", server.url()), "Content-Type: application/json", &body)?;
    if answer.contains("\"access_token\"") { Ok(()) } else { Err(Failure::new("expected an access token")) }
}

fn ask(method: &str, url: &str, header: &str, body: &str) -> Result<String> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot ask {url}: {error}"));
    let rest = url.trim_start_matches("http://");
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(failed)?;
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {address}\r\n{header}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed)?;
    Ok(answer)
}
