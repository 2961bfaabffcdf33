//! A real server in front of pretend issuers, under requests whose right verdicts are known before they are sent: what the
//! soak and the chaos are made of.

use std::sync::Arc;

use countersign_simulator::Simulator;

pub(crate) mod gate;
pub(crate) mod load;
pub(crate) mod log;
pub(crate) mod sender;
pub(crate) mod server;
pub(crate) mod traffic;
pub(crate) mod verdict;

use gate::{Gate, Mode};

/// The pretend issuers, and the ways to two of them.
pub(crate) struct Issuers {
    /// Its GitHub never fails, and rotates its keys. Its GitLab fails and comes back.
    pub(crate) steady: Simulator,
    /// Its GitHub hangs from the beginning.
    pub(crate) late: Simulator,
    pub(crate) to_gitlab: Gate,
    pub(crate) to_late: Gate,
}

impl Issuers {
    pub(crate) async fn start() -> anyhow::Result<Arc<Self>> {
        let (steady, late) = (Simulator::start().await?, Simulator::start().await?);
        let to_gitlab = Gate::start(steady.gitlab().issuer().authority(), Mode::Open).await?;
        let to_late = Gate::start(late.github().issuer().authority(), Mode::Hanging).await?;
        Ok(Arc::new(Self { steady, late, to_gitlab, to_late }))
    }
}
