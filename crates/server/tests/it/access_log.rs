//! What the program logs of each request, and what it does not.

use countersign_simulator::Overrides;
use serde_json::{Value, json};

use crate::program::{Program, RESOURCE, prepare};
use crate::stage::{client, exchange_parameters};

#[tokio::test(flavor = "multi_thread")]
async fn i14_one_line_a_request_with_its_id_and_nothing_that_the_client_made_up() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = prepare(folder.path()).await;
    let file = folder.path().join("countersign.toml");
    let configuration = std::fs::read_to_string(&file).unwrap();
    let front = "log_format = \"json\"\n";
    let limits = "[limits]\ntrusted_proxies = 1\n[[issuers]]";
    std::fs::write(&file, front.to_owned() + &configuration.replacen("[[issuers]]", limits, 1)).unwrap();
    let program = Program::start(folder.path());

    let token = simulator.github().mint(&Overrides::new(), "https://trust.example.com");
    let http = client();
    let send = async |request: reqwest::RequestBuilder| {
        let response = request.header("x-forwarded-for", "198.51.100.1").send().await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        (id, response.text().await.unwrap())
    };
    let exchange = |token: &str| {
        let body = exchange_parameters(token, RESOURCE).to_string();
        http.post(format!("{}/oauth/token", program.url))
            .header("content-type", "application/json")
            .body(body)
    };
    let (issued, answer) = send(exchange(&token)).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let access_token = answer["access_token"].as_str().unwrap().to_owned();
    let (replayed, _) = send(exchange(&token)).await;
    let (lost, _) = send(http.get(format!("{}/{token}?token={token}", program.url))).await;
    let method = reqwest::Method::from_bytes(b"EYJHBGCI").unwrap();
    let (odd, _) = send(http.request(method, format!("{}/healthz", program.url))).await;
    let log = program.stop();

    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |id: &str| -> Vec<&Value> {
        lines
            .iter()
            .filter(|line| line["id"] == id && line["target"] == "countersign_server::access")
            .collect()
    };
    for (id, method, route, status) in [
        (issued, "POST", "/oauth/token", 200),
        (replayed, "POST", "/oauth/token", 400),
        (lost, "GET", "none", 404),
        (odd, "other", "/healthz", 405),
    ] {
        let [line] = of(&id)[..] else { panic!("{id} has {} lines", of(&id).len()) };
        assert_eq!([&line["method"], &line["route"]], [method, route]);
        assert_eq!((&line["status"], &line["client"]), (&json!(status), &json!("198.51.100.1")));
        assert!(line["milliseconds"].as_f64().unwrap() > 0.0);
    }
    for secret in [&token, &access_token] {
        for part in secret.split('.') {
            assert!(!log.contains(part), "a part of a token is in the log");
        }
    }
    assert!(!log.contains("EYJHBGCI"));
}
