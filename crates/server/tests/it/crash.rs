//! `kill -9` in the middle of the work (threat E10), and a stop that keeps its promises.

use std::process::Command;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::program::{Program, RESOURCE, prepare};
use crate::stage::{Answer, client, exchange_parameters};

/// An exchange that may not be answered.
pub(crate) async fn try_exchange(
    http: reqwest::Client,
    url: String,
    token: Arc<str>,
) -> Option<(Arc<str>, Answer)> {
    let body = exchange_parameters(&token, RESOURCE).to_string();
    let request =
        http.post(format!("{url}/oauth/token")).header("content-type", "application/json").body(body);
    let response = request.send().await.ok()?;
    let (status, request_id) =
        (response.status().as_u16(), response.headers()["x-request-id"].to_str().unwrap().to_owned());
    let body = serde_json::from_str(&response.text().await.ok()?).ok()?;
    Some((token, Answer { status, body, request_id }))
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_kill_9_under_load_loses_no_answered_token_and_lets_none_be_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = prepare(folder.path()).await;
    let program = Program::start(folder.path());
    let http = client();
    let mut running = JoinSet::new();
    for _ in 0..600 {
        let token: Arc<str> = simulator
            .github()
            .mint(&countersign_simulator::Overrides::new(), "https://trust.example.com")
            .into();
        running.spawn(try_exchange(http.clone(), program.url.clone(), token));
    }
    let mut answered = Vec::new();
    let mut program = Some(program);
    while let Some(outcome) = running.join_next().await {
        answered.extend(outcome.unwrap().filter(|(_, answer)| answer.status == 200));
        if answered.len() == 100 {
            program.take().into_iter().for_each(Program::kill);
        }
    }
    assert!(program.is_none() && answered.len() >= 100, "the crash came in the middle: {}", answered.len());

    let program = Program::start(folder.path());
    for (token, _) in &answered {
        let (_, answer) = try_exchange(http.clone(), program.url.clone(), Arc::clone(token)).await.unwrap();
        assert_eq!(answer.status, 400, "no second token: {answer:?}");
    }
    program.kill();

    let listed = Command::new(env!("CARGO_BIN_EXE_countersign-server"))
        .args(["exchanges", "--limit", "100000", "--json"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let recorded: Vec<serde_json::Value> = serde_json::from_slice(&listed.stdout).unwrap();
    for (_, answer) in &answered {
        let row = recorded.iter().find(|row| row["id"] == answer.request_id.as_str());
        assert_eq!(row.unwrap()["outcome"], "issued", "invariant 1: every answered token is in the ledger");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_answers_what_it_accepted() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let folder = tempfile::tempdir().unwrap();
    let simulator = prepare(folder.path()).await;
    let mut program = Program::start(folder.path());
    let token =
        simulator.github().mint(&countersign_simulator::Overrides::new(), "https://trust.example.com");
    let body = exchange_parameters(&token, RESOURCE).to_string();
    let address = program.url.strip_prefix("http://").unwrap();
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let (first, rest) = body.split_at(20);
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    // The server has accepted the request once it asks for the body.
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut asked = [0; 25];
    connection.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.write_all(first.as_bytes()).await.unwrap();
    let stopped = Command::new("kill").args(["-TERM", &program.child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    // New connections are refused from some moment on; this one is served to its end.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    connection.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(program.child.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_share_one_database_and_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("countersign.toml"), "listen = \"127.0.0.1:0\"\n").unwrap();
    let starting: Vec<_> = (0..6)
        .map(|_| {
            let folder = folder.path().to_owned();
            tokio::task::spawn_blocking(move || Program::start(&folder))
        })
        .collect();
    let mut keys = Vec::new();
    for program in starting {
        let program = program.await.unwrap();
        let jwks = client().get(format!("{}/.well-known/jwks.json", program.url)).send().await.unwrap();
        keys.push(jwks.text().await.unwrap());
        program.kill();
    }
    keys.dedup();
    assert_eq!(keys.len(), 1, "{keys:?}");
}
