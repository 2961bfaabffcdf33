//! What a program did, shown without a single whole token.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::step::{Failure, Result, cannot_start, capture, shown};

/// A command that was run to its end.
pub(crate) struct Outcome {
    command: String,
    succeeded: bool,
    printed: String,
    complained: String,
}

impl Outcome {
    /// Runs a command and shows it, with those of its environment variables that matter.
    pub(crate) fn of(command: &mut Command, variables: &[&str]) -> Result<Self> {
        let shown = with_variables(command, variables);
        println!("  $ {shown}");
        Ok(Self::from_output(shown, &capture(command)?))
    }

    /// Runs a command that reads a token.
    pub(crate) fn with_input(command: &mut Command, token: &str) -> Result<Self> {
        let shown = format!("echo {} | {}", shorten(token), with_variables(command, &[]));
        println!("  $ {shown}");
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| cannot_start(command, &error))?;
        if let Some(mut input) = child.stdin.take() {
            // A program that ends without reading says itself what is wrong.
            let _ = writeln!(input, "{token}");
        }
        let output = child.wait_with_output().map_err(|error| cannot_start(command, &error))?;
        Ok(Self::from_output(shown, &output))
    }

    fn from_output(command: String, output: &Output) -> Self {
        let text = |bytes: &[u8]| without_colours(&String::from_utf8_lossy(bytes)).trim().to_owned();
        Self {
            command,
            succeeded: output.status.success(),
            printed: text(&output.stdout),
            complained: text(&output.stderr),
        }
    }

    /// It must have worked.
    pub(crate) fn expect_success(self) -> Result<Self> {
        if self.succeeded { Ok(self) } else { Err(self.surprise("work")) }
    }

    /// It must not have worked.
    pub(crate) fn expect_failure(self) -> Result<Self> {
        if self.succeeded { Err(self.surprise("be refused")) } else { Ok(self) }
    }

    fn surprise(&self, expected: &str) -> Failure {
        let said = shorten(&format!("{}\n{}", self.printed, self.complained));
        Failure::new(format!("`{}` was expected to {expected}; it said:\n{}", self.command, said.trim()))
    }

    /// What it printed on standard output.
    pub(crate) fn printed(&self) -> &str {
        &self.printed
    }

    /// Shows what it printed; if nothing, what it complained.
    pub(crate) fn show(&self) {
        show(if self.printed.is_empty() { &self.complained } else { &self.printed });
    }

    /// Shows the end of what it complained: the error itself, without the traceback of a Python program.
    pub(crate) fn show_end(&self) {
        show(after_traceback(&self.complained));
    }
}

fn show(text: &str) {
    let text = shorten(text);
    text.lines().filter(|line| !line.trim().is_empty()).for_each(|line| println!("    {line}"));
}

/// From the last line that names a Python exception on.
fn after_traceback(text: &str) -> &str {
    let is_exception = |line: &str| {
        let name = line.split([':', ' ']).next().unwrap_or_default();
        name.contains('.') && name.ends_with("Error")
    };
    let mut start = 0;
    let mut found = 0;
    for line in text.split_inclusive('\n') {
        if is_exception(line) {
            found = start;
        }
        start += line.len();
    }
    text.get(found..).unwrap_or(text)
}

/// Without the escape sequences that colour text (ECMA-48 SGR), which `hf` writes into pipes too.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or(part, |(_, rest)| rest))
}

fn with_variables(command: &Command, variables: &[&str]) -> String {
    let program = command.get_program().to_string_lossy().into_owned();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    let values = command.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
    let mut words: Vec<String> = values
        .filter(|(name, _)| variables.contains(name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    words.push(shown(command).replacen(&program, &name, 1));
    words.join(" ")
}

/// Cuts every token down to 16 characters: a demonstration teaches to never show one.
pub(crate) fn shorten(text: &str) -> String {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|character| !is_part(character)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        short.push_str(before);
        // Part of a JWT is as long; addresses and ids are not.
        if word.contains("eyJ") && word.len() > 40 {
            short.push_str(&word[..16]);
            short.push('…');
        } else {
            short.push_str(word);
        }
        rest = after;
    }
    short + rest
}

#[cfg(test)]
mod tests {
    use super::{after_traceback, shorten, without_colours};

    #[test]
    fn tokens_are_cut_and_nothing_else() {
        let token = format!("hf_jwt_eyJhbGciOi{}.e30.c2ln", "J".repeat(60));
        assert_eq!(shorten(&format!("got {token}, ok")), "got hf_jwt_eyJhbGciO…, ok");
        assert_eq!(shorten(&token[7..]), "eyJhbGciOiJJJJJJ…");
        for text in
            ["", "http://127.0.0.1:4000/github", "a b\n c", "…é", "0123456789012345678901234567890123456789a"]
        {
            assert_eq!(shorten(text), text);
        }
    }

    #[test]
    fn colours_go_and_text_stays() {
        assert_eq!(without_colours("\u{1b}[1m\u{1b}[31mError: a mm\u{1b}[0m\nb"), "Error: a mm\nb");
        assert_eq!(without_colours("plain [1m] text"), "plain [1m] text");
    }

    #[test]
    fn only_the_error_of_a_traceback_is_shown() {
        let text = "Hint: x\nTraceback (most recent call last):\n  File \"a.py\"\nhttpx.HTTPError: inner\n\nThe above\n\
                    huggingface_hub.errors.BadRequestError: (Request ID: r)\n\nBad request:\ninvalid_grant: no publisher";
        assert!(after_traceback(text).starts_with("huggingface_hub.errors.BadRequestError"));
        assert!(after_traceback(text).ends_with("no publisher"));
        assert_eq!(after_traceback("plain text"), "plain text");
    }
}
