//! Names without the C library, with a hosts file and a name server of our own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use countersign_client::system::{NameError, Names};
use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};
use tempfile::TempDir;

/// A name server that knows the names of this file, at 127.0.0.1 and the port.
struct Server {
    folder: TempDir,
    names: Names,
}

impl Server {
    /// Starts it, with these lines in resolv.conf after the one that names it.
    fn start(hosts: &str, more: &str) -> Self {
        let (udp, tcp) = sockets();
        let port = udp.local_addr().unwrap().port();
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut question) {
                for answer in answers(&question[..length], Way::Udp) {
                    udp.send_to(&answer, from).unwrap();
                }
            }
        });
        thread::spawn(move || {
            for stream in tcp.incoming() {
                let mut stream = stream.unwrap();
                let mut length = [0; 2];
                stream.read_exact(&mut length).unwrap();
                let mut question = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut question).unwrap();
                for answer in answers(&question, Way::Tcp) {
                    let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                    stream.write_all(&[&length[..], &answer].concat()).unwrap();
                }
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let (hosts_file, resolv_conf) = (folder.path().join("hosts"), folder.path().join("resolv.conf"));
        fs::write(&hosts_file, hosts).unwrap();
        fs::write(&resolv_conf, format!("{more}\nnameserver 127.0.0.1\n")).unwrap();
        let names = Names { hosts: hosts_file, resolv_conf, port };
        Self { folder, names }
    }

    fn find(&self, host: &str) -> Result<String, NameError> {
        let found = self.names.addresses(host, Duration::from_mins(1))?;
        Ok(found.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "))
    }
}

/// The same port for both ways.
fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Udp,
    Tcp,
}

/// What the server says, in as many messages as it takes.
fn answers(question: &[u8], way: Way) -> Vec<Vec<u8>> {
    let question = Packet::parse(question).unwrap();
    let asked = question.questions[0].qname.to_string();
    let is_a = question.questions[0].qtype == QTYPE::TYPE(TYPE::A);
    let mut answer = question.clone().into_reply();
    let record = |name: &str, data: RData<'static>| {
        ResourceRecord::new(Name::new(name).unwrap().into_owned(), CLASS::IN, 60, data)
    };
    let a = |last: u8| RData::A(A { address: u32::from_be_bytes([10, 0, 0, last]) });
    let aaaa = RData::AAAA(AAAA { address: 1 });
    let alias = |target: &'static str| RData::CNAME(CNAME(Name::new(target).unwrap()));
    let known: BTreeMap<&str, Vec<ResourceRecord<'_>>> = [
        ("hub.example.com", vec![record("HUB.example.com", if is_a { a(1) } else { aaaa.clone() })]),
        ("v6.example.com", if is_a { vec![] } else { vec![record("v6.example.com", aaaa)] }),
        (
            "alias.example.com",
            vec![
                record("third.example.com", a(3)),
                record("second.example.com", alias("third.example.com")),
                record("alias.example.com", alias("second.example.com")),
                record("stranger.example.com", a(66)),
            ],
        ),
        (
            "circle.example.com",
            vec![
                record("circle.example.com", alias("other.example.com")),
                record("other.example.com", alias("circle.example.com")),
            ],
        ),
        ("many.example.com", (0..40).map(|last| record("many.example.com", a(last))).collect()),
        ("strange.example.com", vec![record("strange.example.com", a(7))]),
    ]
    .into();
    match known.get(&*asked) {
        _ if asked == "silent.example.com" => return Vec::new(),
        _ if asked == "broken.example.com" => *answer.rcode_mut() = RCODE::ServerFailure,
        None => *answer.rcode_mut() = RCODE::NameError,
        Some(_) if asked == "many.example.com" && way == Way::Udp => answer.set_flags(PacketFlag::TRUNCATION),
        Some(records) => answer.answers.clone_from(records),
    }
    let bytes = answer.build_bytes_vec().unwrap();
    if asked != "strange.example.com" {
        return vec![bytes];
    }
    // Somebody who guesses, and somebody who knows nothing, are faster.
    let mut other_id = answer.clone();
    other_id.set_id(answer.id() ^ 1);
    other_id.answers = vec![record("strange.example.com", a(66))];
    let mut other_name = answer.clone();
    other_name.questions[0].qname = Name::new("stronge.example.com").unwrap();
    let mut no_answer = bytes.clone();
    no_answer[2] &= 0x7f;
    vec![
        other_id.build_bytes_vec().unwrap(),
        other_name.build_bytes_vec().unwrap(),
        no_answer,
        vec![1, 2, 3],
        bytes,
    ]
}

#[test]
fn the_hosts_file_comes_first() {
    let server = Server::start("10.9.9.9 hub.example.com vm\n", "");
    for (host, expected) in [
        ("hub.example.com", "10.9.9.9"),
        ("VM", "10.9.9.9"),
        ("localhost", "127.0.0.1 ::1"),
        ("a.localhost", "127.0.0.1 ::1"),
        ("10.1.1.1", "10.1.1.1"),
        ("[::1]", "::1"),
    ] {
        assert_eq!(server.find(host).as_deref(), Ok(expected), "{host}");
    }
}

#[test]
fn the_name_server_is_asked() {
    let server = Server::start("", "search nowhere.example example.com");
    for (host, expected) in [
        ("hub.example.com", Ok("10.0.0.1 ::1")),
        ("hub.example.com.", Ok("10.0.0.1 ::1")),
        ("hub", Ok("10.0.0.1 ::1")),
        ("v6.example.com", Ok("::1")),
        ("alias.example.com", Ok("10.0.0.3")),
        ("strange.example.com", Ok("10.0.0.7")),
        ("circle.example.com", Err(NameError::NotFound)),
        ("nobody.example.com", Err(NameError::NotFound)),
        ("hub.", Err(NameError::NotFound)),
        ("broken.example.com", Err(NameError::NoAnswer)),
    ] {
        assert_eq!(server.find(host).as_deref().map_err(|error| *error), expected, "{host}");
    }
    let many = server.find("many.example.com").unwrap();
    assert_eq!(many.split(' ').count(), 16, "by TCP, and not all of them: {many}");
}

#[test]
fn a_server_that_is_not_there_is_passed_over() {
    let server = Server::start("", "nameserver 127.0.0.3");
    assert_eq!(server.find("hub.example.com").as_deref(), Ok("10.0.0.1 ::1"));
    fs::write(server.folder.path().join("resolv.conf"), "nameserver 127.0.0.3\noptions attempts:1").unwrap();
    assert_eq!(server.find("hub.example.com"), Err(NameError::NoAnswer));
}

#[test]
fn nobody_is_waited_for_beyond_the_limit() {
    let server = Server::start("", "");
    let outcome = server.names.addresses("silent.example.com", Duration::from_millis(1));
    assert_eq!(outcome, Err(NameError::NoAnswer));
}
