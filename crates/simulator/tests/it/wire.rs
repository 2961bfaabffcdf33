//! Just enough HTTP to ask the simulator, so that no HTTP client becomes a dependency.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a GET with an `Authorization` header if there is one to send; the status and the JSON body.
pub(crate) async fn get(url: &str, authorization: Option<&str>) -> (u16, Value) {
    send("GET", url, authorization, "").await
}

/// Sends a POST of JSON in the same way.
pub(crate) async fn post(url: &str, authorization: Option<&str>, body: &Value) -> (u16, Value) {
    send("POST", url, authorization, &body.to_string()).await
}

async fn send(method: &str, url: &str, authorization: Option<&str>, body: &str) -> (u16, Value) {
    let (authority, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let header = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
    let content = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
    };
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {authority}\r\n{header}{content}Connection: close\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(authority).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}
