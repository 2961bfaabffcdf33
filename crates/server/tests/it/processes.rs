//! Two server processes over one PostgreSQL, and what happens when one of the three dies.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_cluster::Cluster;
use countersign_simulator::{Overrides, Simulator};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::crash::try_exchange;
use crate::postgres::{connect, database, database_on};
use crate::program::{Program, RESOURCE, prepare_with};
use crate::stage::{Answer, client, exchange_parameters, post_to};

/// Two nodes, which share a folder for want of two machines: it holds the configuration and the encryption key.
struct Nodes {
    folder: tempfile::TempDir,
    simulator: Simulator,
    address: String,
    http: reqwest::Client,
}

impl Nodes {
    async fn over(address: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = format!("database = {address:?}\n[postgres]\nmigrate = true\n");
        let simulator = prepare_with(folder.path(), &settings).await;
        Self { folder, simulator, address, http: client() }
    }

    fn start(&self) -> Program {
        Program::start(self.folder.path())
    }

    fn token(&self) -> Arc<str> {
        self.simulator.github().mint(&Overrides::new(), "https://trust.example.com").into()
    }

    /// Makes sure that what was answered is on record, and that its id tokens are of no more use at a node.
    async fn check_answered(&self, answered: &[(Arc<str>, Answer)], url: &str) {
        for (token, _) in answered {
            let (_, answer) =
                try_exchange(self.http.clone(), url.to_owned(), Arc::clone(token)).await.unwrap();
            assert_eq!(answer.status, 400, "no second token: {answer:?}");
        }
        let recorded = recorded(self.folder.path());
        for (_, answer) in answered {
            let outcome = recorded.get(&answer.request_id);
            assert_eq!(outcome.map(String::as_str), Some("issued"), "every answered token is in the ledger");
        }
        let client = connect(&self.address).await;
        let too_often = "SELECT count(*) FROM used_id_tokens WHERE exchanges > 1";
        assert_eq!(client.query_one(too_often, &[]).await.unwrap().get::<_, i64>(0), 0);
        let issued = "SELECT count(*) FROM exchanges WHERE outcome = 'issued'";
        let used = "SELECT count(*) FROM used_id_tokens";
        let issued: i64 = client.query_one(issued, &[]).await.unwrap().get(0);
        let used: i64 = client.query_one(used, &[]).await.unwrap().get(0);
        assert_eq!(issued, used, "an id token is used up by the record of its exchange, and by nothing else");
        let verified = run(self.folder.path(), &["audit", "verify"]);
        assert!(verified.starts_with("in order: "), "{verified}");
    }
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign-server"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The outcome of each exchange on record.
fn recorded(folder: &Path) -> HashMap<String, String> {
    let listed: Vec<Value> =
        serde_json::from_str(&run(folder, &["exchanges", "--limit", "100000", "--json"])).unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    listed.iter().map(|row| (text(row, "id"), text(row, "outcome"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn e2_e8_a_hundred_uses_on_two_processes_buy_one_token() {
    let nodes = Nodes::over(database().await).await;
    let programs = [nodes.start(), nodes.start()];
    let token = nodes.token();
    let uses = (0..100).map(|number| {
        let url = programs[number % 2].url.clone();
        try_exchange(nodes.http.clone(), url, Arc::clone(&token))
    });
    let answers = uses.collect::<JoinSet<_>>().join_all().await;
    let answers: Vec<Answer> = answers.into_iter().map(|answer| answer.unwrap().1).collect();
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.body["error"] == "invalid_grant").count(), 99);
    let issued = recorded(nodes.folder.path()).into_values().filter(|outcome| outcome == "issued").count();
    assert_eq!(issued, 1);
    for program in programs {
        program.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_kill_9_of_one_node_loses_no_answered_token_and_the_other_goes_on() {
    let nodes = Nodes::over(database().await).await;
    let (doomed, other) = (nodes.start(), nodes.start());
    let mut running = JoinSet::new();
    for number in 0..600 {
        let url = if number % 2 == 0 { &doomed.url } else { &other.url };
        running.spawn(try_exchange(nodes.http.clone(), url.clone(), nodes.token()));
    }
    let (mut answered, mut doomed) = (Vec::new(), Some(doomed));
    while let Some(outcome) = running.join_next().await {
        answered.extend(outcome.unwrap().filter(|(_, answer)| answer.status == 200));
        if answered.len() == 100 {
            doomed.take().into_iter().for_each(Program::kill);
        }
    }
    assert!(
        doomed.is_none() && answered.len() >= 300,
        "all of the other node were answered: {}",
        answered.len()
    );
    nodes.check_answered(&answered, &other.url).await;
    other.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn e1_what_a_node_saw_used_up_it_refuses_by_itself() {
    let nodes = Nodes::over(database().await).await;
    let (one, other) = (nodes.start(), nodes.start());
    let token = nodes.token();
    let exchange = async |program: &Program| {
        let body = exchange_parameters(&token, RESOURCE).to_string();
        post_to(&nodes.http, &program.url, "application/json", body).await
    };
    assert_eq!(exchange(&one).await.status, 200);
    // As in a database that was restored from before that.
    connect(&nodes.address).await.execute("DELETE FROM used_id_tokens", &[]).await.unwrap();
    let again = exchange(&one).await;
    assert!(again.status == 400 && again.body.to_string().contains("exchanged before"), "{again:?}");
    assert_eq!(exchange(&other).await.status, 200, "the ledger has nothing against it");
    for program in [one, other] {
        program.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i17_invariant_8_what_is_withdrawn_ends_on_every_process() {
    let nodes = Nodes::over(database().await).await;
    let programs = [nodes.start(), nodes.start()];
    let secret = run(nodes.folder.path(), &["admin-token", "add", "registry", "--role", "registry"]);
    let is_active = async |program: &Program, token: &str| {
        let request = nodes
            .http
            .post(format!("{}/oauth/introspect", program.url))
            .header("authorization", format!("Bearer {}", secret.trim()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={token}"));
        let answer = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str::<Value>(&answer).unwrap()["active"] == true
    };
    let mut tokens = Vec::new();
    for program in &programs {
        let body = exchange_parameters(&nodes.token(), RESOURCE).to_string();
        let answer = post_to(&nodes.http, &program.url, "application/json", body).await;
        tokens.push(answer.body["access_token"].as_str().unwrap().to_owned());
    }
    for (program, token) in
        programs.iter().flat_map(|program| tokens.iter().map(move |token| (program, token)))
    {
        assert!(is_active(program, token).await);
    }
    let listed = run(nodes.folder.path(), &["publisher", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    run(nodes.folder.path(), &["publisher", "disable", listed[0]["id"].as_str().unwrap()]);
    for program in &programs {
        for token in &tokens {
            assert!(!is_active(program, token).await, "at once, on every node");
        }
        let body = exchange_parameters(&nodes.token(), RESOURCE).to_string();
        assert_eq!(post_to(&nodes.http, &program.url, "application/json", body).await.status, 400);
    }
    for program in programs {
        program.kill();
    }
}

/// Jobs that keep on coming, and what they are answered.
struct Load {
    answers: mpsc::Receiver<Option<(Arc<str>, Answer)>>,
    stop: Arc<AtomicBool>,
    workers: JoinSet<()>,
}

impl Load {
    fn start(nodes: &Arc<Nodes>, urls: &[String]) -> Self {
        let (sender, answers) = mpsc::channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let workers = (0..16).map(|number| {
            let (nodes, url) = (Arc::clone(nodes), urls[number % urls.len()].clone());
            let (stop, sender) = (Arc::clone(&stop), sender.clone());
            async move {
                while !stop.load(Ordering::SeqCst) {
                    let answer = try_exchange(nodes.http.clone(), url.clone(), nodes.token()).await;
                    sender.send(answer).await.unwrap();
                }
            }
        });
        Self { workers: workers.collect(), answers, stop }
    }

    /// Waits for so many answers of that status; keeps those that have a token.
    async fn until(&mut self, status: u16, count: usize, answered: &mut Vec<(Arc<str>, Answer)>) {
        let mut seen = 0;
        while seen < count {
            let (token, answer) =
                self.answers.recv().await.unwrap().expect("the servers answer all the time");
            assert!([200, 503].contains(&answer.status), "{answer:?}");
            seen += usize::from(answer.status == status);
            if answer.status == 200 {
                answered.push((token, answer));
            }
        }
    }

    async fn end(mut self, answered: &mut Vec<(Arc<str>, Answer)>) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(answer) = self.answers.recv().await {
            answered.extend(answer.filter(|(_, answer)| answer.status == 200));
        }
        self.workers.join_all().await;
    }
}

/// Every way in which the database can go: without waiting for anybody, and like a power cut.
#[tokio::test(flavor = "multi_thread")]
async fn e7_invariant_1_without_the_database_nothing_is_issued_and_all_goes_on_when_it_is_back() {
    let mut cluster = Cluster::start("").unwrap();
    let nodes = Arc::new(Nodes::over(database_on(&cluster).await).await);
    let programs = [nodes.start(), nodes.start()];
    let urls = [programs[0].url.clone(), programs[1].url.clone()];
    let mut load = Load::start(&nodes, &urls);
    let mut answered = Vec::new();
    for mode in ["fast", "immediate"] {
        load.until(200, 100, &mut answered).await;
        cluster = tokio::task::spawn_blocking(move || {
            cluster.tell(mode).unwrap();
            cluster
        })
        .await
        .unwrap();
        load.until(503, 50, &mut answered).await;
        cluster = tokio::task::spawn_blocking(move || {
            cluster.tell("start").unwrap();
            cluster
        })
        .await
        .unwrap();
    }
    load.until(200, 100, &mut answered).await;
    load.end(&mut answered).await;
    nodes.check_answered(&answered, &urls[0]).await;
    for program in programs {
        program.kill();
    }
}
