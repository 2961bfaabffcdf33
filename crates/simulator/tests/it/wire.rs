//! Just enough HTTP to ask the simulator, so that no HTTP client becomes a dependency.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a GET with an `Authorization` header if there is one to send; the status and the JSON body.
pub(crate) async fn get(url: &str, authorization: Option<&str>) -> (u16, Value) {
    let header = authorization.map(|value| format!("Authorization: {value}")).unwrap_or_default();
    ask(url, &header, None).await
}

/// Sends a POST of JSON in the same way.
pub(crate) async fn post(url: &str, authorization: Option<&str>, body: &Value) -> (u16, Value) {
    let header = authorization.map(|value| format!("Authorization: {value}")).unwrap_or_default();
    ask(url, &header, Some(body)).await
}

/// Sends one header line, and a POST if there is a body. A body of the answer that is no JSON comes as its text.
pub(crate) async fn ask(url: &str, header: &str, body: Option<&Value>) -> (u16, Value) {
    let (authority, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    let (method, content) = match body.map(Value::to_string) {
        None => ("GET", "\r\n".to_owned()),
        Some(body) => {
            let length = body.len();
            ("POST", format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"))
        }
    };
    let request =
        format!("{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n{header}{content}");
    let mut stream = TcpStream::connect(authority).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|_| body.into()))
}
