//! Tokens that a provider's program prints.

use countersign_core::IdToken;

use super::{Minted, Obstacle};
use crate::command::{Command, CommandError};
use crate::identity::Source;
use crate::surroundings::Surroundings;

/// Runs the program and takes what it prints as the token.
pub(super) fn by(surroundings: &Surroundings, command: &Command) -> Minted {
    let token = IdToken::from(text(surroundings, command)?);
    Ok((token, Source::Command(command.program.clone())))
}

/// What the program prints, if it is anything.
pub(super) fn text(surroundings: &Surroundings, command: &Command) -> Result<String, Obstacle> {
    let printed = surroundings.commands.run(command).map_err(Obstacle::Command)?;
    match printed.trim() {
        "" => Err(Obstacle::Command(CommandError::Output { program: command.program.clone() })),
        text => Ok(text.to_owned()),
    }
}
