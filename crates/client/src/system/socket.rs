//! HTTP over a Unix socket: one request, one answer, one connection.

use std::path::Path;
use std::time::Duration;

#[cfg(unix)]
use crate::http::Method;
use crate::http::{HttpError, Request, Response};

/// Sends it and reads the answer, each step within `limit`.
///
/// As HTTP/1.0: the server then neither keeps the connection open nor sends in chunks, so the answer is what comes.
#[cfg(unix)]
pub(super) fn send(request: &Request, path: &Path, limit: Duration) -> Result<Response, HttpError> {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    let host = || path.display().to_string();
    let mut stream = UnixStream::connect(path)
        .map_err(|error| HttpError::NoConnection { host: host(), reason: error.to_string() })?;
    let no_answer = |error: std::io::Error| HttpError::NoAnswer { host: host(), reason: error.to_string() };
    stream.set_read_timeout(Some(limit)).map_err(no_answer)?;
    stream.set_write_timeout(Some(limit)).map_err(no_answer)?;
    stream.write_all(written(request).as_bytes()).map_err(no_answer)?;
    let mut answer = Vec::new();
    let most = request.limit;
    stream.take(most as u64 + 1).read_to_end(&mut answer).map_err(no_answer)?;
    if answer.len() > most {
        return Err(HttpError::TooLong { host: host() });
    }
    let cut_short = || HttpError::NoAnswer { host: host(), reason: "the answer is no HTTP".to_owned() };
    read(&answer).ok_or_else(cut_short)
}

/// There are no such sockets here.
#[cfg(not(unix))]
pub(super) fn send(_: &Request, path: &Path, _: Duration) -> Result<Response, HttpError> {
    let reason = "this system has no Unix sockets".to_owned();
    Err(HttpError::NoConnection { host: path.display().to_string(), reason })
}

#[cfg(unix)]
fn written(request: &Request) -> String {
    let rest = request.url.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let fields: Vec<String> =
        request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let (fields, body) = (fields.concat(), &request.body);
    let length = body.len();
    format!("{method} /{path} HTTP/1.0\r\nhost: localhost\r\n{fields}content-length: {length}\r\n\r\n{body}")
}

#[cfg(unix)]
fn read(answer: &[u8]) -> Option<Response> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (str::from_utf8(&answer[..end]).ok()?, answer[end + 4..].to_vec());
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let fields = lines.filter_map(|line| line.split_once(':'));
    let headers = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Some(Response { status, headers, body })
}
