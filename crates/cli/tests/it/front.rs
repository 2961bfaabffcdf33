//! A registry's own server, in front of the real exchange: what is not for the exchange, a closure answers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::registry::Registry;

/// A request.
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

/// A status line with header lines, and a body.
pub(crate) type Answer = (String, Vec<u8>);

/// Serves until the test ends, and gives the URL.
pub(crate) fn start(
    registry: Arc<Registry>,
    answer: impl Fn(&Registry, &Asked) -> Answer + Send + Sync + 'static,
) -> String {
    let front = Front::bind();
    let url = front.url.clone();
    front.serve(registry, answer);
    url
}

/// An address at which nobody answers yet: a registry can have it as its own before it is served.
pub(crate) struct Front {
    pub(crate) url: String,
    listener: TcpListener,
}

impl Front {
    pub(crate) fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { url: format!("http://{}", listener.local_addr().unwrap()), listener }
    }

    /// Serves until the test ends.
    pub(crate) fn serve(
        self,
        registry: Arc<Registry>,
        answer: impl Fn(&Registry, &Asked) -> Answer + Send + Sync + 'static,
    ) {
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in self.listener.incoming() {
                let (registry, answer) = (Arc::clone(&registry), Arc::clone(&answer));
                thread::spawn(move || serve(stream.unwrap(), &registry, &*answer));
            }
        });
    }
}

fn serve(stream: TcpStream, registry: &Registry, answer: &(impl Fn(&Registry, &Asked) -> Answer + ?Sized)) {
    let mut reader = BufReader::new(stream);
    let Some(asked) = read(&mut reader) else { return };
    let mut stream = reader.into_inner();
    if asked.target.starts_with("/oauth/") {
        forward(&asked, registry, &mut stream);
    } else {
        let (head, body) = answer(registry, &asked);
        let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    }
    let _ = stream.shutdown(Shutdown::Write);
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut lines = reader.by_ref().lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let headers = lines.by_ref().take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let mut asked = Asked { method, target, headers: headers.collect(), body: Vec::new() };
    if asked.header("expect").eq_ignore_ascii_case("100-continue") {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    asked.body = vec![0; asked.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut asked.body).unwrap();
    Some(asked)
}

/// To the exchange and back.
fn forward(asked: &Asked, registry: &Registry, stream: &mut TcpStream) {
    let address = registry.address;
    let mut exchange = TcpStream::connect(address).unwrap();
    let head = format!(
        "{} {} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        asked.method,
        asked.target,
        asked.header("content-type"),
        asked.body.len()
    );
    exchange.write_all(&[head.as_bytes(), &asked.body].concat()).unwrap();
    std::io::copy(&mut exchange, stream).unwrap();
}
