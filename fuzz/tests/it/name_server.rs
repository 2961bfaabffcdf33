//! What a name server answers.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use countersign_client::system::Names;

use crate::BRIEFLY;

/// Where to change a byte, and into what.
type Changes = Vec<(u16, u8)>;

/// A server that knows every name, whose answers are changed a little before they leave.
fn server() -> (Names, Arc<Mutex<Changes>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let changes = Arc::new(Mutex::new(Changes::new()));
    let current = Arc::clone(&changes);
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let _ = socket.send_to(&answer(&question[..length], &current.lock().unwrap()), from);
        }
    });
    // Without lines in resolv.conf, this machine is asked.
    let names = Names { hosts: "/dev/null".into(), resolv_conf: "/dev/null".into(), port };
    (names, changes)
}

/// The question with an alias and an address after it.
fn answer(question: &[u8], changes: &Changes) -> Vec<u8> {
    let alias = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01a\xc0\x10";
    let address = b"\x01a\xc0\x10\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01";
    let mut answer = [question, alias, address].concat();
    answer[2..8].copy_from_slice(b"\x81\x80\x00\x01\x00\x02");
    for (place, byte) in changes {
        // The id stays, or nothing would be read.
        let place = 2 + usize::from(*place) % (answer.len() - 2);
        answer[place] = *byte;
    }
    answer
}

#[test]
fn no_answer_of_a_name_server_is_too_much() {
    let (names, changes) = server();
    let unchanged = names.addresses("hub.example.com", Duration::from_mins(1));
    assert_eq!(unchanged, Ok(vec![Ipv4Addr::LOCALHOST.into()]));
    bolero::check!().with_test_time(BRIEFLY).with_type::<Changes>().for_each(|chosen| {
        changes.lock().unwrap().clone_from(chosen);
        let outcome = names.addresses("hub.example.com", Duration::from_millis(2));
        assert!(outcome.is_err() || outcome.is_ok_and(|found| (1..=16).contains(&found.len())));
    });
}
