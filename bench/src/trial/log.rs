//! The server's log, read line by line as it comes.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::process::ChildStderr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use serde_json::Value;

/// What stands before the secrets that the server makes.
const PREFIXES: [&str; 3] = ["hf_jwt_", "hf_oauth_", "countersign_admin_"];
/// How a JSON object begins in base64url: the head of every JWS.
const HEAD_OF_A_JWS: &str = "eyJ";
/// A run of characters of base64url that is this long is no id, no hash and no word, but a signature or worse.
const LONGEST_WORD: usize = 60;

/// What was found in the log.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    lines: usize,
    errors: usize,
    /// Lines that look as if they had a token in them, without it.
    pub(crate) suspicious: Vec<String>,
}

/// The log of a running server.
pub(crate) struct Log {
    reading: JoinHandle<Findings>,
    found: mpsc::Receiver<(&'static str, String)>,
}

impl Log {
    /// Reads until the server has ended: whoever does not read a pipe blocks the writer.
    pub(crate) fn read(stderr: ChildStderr) -> Self {
        let (addresses, found) = mpsc::channel();
        let reading = std::thread::spawn(move || {
            let mut findings = Findings::default();
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                findings.note(&line);
                let fields: Value = if findings.lines < 100 {
                    serde_json::from_str(&line).unwrap_or_default()
                } else {
                    Value::Null
                };
                for name in ["address", "metrics"] {
                    if let Some(address) = fields[name].as_str() {
                        drop(addresses.send((name, address.to_owned())));
                    }
                }
            }
            findings
        });
        Self { reading, found }
    }

    /// The address that the server says it has for something.
    pub(crate) fn address(&self, of: &str) -> Option<String> {
        self.found.iter().find(|(name, _)| *name == of).map(|(_, address)| address)
    }

    /// What was found, once the server has ended.
    pub(crate) fn findings(self) -> Findings {
        self.reading.join().unwrap_or_default()
    }
}

impl Findings {
    fn note(&mut self, line: &str) {
        self.lines += 1;
        self.errors += usize::from(line.contains("\"level\":\"ERROR\""));
        if looks_like_a_token(line) && self.suspicious.len() < 10 {
            // Not the line: if it has a token, this is no place for it either.
            self.suspicious.push(line.chars().take(80).collect());
        }
    }
}

fn looks_like_a_token(line: &str) -> bool {
    let is_of_base64url = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    PREFIXES.iter().any(|prefix| line.contains(prefix))
        || line.contains(HEAD_OF_A_JWS)
        || line.as_bytes().split(|byte| !is_of_base64url(byte)).any(|word| word.len() > LONGEST_WORD)
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, errors, suspicious } = self;
        write!(
            f,
            "{lines} lines of log, {errors} of them errors, {} with what looks like a token",
            suspicious.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::looks_like_a_token;

    #[test]
    fn tokens_and_their_parts_are_found() {
        for line in [
            "found eyJhbGciOiJSUzI1NiJ9",
            "token=hf_jwt_x",
            &format!("signature {}", "aZ0-_".repeat(13)),
            "secret countersign_admin_0",
        ] {
            assert!(looks_like_a_token(line), "{line}");
        }
        for line in [
            "{\"id\":\"01a20919-38f5-7e27-a5ff-ea9a30fd4e4d\",\"target\":\"countersign_server::access\"}",
            "kid NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        ] {
            assert!(!looks_like_a_token(line), "{line}");
        }
    }
}
