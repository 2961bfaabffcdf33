//! The processor time of processes.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// The unit of `/proc/<pid>/stat`: Linux shows hundredths of a second to programs, whatever its own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds that all threads of a process have run so far, in user and kernel mode (proc(5), fields 14 and 15 of `stat`).
pub(crate) fn seconds_of(process: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}; Linux is needed"))?;
    ticks(&stat).map(|ticks| f64::from(ticks) / TICKS_PER_SECOND).with_context(|| format!("{path} is odd"))
}

/// Seconds that this thread has run so far, to the nanosecond: the first field of `schedstat`.
pub(crate) fn seconds_of_this_thread() -> anyhow::Result<f64> {
    const PATH: &str = "/proc/thread-self/schedstat";
    let text = fs::read_to_string(PATH).with_context(|| format!("cannot read {PATH}; Linux is needed"))?;
    let nanos = text.split(' ').next().and_then(|field| field.parse().ok());
    nanos.map(|nanos| Duration::from_nanos(nanos).as_secs_f64()).with_context(|| format!("{PATH} is odd"))
}

/// The second field is the program's name in parentheses and may hold anything, so counting begins behind the last one.
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn a_programs_name_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 900 0 0 0 120 34 0 0 20 0 4 0 100 0 0";
        assert_eq!(ticks(stat), Some(154));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
