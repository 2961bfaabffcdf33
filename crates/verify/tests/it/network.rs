//! Threats C3 and C4: where connections may go, with real sockets and a resolver that lies.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use countersign_verify::{Fetch, FetchError, HttpFetch, HttpSettings, Network, Resolve, ResolveFuture};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers each question with the next list of addresses, and the last one from then on.
#[derive(Debug)]
struct Liar {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Liar {
    fn saying(answers: &[&str]) -> Arc<Self> {
        let addresses = |answer: &&str| answer.split(' ').map(|address| address.parse().unwrap()).collect();
        Arc::new(Self {
            answers: Mutex::new(answers.iter().map(addresses).collect()),
            asked: Mutex::default(),
        })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Resolve for Liar {
    fn resolve<'a>(&'a self, name: &'a str) -> ResolveFuture<'a> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { Ok(answer.unwrap()) })
    }
}

/// A listener on loopback that counts whom it lets in.
struct Trap {
    listener: std::net::TcpListener,
    port: u16,
}

impl Trap {
    fn set(address: Ipv4Addr, port: u16) -> Self {
        let listener = std::net::TcpListener::bind((address, port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    #[track_caller]
    fn check_untouched(&self) {
        assert!(self.listener.accept().is_err(), "somebody connected");
    }
}

fn fetch(network: Network, resolver: &Arc<Liar>) -> HttpFetch {
    let resolver: Arc<dyn Resolve> = Arc::<Liar>::clone(resolver);
    HttpFetch::with_resolver(&HttpSettings { network, ..HttpSettings::default() }, resolver).unwrap()
}

#[tokio::test]
async fn c3_a_name_that_leads_inside_is_not_connected_to() {
    let trap = Trap::set(Ipv4Addr::LOCALHOST, 0);
    for answer in [
        "127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "100.64.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "fd00::1",
        // One address is enough, first or last.
        "127.0.0.1 8.8.8.8",
        "8.8.8.8 127.0.0.1",
    ] {
        let resolver = Liar::saying(&[answer]);
        let url = format!("http://issuer.example.com:{}/keys", trap.port);
        let refusal = fetch(Network::Public, &resolver).get(&url).await.unwrap_err();
        assert!(matches!(refusal, FetchError::NotPublic(_)), "{answer}: {refusal}");
        assert_eq!(resolver.asked(), ["issuer.example.com"], "{answer}");
    }
    trap.check_untouched();
    let refusal =
        fetch(Network::Public, &Liar::saying(&["10.0.0.1"])).get("https://issuer.example.com").await;
    insta::assert_snapshot!(refusal.unwrap_err(), @"expected issuer.example.com to have public addresses only, found 10.0.0.1, which is private; if it is meant to be there, allow it with the setting `private_network`");
}

#[tokio::test]
async fn c3_an_address_in_the_url_is_vetted_too() {
    let trap = Trap::set(Ipv4Addr::LOCALHOST, 0);
    let resolver = Liar::saying(&["8.8.8.8"]);
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.1.",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "169.254.169.254",
        "１２７.0.0.1",
    ] {
        let url = format!("http://{host}:{}/keys", trap.port);
        let refusal = fetch(Network::Public, &resolver).get(&url).await.unwrap_err();
        assert!(matches!(refusal, FetchError::NotPublic(_)), "{host}: {refusal}");
    }
    assert!(resolver.asked().is_empty());
    trap.check_untouched();
}

#[tokio::test]
async fn c4_a_name_is_resolved_once_and_connected_to_what_was_vetted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _read = stream.read(&mut request).await;
            let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
            let _written = stream.write_all(answer).await;
        }
    });
    // Where the second answer leads.
    let trap = Trap::set(Ipv4Addr::new(127, 0, 0, 2), port);
    let resolver = Liar::saying(&["127.0.0.1", "127.0.0.2"]);
    let url = format!("http://issuer.example.com:{port}/keys");
    assert_eq!(fetch(Network::Any, &resolver).get(&url).await.unwrap(), b"{}");
    assert_eq!(resolver.asked().len(), 1, "what was vetted is what was connected to");
    trap.check_untouched();
}

#[tokio::test]
async fn c9_a_proxy_chooses_for_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Some(format!("http://{}", listener.local_addr().unwrap()));
    let seen = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 1024];
        let length = stream.read(&mut request).await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer).await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let fetch = HttpFetch::new(&HttpSettings { proxy, ..HttpSettings::default() }).unwrap();
    fetch.get("http://issuer.example.com/keys").await.unwrap();
    let request = seen.await.unwrap();
    assert!(request.starts_with("GET http://issuer.example.com/keys "), "{request}");
}

#[test]
fn an_issuer_on_loopback_is_meant_to_be_there() {
    let of = |issuer: &str| Network::of(&issuer.parse().unwrap());
    assert_eq!(of("http://127.0.0.1:8080"), Network::Any);
    assert_eq!(of("http://localhost:8080"), Network::Any);
    assert_eq!(of("https://10.0.0.1"), Network::Public);
    assert_eq!(of("https://issuer.example.com"), Network::Public);
    assert!(Network::Public.check_literal("https://10.0.0.1").is_err());
    assert!(Network::Any.check_literal("https://10.0.0.1").is_ok());
    assert!(Network::Public.check_literal("https://issuer.example.com").is_ok());
}
