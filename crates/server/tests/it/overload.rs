//! Connections that take room and give nothing for it.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::stage::Stage;

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

async fn connect(stage: &Stage) -> TcpStream {
    TcpStream::connect(address(stage)).await.unwrap()
}

fn address(stage: &Stage) -> std::net::SocketAddr {
    stage.url.strip_prefix("http://").unwrap().parse().unwrap()
}

/// Sends a request and reads the head of the answer, or as much as there is before the end.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> String {
    // One that is not let in may be closed before it has sent anything.
    drop(stream.write_all(request).await);
    let mut answer = Vec::new();
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read_buf(&mut answer).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    String::from_utf8(answer).unwrap()
}

/// Reads until the server has closed the connection.
async fn end(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A reset is an end too.
    drop(stream.read_to_end(&mut rest).await);
    rest
}

#[tokio::test(flavor = "multi_thread")]
async fn m1_one_connection_too_many_is_closed_and_the_others_are_served() {
    let stage = Stage::with("[limits]\nconnections = 2\n").await;
    let (mut first, mut second) = (connect(&stage).await, connect(&stage).await);
    assert!(ask(&mut first, HEALTH).await.starts_with("HTTP/1.1 200"));
    assert!(ask(&mut second, HEALTH).await.starts_with("HTTP/1.1 200"));
    assert_eq!(ask(&mut connect(&stage).await, HEALTH).await, "");
    drop(first);
    // The server sees the end a moment later than we make it.
    let answered = async {
        while ask(&mut connect(&stage).await, HEALTH).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answered).await.unwrap();
    assert!(ask(&mut second, HEALTH).await.starts_with("HTTP/1.1 200"), "who is in stays in");
}

#[tokio::test(flavor = "multi_thread")]
async fn m2_a_connection_without_requests_is_closed() {
    let stage = Stage::with("[limits]\nidle = \"1s\"\npatience = \"20s\"\n").await;
    let mut stream = connect(&stage).await;
    assert!(ask(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
    end(&mut stream).await;
    // A head that is never complete is no request either.
    let mut stream = connect(&stage).await;
    assert!(ask(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost").await.unwrap();
    end(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m3_who_says_nothing_is_closed() {
    let stage = Stage::with("[limits]\npatience = \"1s\"\n").await;
    end(&mut connect(&stage).await).await;
    let mut stream = connect(&stage).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    end(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m4_who_takes_no_answers_is_closed() {
    let stage = Stage::with("[limits]\npatience = \"1s\"\n").await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(address(&stage)).await.unwrap();
    let request = b"GET /.well-known/openid-configuration HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    // Ends only if the server gives up: without that it would neither read nor write any more.
    while stream.write_all(&request).await.is_ok() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn m5_headers_are_bounded() {
    let stage = Stage::new().await;
    let many = "x-many: 1\r\n".repeat(101);
    let large = format!("x-large: {}\r\n", "x".repeat(20_000));
    for headers in [many, large] {
        let request = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let answer = ask(&mut connect(&stage).await, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn m9_a_body_is_bounded_and_has_to_come_in_time() {
    let stage = Stage::new().await;
    let limits = [("/oauth/token", 16), ("/api/v1/explain", 32)];
    for (path, kibibytes) in limits {
        let head = |length: usize| {
            format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
            )
        };
        let large = [head(kibibytes * 1024 + 1).into_bytes(), vec![b' '; kibibytes * 1024 + 1]].concat();
        let answer = ask(&mut connect(&stage).await, &large).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{path}: {answer}");
        let fits = [head(kibibytes * 1024).into_bytes(), vec![b' '; kibibytes * 1024]].concat();
        let answer = ask(&mut connect(&stage).await, &fits).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
    }
    let slow = limits.map(|(path, _)| {
        let stream = connect(&stage);
        async move {
            let begun = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{{");
            (path, ask(&mut stream.await, begun.as_bytes()).await)
        }
    });
    let [first, second] = slow;
    let both = async { tokio::join!(first, second) };
    let (first, second) = tokio::time::timeout(Duration::from_secs(25), both).await.unwrap();
    for (path, answer) in [first, second] {
        assert!(answer.starts_with("HTTP/1.1 408"), "{path}: {answer}");
    }
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// `GET http://x/healthz`, in HPACK.
const GET_HEALTH: &[u8] = b"\x82\x86\x44\x08/healthz\x41\x01x";

fn http2(frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])];
    preface.into_iter().chain(frames).flatten().collect()
}

/// Kind and payload of each frame in the bytes.
fn frames(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap().min(rest.len());
        frames.push((*kind, &rest[..length]));
        bytes = &rest[length..];
    }
    frames
}

fn reason_to_go_away(received: &[u8]) -> Option<u8> {
    let goaway = frames(received).into_iter().rfind(|(kind, _)| *kind == GOAWAY);
    goaway.map(|(_, payload)| payload[7])
}

#[tokio::test(flavor = "multi_thread")]
async fn m6_rapid_resets_end_the_connection() {
    const ENHANCE_YOUR_CALM: u8 = 0xb;
    let stage = Stage::new().await;
    let resets = (0..10_000).flat_map(|index| {
        let stream = 2 * index + 1;
        [frame(HEADERS, 0x5, stream, GET_HEALTH), frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())]
    });
    let mut stream = connect(&stage).await;
    let (mut reading, mut writing) = stream.split();
    let flood = http2(resets);
    let mut received = Vec::new();
    let (_written, _read) = tokio::join!(writing.write_all(&flood), reading.read_to_end(&mut received));
    assert_eq!(reason_to_go_away(&received), Some(ENHANCE_YOUR_CALM));
}

#[tokio::test(flavor = "multi_thread")]
async fn m7_an_idle_http_2_connection_is_closed_however_often_it_pings() {
    const PING: u8 = 6;
    let stage = Stage::with("[limits]\nidle = \"1s\"\n").await;
    let mut stream = connect(&stage).await;
    stream.write_all(&http2([frame(HEADERS, 0x5, 1, GET_HEALTH)])).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let pings = async {
        // Each answered ping is followed by the next, until the connection is gone.
        while writing.write_all(&frame(PING, 0, 0, &[0; 8])).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let mut received = vec![0; 65_536];
    let reads = async { while reading.read(&mut received).await.is_ok_and(|count| count > 0) {} };
    tokio::join!(pings, reads);
}

#[tokio::test(flavor = "multi_thread")]
async fn m8_continuations_without_end_end_the_connection() {
    let stage = Stage::new().await;
    let header =
        b"\x00\x01x\x7f\x81\x06".iter().copied().chain(std::iter::repeat_n(b'x', 896)).collect::<Vec<_>>();
    let first = frame(HEADERS, 0x1, 1, GET_HEALTH);
    let more = (0..1_000).map(|_| frame(CONTINUATION, 0, 1, &header));
    let mut stream = connect(&stage).await;
    let (mut reading, mut writing) = stream.split();
    let flood = http2(std::iter::once(first).chain(more));
    let mut received = Vec::new();
    let (_written, _read) = tokio::join!(writing.write_all(&flood), reading.read_to_end(&mut received));
    assert!(reason_to_go_away(&received).is_some(), "{:?}", frames(&received));
}
