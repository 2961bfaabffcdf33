//! The real HTTP agent, files and clock, on this machine.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use countersign_client::http::{Http as _, HttpError, MAX_BODY, Request};
use countersign_client::system::{HttpAgent, SystemClock, SystemFiles};
use countersign_client::{Clock as _, Files as _};

/// Answers one request with these bytes, and returns the head of the request.
fn serve_once(answer: Vec<u8>) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).unwrap();
        // The client may have gone before a long answer is over.
        let _ = stream.write_all(&answer);
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    });
    (format!("http://{address}"), server)
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

#[test]
fn statuses_and_headers_come_back_as_they_are() {
    let (url, server) = serve_once(answer("418 teapot\r\nX-Request-Id: r1", b"short"));
    let response = HttpAgent::default().send(Request::get(format!("{url}/a?b=c"))).unwrap();
    assert_eq!((response.status, response.header("x-request-id")), (418, Some("r1")));
    assert_eq!(response.body, b"short");
    let head = server.join().unwrap();
    assert!(
        head.starts_with("GET /a?b=c HTTP/1.1\r\n") && head.contains("user-agent: countersign/"),
        "{head}"
    );
}

#[test]
fn redirects_are_not_followed() {
    let (elsewhere, _server) = serve_once(answer("200 ok", b"stolen"));
    let (url, _) = serve_once(answer(&format!("307 moved\r\nLocation: {elsewhere}"), b""));
    let request = Request::post_json(url, "{}".to_owned()).header("authorization", "Bearer s".to_owned());
    assert_eq!(HttpAgent::default().send(request).unwrap().status, 307);
}

#[test]
fn a_body_beyond_the_limit_is_an_error() {
    let (url, _server) = serve_once(answer("200 ok", &vec![b'x'; MAX_BODY + 1]));
    let error = HttpAgent::default().send(Request::get(url)).unwrap_err();
    assert!(matches!(error, HttpError::TooLong { .. }), "{error}");
    let (url, _server) = serve_once(answer("200 ok", &vec![b'x'; MAX_BODY]));
    assert_eq!(HttpAgent::default().send(Request::get(url)).unwrap().body.len(), MAX_BODY);
}

#[test]
fn errors_before_and_after_sending_are_told_apart() {
    // A port that was free a moment ago may be another test's by now; nobody listens on this one.
    let refused =
        HttpAgent::default().send(Request::get("http://127.0.0.1:1/secret".to_owned())).unwrap_err();
    assert!(matches!(refused, HttpError::NoConnection { .. }), "{refused}");
    assert!(!refused.to_string().contains("secret"));

    let (url, _server) = serve_once(b"HTTP/1.1 200 ok\r\ncontent-length: 9\r\n\r\nhalf".to_vec());
    let lost = HttpAgent::default().send(Request::get(url)).unwrap_err();
    assert!(matches!(lost, HttpError::NoAnswer { .. }), "{lost}");

    for url in ["http://a b/secret", "nonsense", "http://127.0.0.1:1/\u{0}secret"] {
        let malformed = HttpAgent::default().send(Request::get(url.to_owned())).unwrap_err();
        assert!(matches!(malformed, HttpError::Malformed { .. }), "{url}: {malformed:?}");
    }
}

#[test]
fn tls_is_spoken_without_a_global_provider() {
    let (url, _server) = serve_once(b"this is no TLS".to_vec());
    let error = HttpAgent::default().send(Request::get(url.replace("http:", "https:"))).unwrap_err();
    assert!(matches!(error, HttpError::NoAnswer { .. } | HttpError::Certificate { .. }), "{error}");
}

#[test]
fn files_are_read_up_to_a_limit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, "hf_x\n").unwrap();
    assert_eq!(SystemFiles.read(&path).unwrap(), "hf_x\n");
    std::fs::write(&path, vec![b'x'; 1024 * 1024 + 1]).unwrap();
    assert_eq!(SystemFiles.read(&path).unwrap_err().kind(), ErrorKind::FileTooLarge);
    assert_eq!(SystemFiles.read(&directory.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn the_clocks_go_forward() {
    let clock = SystemClock::default();
    let (before, wall) = (clock.monotonic(), clock.now().as_seconds());
    clock.sleep(std::time::Duration::from_millis(1));
    assert!(clock.monotonic() > before && clock.now().as_seconds() >= wall && wall > 1_700_000_000);
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_spoken_to_in_the_same_way() {
    use std::os::unix::net::UnixListener;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api");
    let ask = || {
        let request = Request::post_json("http://localhost/v1/tokens/oidc".to_owned(), "{}".to_owned());
        HttpAgent::default().send(request.through(path.to_str().unwrap()))
    };
    assert!(matches!(ask(), Err(HttpError::NoConnection { .. })));

    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let answers: [&[u8]; 2] = [b"HTTP/1.0 201 ok\r\nX-Request-Id: r1\r\n\r\na.b.c", b"nonsense"];
        answers.map(|answer| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).unwrap();
            stream.write_all(answer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        })
    });
    let response = ask().unwrap();
    assert_eq!(
        (response.status, response.header("x-request-id"), &*response.body),
        (201, Some("r1"), &b"a.b.c"[..])
    );
    assert!(matches!(ask(), Err(HttpError::NoAnswer { .. })));
    let [asked, _] = server.join().unwrap();
    assert!(
        asked.starts_with("POST /v1/tokens/oidc HTTP/1.0\r\n")
            && asked.ends_with("content-length: 2\r\n\r\n{}"),
        "{asked}"
    );
}
