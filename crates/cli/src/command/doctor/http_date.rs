//! The `Date` of an answer.

use countersign_core::UnixTime;

/// Reads the form that servers send (RFC 9110 §5.6.7, IMF-fixdate): `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// The two obsolete forms are not read: a server that sends them is older than the protocol that is spoken here.
pub(super) fn read(text: &str) -> Option<UnixTime> {
    let words: Vec<&str> = text.split(' ').collect();
    let [_, day, month, year, time, "GMT"] = words[..] else { return None };
    let month = 1 + MONTHS.iter().position(|name| *name == month)?;
    let (year, day): (i64, i64) = (year.parse().ok()?, day.parse().ok()?);
    let time: Vec<i64> = time.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [hour, minute, second] = time[..] else { return None };
    let is_a_time = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    if !is_a_time || !(1970..=9999).contains(&year) || !(1..=31).contains(&day) {
        return None;
    }
    let days = days_before(year, i64::try_from(month).ok()?) + day - 1;
    Some(UnixTime::from_seconds(((days * 24 + hour) * 60 + minute) * 60 + second))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The days from 1970-01-01 to the first of that month. Years begin in March here, so that leap days come last.
const fn days_before(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let months = (month + 9) % 12;
    365 * year + year / 4 - year / 100 + year / 400 + (153 * months + 2) / 5 - 719_468
}

#[cfg(test)]
mod tests {
    use super::{UnixTime, read};

    #[test]
    fn dates_are_read() {
        let rows = [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Tue, 29 Feb 2000 23:59:59 GMT", Some(951_868_799)),
            ("Fri, 01 Mar 2024 00:00:00 GMT", Some(1_709_251_200)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 UTC", None),
            ("Sun, 06 Nov 99999999999999999 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 99999999999999999:49:37 GMT", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(read(text).map(UnixTime::as_seconds), expected, "{text}");
        }
    }
}
