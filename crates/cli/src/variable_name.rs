//! Names of environment variables.

use std::fmt;

use crate::failure::Failure;

/// The name of an environment variable: letters, digits and `_`, no digit first. No JWT is one, each has two dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VariableName(String);

impl VariableName {
    /// Reads what was given to an option. The text is never repeated: people put the secret there by mistake.
    ///
    /// So this is not `FromStr`, whose text clap would repeat.
    pub(crate) fn read(option: &'static str, text: String) -> Result<Self, Failure> {
        let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if is_name && text.starts_with(|first: char| !first.is_ascii_digit()) {
            Ok(Self(text))
        } else {
            Err(Failure::VariableName(option))
        }
    }

    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
