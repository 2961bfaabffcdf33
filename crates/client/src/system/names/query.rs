//! A question to a name server (RFC 1035), and its answer.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use aws_lc_rs::rand;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

use super::{deadline, left};

/// The longest answer over UDP without further agreement, with room for servers that do not keep to it.
const MAX_DATAGRAM: usize = 4096;
/// The most other datagrams that are passed over while the answer is waited for.
const MAX_STRANGE: usize = 32;

/// Asks one server for the addresses of a full name, of both kinds at once. Empty if there are none; an error if the server
/// did not say.
pub(super) fn ask(server: SocketAddr, name: &str, limit: Duration) -> io::Result<Vec<IpAddr>> {
    let (older, newer) = thread::scope(|scope| {
        let newer = scope.spawn(|| ask_for(server, name, TYPE::AAAA, limit));
        let older = ask_for(server, name, TYPE::A, limit);
        (older, newer.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into())))
    });
    match (older, newer) {
        (Ok(older), Ok(newer)) => Ok([older, newer].concat()),
        // There are servers that have never heard of the newer kind.
        (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => Ok(found),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

fn ask_for(server: SocketAddr, name: &str, kind: TYPE, limit: Duration) -> io::Result<Vec<IpAddr>> {
    let query = Query::new(name, kind)?;
    let answer = query.over_udp(server, limit)?;
    match query.read(&answer)? {
        Answer::Addresses(addresses) => Ok(addresses),
        Answer::Truncated => match query.read(&query.over_tcp(server, limit)?)? {
            Answer::Addresses(addresses) => Ok(addresses),
            Answer::Truncated => Err(io::ErrorKind::InvalidData.into()),
        },
    }
}

/// A question and what it is recognised by.
struct Query<'a> {
    id: u16,
    name: Name<'a>,
    kind: TYPE,
    bytes: Vec<u8>,
}

/// What came of it.
enum Answer {
    /// All of them.
    Addresses(Vec<IpAddr>),
    /// More than fits into a datagram.
    Truncated,
}

impl<'a> Query<'a> {
    fn new(name: &'a str, kind: TYPE) -> io::Result<Self> {
        // Together with the port, which the system chooses, it is all that an answer from elsewhere would have to guess.
        let mut id = [0; 2];
        rand::fill(&mut id).map_err(|_| io::Error::other("the system gives no randomness"))?;
        let id = u16::from_be_bytes(id);
        let name = Name::new(name).map_err(|_| invalid())?;
        let mut packet = Packet::new_query(id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(Question::new(
            name.clone(),
            QTYPE::TYPE(kind),
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        let bytes = packet.build_bytes_vec().map_err(|_| invalid())?;
        Ok(Self { id, name, kind, bytes })
    }

    fn over_udp(&self, server: SocketAddr, limit: Duration) -> io::Result<Vec<u8>> {
        let deadline = deadline(limit);
        let any: SocketAddr = if server.is_ipv4() {
            (Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = UdpSocket::bind(any)?;
        // From nobody else will anything be received.
        socket.connect(server)?;
        socket.send(&self.bytes)?;
        let mut datagram = vec![0; MAX_DATAGRAM];
        for _ in 0..MAX_STRANGE {
            socket.set_read_timeout(Some(some(left(deadline))?))?;
            let length = socket.recv(&mut datagram)?;
            if self.is_answered_by(&datagram[..length]) {
                datagram.truncate(length);
                return Ok(datagram);
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    fn over_tcp(&self, server: SocketAddr, limit: Duration) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&server, some(limit)?)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        let length = u16::try_from(self.bytes.len()).map_err(|_| invalid())?;
        stream.write_all(&[&length.to_be_bytes()[..], &self.bytes].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut answer)?;
        if self.is_answered_by(&answer) { Ok(answer) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// Whether it is an answer to this very question.
    fn is_answered_by(&self, bytes: &[u8]) -> bool {
        let Ok(packet) = Packet::parse(bytes) else { return false };
        let [question] = &packet.questions[..] else { return false };
        packet.id() == self.id
            && packet.has_flags(PacketFlag::RESPONSE)
            && question.qtype == QTYPE::TYPE(self.kind)
            && are_same(&question.qname, &self.name)
    }

    /// The addresses of the name, or of the name that it is another name for, and so on.
    fn read(&self, bytes: &[u8]) -> io::Result<Answer> {
        let packet = Packet::parse(bytes).map_err(|_| invalid())?;
        match packet.rcode() {
            _ if packet.has_flags(PacketFlag::TRUNCATION) => return Ok(Answer::Truncated),
            RCODE::NoError => {}
            RCODE::NameError => return Ok(Answer::Addresses(Vec::new())),
            code => return Err(io::Error::other(format!("the name server answered {code:?}"))),
        }
        let mut owner = self.name.clone();
        // A chain is no longer than the answer; one that leads back ends here too.
        for _ in 0..packet.answers.len() {
            let own = || packet.answers.iter().filter(|record| are_same(&record.name, &owner));
            let next = own().find_map(|record| match &record.rdata {
                RData::CNAME(target) => Some(target.0.clone()),
                _ => None,
            });
            match next {
                Some(next) => owner = next,
                None => break,
            }
        }
        let own = packet.answers.iter().filter(|record| are_same(&record.name, &owner));
        let addresses = own.filter_map(|record| match &record.rdata {
            RData::A(address) if self.kind == TYPE::A => Some(Ipv4Addr::from(address.address).into()),
            RData::AAAA(address) if self.kind == TYPE::AAAA => Some(Ipv6Addr::from(address.address).into()),
            _ => None,
        });
        Ok(Answer::Addresses(addresses.collect()))
    }
}

/// Names are compared without case (RFC 4343).
fn are_same(one: &Name<'_>, other: &Name<'_>) -> bool {
    one.to_string().eq_ignore_ascii_case(&other.to_string())
}

/// Sockets take no limit of nothing: there it means for ever.
fn some(limit: Duration) -> io::Result<Duration> {
    if limit.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(limit) }
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidInput.into()
}
