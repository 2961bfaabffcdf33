//! A way to a database that takes its time, as to another machine.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

/// How long bytes are on their way at least, in each direction: there and back is a millisecond, as between the parts of a cloud's
/// region. Under load it is more, and passing them on costs the load generator's core something.
pub(crate) const THERE: Duration = Duration::from_micros(500);

/// A listener that passes bytes on to one address, until dropped.
pub(crate) struct Way {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Way {
    /// The way to a port of this machine.
    pub(crate) fn to(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, is_over) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let is_closed = Arc::clone(&is_over);
        thread::spawn(move || {
            for connection in listener.incoming() {
                if is_closed.load(Ordering::Relaxed) {
                    return;
                }
                // Whoever is not passed on finds the connection closed.
                let _ = connection.and_then(|near| pass(near, port));
            }
        });
        Ok(Self { address, is_over })
    }

    /// The port where it begins.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener up.
        drop(TcpStream::connect(self.address));
    }
}

fn pass(near: TcpStream, port: u16) -> io::Result<()> {
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    later(near.try_clone()?, far.try_clone()?);
    later(far, near);
    Ok(())
}

/// Has everything that comes arrive later, in order.
fn later(mut from: TcpStream, to: TcpStream) {
    let (bytes, arriving) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 18];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if bytes.send((Instant::now() + THERE, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || arrive(&to, &arriving));
}

fn arrive(mut to: &TcpStream, arriving: &Receiver<(Instant, Vec<u8>)>) {
    while let Ok((due, bytes)) = arriving.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    // Both directions: a database says its last word before it closes.
    drop(to.shutdown(Shutdown::Both));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_arrives_later_in_both_directions_and_whole() {
        let far = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let way = Way::to(far.local_addr().unwrap().port()).unwrap();
        let mut near = TcpStream::connect(way.address).unwrap();
        let (mut far, _) = far.accept().unwrap();
        let sent: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let begun = Instant::now();
        let answering = thread::spawn(move || {
            let mut word = [0; 4];
            far.read_exact(&mut word).unwrap();
            assert!(begun.elapsed() >= THERE);
            far.write_all(&word).unwrap();
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all
        });
        near.write_all(b"ping").unwrap();
        let mut word = [0; 4];
        near.read_exact(&mut word).unwrap();
        assert!(begun.elapsed() >= 2 * THERE && &word == b"ping");
        near.write_all(&sent).unwrap();
        drop(near);
        assert_eq!(answering.join().unwrap(), sent);
    }
}
