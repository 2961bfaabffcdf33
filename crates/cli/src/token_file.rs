//! A file that holds a token while a command runs.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use countersign_core::AccessToken;
use tempfile::{NamedTempFile, TempDir};

/// A file that only this user may read, in a folder that only this user may enter; both go away with the value.
pub(crate) struct TokenFile {
    folder: TempDir,
    token: AccessToken,
}

impl TokenFile {
    /// Makes the folder below `parent`, and the file in it.
    pub(crate) fn create(parent: &Path, token: &AccessToken) -> io::Result<Self> {
        let owner_only = Permissions::from_mode(0o700);
        let folder =
            tempfile::Builder::new().prefix("countersign-").permissions(owner_only).tempdir_in(parent)?;
        let mut file = Self { folder, token: token.clone() };
        file.replace(token)?;
        Ok(file)
    }

    /// Where it is. The token is all that is in it, without a line end: not every program trims.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    /// Puts another token in its place. Whoever opens the file finds the old one or the new one, never a part of either:
    /// the new one is written beside it and then takes its name.
    pub(crate) fn replace(&mut self, token: &AccessToken) -> io::Result<()> {
        // Mode 0600 from the start: a file that is narrowed later could have been opened before.
        let mut next = NamedTempFile::new_in(self.folder.path())?;
        next.write_all(token.expose().as_bytes())?;
        next.persist(self.path())?;
        self.token = token.clone();
        Ok(())
    }

    /// Removes the file, and gives the token that was in it last.
    pub(crate) fn remove(self) -> AccessToken {
        self.token
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use countersign_core::AccessToken;

    use super::TokenFile;

    #[test]
    fn the_owner_alone_reads_it_and_it_leaves_nothing_behind() {
        let parent = tempfile::tempdir().unwrap();
        let mut file = TokenFile::create(parent.path(), &AccessToken::from("first".to_owned())).unwrap();
        let folder = file.path().parent().unwrap().to_owned();
        file.replace(&AccessToken::from("second".to_owned())).unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "second");
        assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        assert_eq!(file.remove().expose(), "second");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
