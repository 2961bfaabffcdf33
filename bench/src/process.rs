//! What processes have used.

use std::fs;
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::time::Duration;

use anyhow::Context as _;

/// The unit of `/proc/<pid>/stat`: Linux shows hundredths of a second to programs, whatever its own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

/// What processes have used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Seconds that all threads have run, in user and kernel mode.
    pub(crate) cpu_seconds: f64,
    /// Bytes of pages that were made dirty, to be written to a disk sooner or later.
    pub(crate) written: u64,
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { cpu_seconds: self.cpu_seconds + other.cpu_seconds, written: self.written + other.written }
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        usages.fold(Self::default(), Self::add)
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            cpu_seconds: self.cpu_seconds - before.cpu_seconds,
            written: self.written.saturating_sub(before.written),
        }
    }
}

impl Usage {
    /// What a process has used, without its children.
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let cpu_seconds = f64::from(stat(process)?.ticks) / TICKS_PER_SECOND;
        Ok(Self { cpu_seconds, written: written_by(process)? })
    }

    /// The same with the children that it has, and the time of those that it had; without the children of children.
    pub(crate) fn of_family(process: u32) -> anyhow::Result<Self> {
        let ended = f64::from(stat(process)?.ticks_of_ended_children) / TICKS_PER_SECOND;
        let own = Self::of(process)? + Self { cpu_seconds: ended, written: 0 };
        // A child may end while it is looked at: then its time is its parent's next time.
        let children = children_of(process)?.into_iter().filter_map(|child| Self::of(child).ok());
        Ok(own + children.sum())
    }
}

/// Seconds that this thread has run so far, to the nanosecond: the first field of `schedstat`.
pub(crate) fn seconds_of_this_thread() -> anyhow::Result<f64> {
    const PATH: &str = "/proc/thread-self/schedstat";
    let text = read(PATH)?;
    let nanos = text.split(' ').next().and_then(|field| field.parse().ok());
    nanos.map(|nanos| Duration::from_nanos(nanos).as_secs_f64()).with_context(|| format!("{PATH} is odd"))
}

/// Resident memory in bytes: `VmRSS` of `/proc/<pid>/status`.
pub(crate) fn resident_memory(process: u32) -> anyhow::Result<u64> {
    let status = read(&format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kilobytes.context("the server has no VmRSS: has it ended?")? * 1024)
}

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}; Linux is needed"))
}

#[derive(Debug, PartialEq)]
struct Stat {
    ticks: u32,
    ticks_of_ended_children: u32,
}

fn stat(process: u32) -> anyhow::Result<Stat> {
    let path = format!("/proc/{process}/stat");
    Stat::parse(&read(&path)?).with_context(|| format!("{path} is odd"))
}

impl Stat {
    /// Fields 14 to 17 of `stat` (proc(5)). The second field is the program's name in parentheses and may hold anything, so
    /// counting begins behind the last one.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ').skip(11).map(|field| field.parse::<u32>().ok());
        let mut two = || Some(fields.next()?? + fields.next()??);
        Some(Self { ticks: two()?, ticks_of_ended_children: two()? })
    }
}

/// The children of the first thread, which is the one that makes them in the programs that are measured here.
fn children_of(process: u32) -> anyhow::Result<Vec<u32>> {
    let children = read(&format!("/proc/{process}/task/{process}/children"))?;
    children.split_whitespace().map(|id| id.parse().context("the id of a child is a number")).collect()
}

fn written_by(process: u32) -> anyhow::Result<u64> {
    let io = read(&format!("/proc/{process}/io"))?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).context("the process has no write_bytes")
}

#[cfg(test)]
mod tests {
    use std::process::{Command, id};

    use super::{Stat, Usage, resident_memory};

    #[test]
    fn a_programs_name_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 900 0 0 0 120 34 5 2 20 0 4 0 100 0 0";
        assert_eq!(Stat::parse(stat), Some(Stat { ticks: 154, ticks_of_ended_children: 7 }));
        assert_eq!(Stat::parse("7 (a) S 1"), None);
    }

    #[test]
    fn the_time_of_children_is_their_familys() {
        let before = Usage::of_family(id()).unwrap();
        let count = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        assert!(Command::new("sh").args(["-c", count]).status().unwrap().success());
        let (family, own) = (Usage::of_family(id()).unwrap(), Usage::of(id()).unwrap());
        assert!((family - before).cpu_seconds > 0.0);
        assert!(family.cpu_seconds > own.cpu_seconds);
        assert!(resident_memory(id()).unwrap() > 0);
    }
}
