//! A way to an issuer that can be closed: the server reaches it through this as through a proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

mod lie;

pub(crate) use lie::{LIES, Lie};

/// How long one connection may last: a bound for what is forgotten in here.
const LONGEST: Duration = Duration::from_secs(30);

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They reach the issuer.
    Open,
    /// They are closed at once.
    Refusing,
    /// They are taken, and nothing ever comes back.
    Hanging,
    /// They are answered, but not by the issuer.
    Lying(Lie),
}

/// A listener that passes bytes on to one address, until dropped.
pub(crate) struct Gate {
    address: SocketAddr,
    mode: Arc<watch::Sender<Mode>>,
    accepting: JoinHandle<()>,
}

impl Gate {
    pub(crate) async fn start(target: &str, mode: Mode) -> anyhow::Result<Self> {
        let target: SocketAddr = target.parse().context("the simulator listens on an address")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mode = Arc::new(watch::Sender::new(mode));
        let modes = Arc::clone(&mode);
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(timeout(LONGEST, pass(connection, target, modes.subscribe())));
            }
        });
        Ok(Self { address, mode, accepting })
    }

    /// Where it is, as the URL of a proxy.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Also ends the connections that are there, as when an issuer restarts.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass(mut connection: TcpStream, target: SocketAddr, mut modes: watch::Receiver<Mode>) {
    let mode = *modes.borrow_and_update();
    let passing = async {
        match mode {
            Mode::Open => {
                if let Ok(mut issuer) = TcpStream::connect(target).await {
                    drop(tokio::io::copy_bidirectional(&mut connection, &mut issuer).await);
                }
            }
            Mode::Refusing => {}
            Mode::Hanging => std::future::pending().await,
            Mode::Lying(lie) => drop(lie.answer(&mut connection).await),
        }
    };
    tokio::select! {
        () = passing => {}
        _ = modes.changed() => {}
    }
}
