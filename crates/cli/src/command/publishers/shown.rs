//! Publishers and their weaknesses for people.

use countersign_core::UnixTime;
use countersign_core::lint::Severity;
use countersign_core::publisher_file::Entry;

use crate::administration::{Listed, Warned};
use crate::paint::{Paint, Tone};
use crate::printable::printable;

/// What a publisher says, a line each.
pub(super) fn entry(entry: &Entry) -> String {
    let title = entry.rules.provider().preset().title;
    let facts = entry.facts().into_iter().map(|fact| format!("  {}\n", printable(&fact.to_string())));
    [format!("  provider: {title}\n")].into_iter().chain(facts).collect()
}

/// A publisher with its history, and what is weak in it by code.
pub(super) fn listed(listed: &Listed, now: UnixTime, paint: Paint) -> String {
    let said = match (listed.entry(), &listed.problem) {
        (Some(entry), _) => self::entry(&entry),
        (None, problem) => {
            let problem = problem.as_deref().unwrap_or("it is not what this version expects");
            let lead = paint.show(Tone::Wrong, "unreadable:");
            format!("  {lead} {}; it trusts nobody: remove it and add it again\n", printable(problem))
        }
    };
    let used = match (listed.used.exchanges, listed.used.last_used_at) {
        (0, _) | (_, None) => "never".to_owned(),
        (count, Some(at)) => format!("{count} times, {}", ago(at, now)),
    };
    let pending = listed.pending_until.map(|until| {
        let days = until.since(now).as_secs() / DAY;
        format!("  pending: removed in {days} days unless a run comes\n")
    });
    let codes: Vec<&str> = listed.warnings.iter().map(|warning| warning.code.as_str()).collect();
    let weak = if codes.is_empty() {
        String::new()
    } else {
        format!("  {} {}\n", paint.show(Tone::Remark, "weak:"), printable(&codes.join(", ")))
    };
    let head = format!("{} {}\n", listed.id, printable(&listed.resource));
    [head, said, format!("  used: {used}\n"), pending.unwrap_or_default(), weak].concat()
}

const DAY: u64 = 24 * 60 * 60;

fn ago(at: UnixTime, now: UnixTime) -> String {
    let (count, unit) = match now.since(at).as_secs() {
        seconds @ 0..120 => (seconds, "seconds"),
        seconds @ 120..7_200 => (seconds / 60, "minutes"),
        seconds @ 7_200..172_800 => (seconds / 3_600, "hours"),
        seconds => (seconds / DAY, "days"),
    };
    format!("last {count} {unit} ago")
}

/// A weakness: its code, and what to know of it line by line.
pub(super) fn warning(warning: &Warned, paint: Paint) -> String {
    let (tone, kind) = match warning.severity {
        Severity::Warning => (Tone::Wrong, "warning"),
        Severity::Note => (Tone::Remark, "note"),
    };
    let Warned { code, problem, consequence, remedy, .. } = warning;
    let lead = paint.show(tone, &format!("{kind}[{}]:", printable(code)));
    [
        format!("  {lead} {}\n", printable(problem)),
        format!("    what could happen: {}\n", printable(consequence)),
        format!("    what to do: {}\n", printable(remedy)),
    ]
    .concat()
}
