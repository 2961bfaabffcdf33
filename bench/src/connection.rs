//! A connection that costs next to nothing: bytes out, and of what comes back the status and the length.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An HTTP/1.1 connection that is kept alive. One request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(8 * 1024) })
    }

    /// Sends a whole request and waits for the whole answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                bail!("the server closed the connection before its answer was complete");
            }
            if let Some(head) = Head::of(&self.received)?
                && self.received.len() >= head.length + head.content_length
            {
                let body = self.received[head.length..][..head.content_length].to_vec();
                return Ok(Answer { status: head.status, body });
            }
        }
    }
}

/// A request for a path.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench.example.com\r\n\r\n").into_bytes()
}

/// A request with a JSON body. Further headers end with a line end each.
pub(crate) fn post(path: &str, headers: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: bench.example.com\r\ncontent-type: application/json\r\n{headers}"
    );
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[derive(Debug, PartialEq)]
struct Head {
    status: u16,
    length: usize,
    content_length: usize,
}

impl Head {
    /// Reads the head of an answer once it is complete. All servers that are asked here say how long their body is.
    fn of(received: &[u8]) -> anyhow::Result<Option<Self>> {
        let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let text = str::from_utf8(&received[..end]).context("the answer's head is not text")?;
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        let named = |line: &&str| {
            line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        };
        let line = text.lines().find(named).and_then(|line| line.split_once(':'));
        let content_length = match status {
            // There is never a body (RFC 9110 §15.3.5).
            Some(204) => Some(0),
            _ => line.and_then(|(_, value)| value.trim().parse().ok()),
        };
        match status.zip(content_length) {
            Some((status, content_length)) => Ok(Some(Self { status, length: end + 4, content_length })),
            None => bail!("the answer has no status or no content-length"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Head;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        let head = Head { status: 200, length: answer.len() - 2, content_length: 2 };
        assert_eq!(Head::of(answer).unwrap(), Some(head));
        assert_eq!(Head::of(&answer[..30]).unwrap(), None);
        assert!(Head::of(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        let empty = b"HTTP/1.1 204 No Content\r\n\r\n";
        let head = Head { status: 204, length: empty.len(), content_length: 0 };
        assert_eq!(Head::of(empty).unwrap(), Some(head));
    }
}
