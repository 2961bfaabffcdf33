//! Which core does what.

use std::fmt;
use std::path::Path;
use std::process::{self, Command};

use anyhow::{Context as _, bail};

/// Measured and measuring work on cores of their own, so that one does not slow the other down.
#[derive(Debug)]
pub(crate) enum Pinning {
    /// Two cores or more.
    Cores(Cores),
    /// Everything everywhere, because of this.
    None(&'static str),
}

/// Cores by the numbers that Linux gives them.
#[derive(Debug, PartialEq)]
pub(crate) struct Cores {
    /// Runs what is measured: the server, and the cryptography alone.
    pub(crate) measured: u32,
    /// Runs the load generator.
    pub(crate) generator: u32,
    /// Runs PostgreSQL: a core of its own where there is a third one, otherwise the generator's.
    pub(crate) database: u32,
}

impl Pinning {
    /// Takes cores that this process may use, and `taskset` (util-linux) for the rest.
    pub(crate) fn detect() -> Self {
        let asked = Command::new("taskset").args(["-c", "-p", &process::id().to_string()]).output();
        let Ok(answer) = asked else {
            return Self::None("taskset (util-linux) is missing");
        };
        Cores::chosen_of(&String::from_utf8_lossy(&answer.stdout))
            .map_or(Self::None("there is only one core"), Self::Cores)
    }

    /// A command that runs on the measured core. It replaces `taskset`, so a child of it has the program's process id.
    pub(crate) fn measured(&self, program: &Path) -> Command {
        let Self::Cores(cores) = self else { return Command::new(program) };
        let mut command = Command::new("taskset");
        command.args(["-c", &cores.measured.to_string()]).arg(program);
        command
    }

    /// The words before a command that make it run on the database's core.
    pub(crate) fn database(&self) -> Vec<String> {
        let Self::Cores(cores) = self else { return Vec::new() };
        ["taskset", "-c", &cores.database.to_string()].map(str::to_owned).into()
    }

    /// Moves this process to the generator's core.
    pub(crate) fn pin_generator(&self) -> anyhow::Result<()> {
        let Self::Cores(Cores { generator, .. }) = self else { return Ok(()) };
        let (own, generator) = (process::id().to_string(), generator.to_string());
        let moved = Command::new("taskset").args(["-a", "-c", "-p", &generator, &own]).output();
        if !moved.context("cannot run taskset")?.status.success() {
            bail!("taskset does not move the load generator to core {generator}");
        }
        Ok(())
    }
}

impl fmt::Display for Pinning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cores(Cores { measured, generator, database }) => {
                write!(
                    f,
                    "measured on core {measured}, from core {generator}, with PostgreSQL on core {database}"
                )
            }
            Self::None(why) => write!(f, "not pinned to cores, so of little worth: {why}"),
        }
    }
}

impl Cores {
    /// The first, the last and the one before that, of `pid 1's current affinity list: 0,2-3`.
    fn chosen_of(answer: &str) -> Option<Self> {
        let (_, ranges) = answer.trim().rsplit_once(": ")?;
        let mut cores = Vec::new();
        for range in ranges.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            cores.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
        }
        let [measured, .., generator] = cores[..] else { return None };
        let database = cores[1..cores.len() - 1].last().copied().unwrap_or(generator);
        Some(Self { measured, generator, database })
    }
}

#[cfg(test)]
mod tests {
    use super::Cores;

    #[test]
    fn cores_are_taken_from_both_ends_of_the_list() {
        let check = |list: &str| Cores::chosen_of(&format!("pid 7's current affinity list: {list}\n"));
        let cores = |measured, database, generator| Some(Cores { measured, generator, database });
        assert_eq!(check("0,1"), cores(0, 1, 1));
        assert_eq!(check("0-7"), cores(0, 6, 7));
        assert_eq!(check("2,4-5"), cores(2, 4, 5));
        assert_eq!(check("3"), None);
        assert_eq!(Cores::chosen_of(""), None);
    }
}
