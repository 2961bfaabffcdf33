//! The simulated provider: a program that is asked for jobs, a line each.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use super::actors::Actor;
use super::missing;
use crate::step::{Failure, Result};
use crate::workspace::Workspace;

/// The environment variables of a job.
pub(crate) struct Variables(Vec<(String, String)>);

impl Variables {
    /// All of them.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// One of them.
    pub(crate) fn value(&self, name: &str) -> Result<&str> {
        self.pairs().find(|(known, _)| *known == name).map(|(_, value)| value).ok_or_else(|| missing(name))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let index = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(index).1)
    }
}

/// The running simulator.
pub(crate) struct Simulator {
    issuer: String,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _actor: Actor,
}

impl Simulator {
    /// Starts it with the job of acme/train.
    pub(crate) fn start(workspace: &Workspace) -> Result<(Self, Variables)> {
        let mut command = Command::new(workspace.program("countersign-simulator"));
        command.args(["github", "repository=acme/train", "ref=refs/heads/main"]);
        println!("  $ countersign-simulator github repository=acme/train ref=refs/heads/main");
        let mut actor = Actor::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let input = actor.child().stdin.take().ok_or_else(|| missing("the simulator's input"))?;
        let output = actor.child().stdout.take().ok_or_else(|| missing("the simulator's output"))?;
        let mut simulator =
            Self { issuer: String::new(), input, output: BufReader::new(output), _actor: actor };
        let mut job = simulator.answer()?;
        simulator.issuer = job.take("ISSUER").ok_or_else(|| missing("ISSUER of the simulator"))?;
        Ok((simulator, job))
    }

    /// The pretend GitHub's issuer URL.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Starts one more job at the same provider.
    pub(crate) fn job(&mut self, line: &str) -> Result<Variables> {
        println!("  simulator> {line}");
        let sent = writeln!(self.input, "{line}").and_then(|()| self.input.flush());
        sent.map_err(|error| Failure::new(format!("cannot ask the simulator: {error}")))?;
        let mut job = self.answer()?;
        if let Some(error) = job.take("ERROR") {
            return Err(Failure::new(format!("the simulator: {error}")));
        }
        job.take("ISSUER").ok_or_else(|| missing("ISSUER of the simulator"))?;
        Ok(job)
    }

    /// Reads one `NAME=value` a line, up to an empty line.
    fn answer(&mut self) -> Result<Variables> {
        let mut variables = Vec::new();
        for line in self.output.by_ref().lines() {
            let line = line.map_err(|error| Failure::new(format!("cannot read the simulator: {error}")))?;
            let Some((name, value)) = line.split_once('=') else { return Ok(Variables(variables)) };
            variables.push((name.to_owned(), value.to_owned()));
        }
        Err(missing("an answer of the simulator"))
    }
}
