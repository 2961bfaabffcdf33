//! What goes on beside the command: its token is replaced in time.

use std::error::Error;
use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};

use countersign_client::{FreshToken, Surroundings};

use crate::failure::chain;
use crate::masking::mask;
use crate::token_file::TokenFile;

/// Waits, renews, and writes the file, until the command has ended.
pub(super) struct Renewal {
    pub(super) fresh: FreshToken,
    /// Empty when the command has ended.
    pub(super) file: Arc<Mutex<Option<TokenFile>>>,
    /// Closed when the command has ended.
    pub(super) ended: Receiver<()>,
    pub(super) surroundings: Surroundings,
    pub(super) notes: Box<dyn Write + Send>,
}

impl Renewal {
    /// Runs until the command has ended or no other token can be had.
    pub(super) fn run(mut self) {
        while let Some(wait) = self.fresh.due_in() {
            if self.ended.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            if let Err(error) = self.renew() {
                self.say(&*error);
            }
        }
    }

    fn renew(&mut self) -> Result<(), Box<dyn Error>> {
        let token = self.fresh.renew()?;
        // A closed standard error is no reason to leave the command without a token.
        let _ = mask(&self.surroundings, token, &mut self.notes);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = file.as_mut()
            && let Err(error) = file.replace(token)
        {
            self.fresh.postpone();
            return Err(error.into());
        }
        Ok(())
    }

    /// One line: whoever reads it is looking at the command's output.
    fn say(&mut self, error: &dyn Error) {
        let left = self.fresh.left();
        let left = if left.is_zero() {
            "it has ended".to_owned()
        } else {
            format!("it is good for another {} s", left.as_secs().max(1))
        };
        let next = match self.fresh.due_in() {
            Some(wait) => format!("next attempt in {} s", wait.as_secs().max(1)),
            None => "the job's id token is used up, so there will be no other".to_owned(),
        };
        let _ =
            writeln!(self.notes, "countersign: the token was not renewed ({left}; {next}): {}", chain(error));
    }
}
