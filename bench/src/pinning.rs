//! Which core does what.

use std::path::Path;
use std::process::{self, Command};

use anyhow::{Context as _, bail};

/// Measured and measuring work on cores of their own, so that one does not slow the other down.
#[derive(Debug)]
pub(crate) enum Pinning {
    /// Two cores.
    Cores {
        /// Runs what is measured: the server, and the cryptography alone.
        measured: String,
        /// Runs the load generator.
        generator: String,
    },
    /// Everything everywhere, because of this.
    None(&'static str),
}

impl Pinning {
    /// Takes the first and the last core that this process may use, and `taskset` (util-linux) for the rest.
    pub(crate) fn detect() -> Self {
        let asked = Command::new("taskset").args(["-c", "-p", &process::id().to_string()]).output();
        let Ok(answer) = asked else {
            return Self::None("taskset (util-linux) is missing");
        };
        match first_and_last(&String::from_utf8_lossy(&answer.stdout)) {
            Some((measured, generator)) => Self::Cores { measured, generator },
            None => Self::None("there is only one core"),
        }
    }

    /// A command that runs on the measured core. It replaces `taskset`, so a child of it has the program's process id.
    pub(crate) fn measured(&self, program: &Path) -> Command {
        match self {
            Self::Cores { measured, .. } => {
                let mut command = Command::new("taskset");
                command.args(["-c", measured]).arg(program);
                command
            }
            Self::None(_) => Command::new(program),
        }
    }

    /// Moves this process to the generator's core.
    pub(crate) fn pin_generator(&self) -> anyhow::Result<()> {
        let Self::Cores { generator, .. } = self else { return Ok(()) };
        let own = process::id().to_string();
        let moved = Command::new("taskset").args(["-a", "-c", "-p", generator, &own]).output();
        if !moved.context("cannot run taskset")?.status.success() {
            bail!("taskset does not move the load generator to core {generator}");
        }
        Ok(())
    }
}

/// Of `pid 1's current affinity list: 0,2-3`.
fn first_and_last(answer: &str) -> Option<(String, String)> {
    let (_, cores) = answer.trim().rsplit_once(": ")?;
    let first = cores.split([',', '-']).next()?;
    let last = cores.rsplit([',', '-']).next()?;
    (first != last).then(|| (first.to_owned(), last.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::first_and_last;

    #[test]
    fn cores_are_taken_from_both_ends_of_the_list() {
        let check = |list: &str| first_and_last(&format!("pid 7's current affinity list: {list}\n"));
        let cores = |first: &str, last: &str| Some((first.to_owned(), last.to_owned()));
        assert_eq!(check("0,1"), cores("0", "1"));
        assert_eq!(check("0-7"), cores("0", "7"));
        assert_eq!(check("2,4-5"), cores("2", "5"));
        assert_eq!(check("3"), None);
        assert_eq!(first_and_last(""), None);
    }
}
