//! The system's files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::surroundings::Files;

const MAX_LENGTH: u64 = 1024 * 1024;

/// The system's file system.
#[derive(Clone, Copy, Debug)]
pub struct SystemFiles;

impl Files for SystemFiles {
    fn read(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        let length = File::open(path)?.take(MAX_LENGTH + 1).read_to_string(&mut text)?;
        if length as u64 > MAX_LENGTH { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
    }
}
