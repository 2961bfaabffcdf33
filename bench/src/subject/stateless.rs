//! Starts the exchange that remembers nothing, see [`crate::stateless`].

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::Context as _;

use super::{Kept, Subject};
use crate::generator::Target;
use crate::lifeline::{Order, Program};
use crate::stage::Stage;

/// The running program.
pub(super) struct Stateless {
    program: Program,
    address: Option<SocketAddr>,
}

impl Stateless {
    pub(super) fn start(stage: &Stage) -> anyhow::Result<Self> {
        let mut serve = stage.pinning.measured(&stage.own);
        serve.arg("stateless").arg(stage.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut stateless = Self { program: Program::start_with(&mut serve, stage.ending)?, address: None };
        let stdout = stateless.program.child().stdout.take().context("the program has a standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        stateless.address = Some(line.trim().parse().context("the stateless exchange does not start")?);
        Ok(stateless)
    }
}

impl Subject for Stateless {
    fn target(&self) -> anyhow::Result<Target> {
        Ok(Target {
            addresses: Vec::from_iter(self.address),
            processes: vec![self.program.id()],
            database: None,
        })
    }

    fn order(&mut self, order: Order) -> anyhow::Result<()> {
        Ok(self.program.order(order)?)
    }

    fn finish(self: Box<Self>, _: usize) -> anyhow::Result<Kept> {
        Ok(Kept::default())
    }
}
