//! Tokens that a provider's program prints.

use countersign_core::IdToken;

use super::{Minted, Obstacle};
use crate::command::{Command, CommandError};
use crate::identity::Source;
use crate::surroundings::Surroundings;

/// Runs the program and takes what it prints as the token.
pub(super) fn by(surroundings: &Surroundings, command: &Command) -> Minted {
    let printed = surroundings.commands.run(command).map_err(Obstacle::Command)?;
    let program = command.program.clone();
    match printed.trim() {
        "" => Err(Obstacle::Command(CommandError::Output { program })),
        token => Ok((IdToken::from(token.to_owned()), Source::Command(program))),
    }
}
