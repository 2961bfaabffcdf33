//! Unguessable texts.

use std::fmt::Write;

/// A fresh text of 32 hexadecimal digits, for token ids, job ids and bearer tokens.
pub(crate) fn text() -> String {
    bytes().iter().fold(String::with_capacity(32), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The same in the groups of a UUID, as GitHub and GitLab write token ids.
pub(crate) fn id() -> String {
    let text = text();
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

#[expect(clippy::expect_used, reason = "AWS-LC aborts rather than run without entropy")]
fn bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives entropy");
    bytes
}
