//! Signature Version 4, as far as one form to AWS STS needs it.
//!
//! Source: AWS IAM User Guide, "Create a signed AWS API request".

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, Tag, sign};
use countersign_core::UnixTime;

use crate::http::FORM;

/// What a request is signed with. Nothing prints it.
pub(super) struct Credentials {
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) session_token: Option<String>,
}

/// The `Authorization` of a POST of the form to `/` at `host`, with `x-amz-date` and, if there is a session,
/// `x-amz-security-token` beside it.
pub(super) fn authorization(
    credentials: &Credentials,
    region: &str,
    host: &str,
    body: &str,
    now: UnixTime,
) -> String {
    let date_time = date_time(now);
    let mut headers = vec![("content-type", FORM), ("host", host), ("x-amz-date", date_time.as_str())];
    headers.extend(credentials.session_token.as_deref().map(|token| ("x-amz-security-token", token)));
    let request = canonical("POST", "", &headers, body);
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let (scope, signature) = signed(&credentials.secret_key, &date_time, region, "sts", &request);
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
        credentials.access_key,
        names.join(";")
    )
}

/// The canonical request; the headers are sorted by name and trimmed.
fn canonical(method: &str, query: &str, headers: &[(&str, &str)], body: &str) -> String {
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let lines = lines.concat();
    format!(
        "{method}\n/\n{query}\n{lines}\n{}\n{}",
        names.join(";"),
        hex(digest(&SHA256, body.as_bytes()).as_ref())
    )
}

/// The scope of the signature, and the signature.
fn signed(
    secret_key: &str,
    date_time: &str,
    region: &str,
    service: &str,
    canonical: &str,
) -> (String, String) {
    let day = &date_time[..8];
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let hash = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
    let message = format!("AWS4-HMAC-SHA256\n{date_time}\n{scope}\n{hash}");
    let first = mac(format!("AWS4{secret_key}").as_bytes(), day);
    let key = [region, service, "aws4_request"].iter().fold(first, |key, part| mac(key.as_ref(), part));
    (scope, hex(mac(key.as_ref(), &message).as_ref()))
}

fn mac(key: &[u8], message: &str) -> Tag {
    sign(&Key::new(HMAC_SHA256, key), message.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// `20150830T123600Z`.
pub(super) fn date_time(now: UnixTime) -> String {
    let seconds = now.as_seconds();
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // The civil date of a day, counted in eras of 400 years that begin in March.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day_of_month:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use countersign_core::UnixTime;

    use super::{canonical, date_time, signed};

    /// The worked example of the guide.
    #[test]
    fn signs_as_the_guide_does() {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ];
        let request = canonical("GET", "Action=ListUsers&Version=2010-05-08", &headers, "");
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let (scope, signature) = signed(secret, "20150830T123600Z", "us-east-1", "iam", &request);
        assert_eq!(scope, "20150830/us-east-1/iam/aws4_request");
        assert_eq!(signature, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
    }

    #[test]
    fn dates_are_civil() {
        for (seconds, expected) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (1_440_938_160, "20150830T123600Z"),
            (4_107_542_399, "21000228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(date_time(UnixTime::from_seconds(seconds)), expected);
        }
    }
}
