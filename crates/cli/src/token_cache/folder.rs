//! The folder that shared tokens lie in, one for each user of the machine.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use countersign_client::SealedAnswer;
use countersign_core::UnixTime;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RawMode, Stat};
use rustix::fs::{fstat, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;
use thiserror::Error;

/// Far more than an answer has.
const MAX_LENGTH: u64 = 64 * 1024;
/// How long a file is left alone after its token has ended.
const GRACE: Duration = Duration::from_hours(1);

/// An open folder that belongs to this user and that nobody else may enter.
///
/// Everything in it is reached through the open folder and not through its name, so nobody can put another in its place
/// between the check and the use. Links are never followed.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

/// Why a folder is not used.
#[derive(Debug, Error)]
pub(super) enum FolderError {
    /// Somebody else may have made it, or could look into it.
    #[error(
        "expected the folder {} to be this user's alone (mode 0700), found {found}; remove it, or set RUNNER_TEMP or \
         TMPDIR to a folder of your own",
        .path.display()
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// It cannot be made, or nothing can be made in it.
    #[error(
        "the folder {} cannot be used; set RUNNER_TEMP or TMPDIR to one that this user may write to",
        .path.display()
    )]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Folder {
    /// Opens the folder of this user; makes it if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, FolderError> {
        Self::of_user(path, geteuid().as_raw())
    }

    fn of_user(path: &Path, user: u32) -> Result<Self, FolderError> {
        let unusable = |error: Errno| FolderError::Unusable { path: path.to_owned(), source: error.into() };
        let not_ours = |found: String| FolderError::NotOurs { path: path.to_owned(), found };
        match mkdirat(CWD, path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(unusable(error)),
        }
        let folder = match openat(CWD, path, OFlags::DIRECTORY | SAFELY, Mode::empty()) {
            Ok(folder) => folder,
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(not_ours("a link or a file".to_owned())),
            Err(error) => return Err(unusable(error)),
        };
        let found = fstat(&folder).map_err(unusable)?;
        if found.st_uid != user {
            return Err(not_ours(format!("one of user {}", found.st_uid)));
        }
        if for_others(&found) != 0 {
            return Err(not_ours(format!("mode {:04o}", found.st_mode & 0o7777)));
        }
        Ok(Self(folder))
    }

    /// The place of one token, this process' own until the value is dropped: another process that wants it waits.
    ///
    /// Whoever has it makes requests that end within a bounded time; if it dies, the system lets go of it.
    pub(super) fn entry(self, name: &str) -> io::Result<Entry> {
        let flags = OFlags::CREATE | OFlags::RDWR | SAFELY;
        loop {
            let lock = File::from(openat(&self.0, lock_of(name), flags, OWNER_ONLY)?);
            lock.lock()?;
            // While this waited, another process may have swept the file away, and a third has made and locked the next one.
            if is_there(&self.0, &lock_of(name), &lock)? {
                return Ok(Entry { folder: self.0, name: name.to_owned(), lock });
            }
        }
    }
}

/// The place of one token.
#[derive(Debug)]
pub(super) struct Entry {
    folder: OwnedFd,
    name: String,
    /// Locked for as long as it is open.
    lock: File,
}

impl Entry {
    /// What is there; `None` if it is nothing, or nothing that this user alone can have put there.
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        let file = openat(&self.folder, &self.name, OFlags::RDONLY | SAFELY, Mode::empty()).ok()?;
        let found = fstat(&file).ok()?;
        let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
        if !is_file || found.st_uid != geteuid().as_raw() || for_others(&found) != 0 {
            return None;
        }
        let mut bytes = Vec::new();
        File::from(file).take(MAX_LENGTH).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Puts an answer there, whole, and takes away what ended long ago.
    pub(super) fn replace(&self, sealed: &SealedAnswer, now: UnixTime) -> io::Result<()> {
        let next = format!("{}{NEXT}", self.name);
        // One is there if a process died between these lines.
        let _ = unlinkat(&self.folder, &next, AtFlags::empty());
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | SAFELY;
        let mut file = File::from(openat(&self.folder, &next, flags, OWNER_ONLY)?);
        file.write_all(&sealed.bytes)?;
        // By this it is known, without the key, when it is of no more use.
        let end = SystemTime::UNIX_EPOCH + sealed.ends_at.since(UnixTime::from_seconds(0));
        file.set_modified(end)?;
        self.lock.set_modified(end)?;
        renameat(&self.folder, &next, &self.folder, &self.name)?;
        self.sweep(now);
        Ok(())
    }

    /// Takes it away.
    pub(super) fn remove(&self) {
        // It may not be there.
        let _ = unlinkat(&self.folder, &self.name, AtFlags::empty());
    }

    /// Takes away what is left of jobs that ended long ago. No failure matters: what stays is of no use to anybody.
    fn sweep(&self, now: UnixTime) {
        let Ok(folder) = Dir::read_from(&self.folder) else { return };
        for file in folder.flatten() {
            if let Ok(name) = file.file_name().to_str()
                && self.is_old(name, now)
            {
                self.sweep_away(name, now);
            }
        }
    }

    fn is_old(&self, name: &str, now: UnixTime) -> bool {
        let found = statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW);
        found.is_ok_and(|found| UnixTime::from_seconds(found.st_mtime) + GRACE < now)
    }

    /// Takes a file away unless its place is somebody's at the moment: who waits for a lock that is gone would not meet who
    /// takes the next one. What is not in anybody's place has no lock.
    fn sweep_away(&self, name: &str, now: UnixTime) {
        let place = name.strip_suffix(LOCK).or_else(|| name.strip_suffix(NEXT)).unwrap_or(name);
        let flags = OFlags::RDWR | SAFELY;
        let lock = match openat(&self.folder, lock_of(place), flags, Mode::empty()) {
            Ok(lock) => Some(File::from(lock)),
            Err(Errno::NOENT) => None,
            Err(_) => return,
        };
        // Looked at again under the lock: whoever had it may have put something new there.
        if lock.as_ref().is_none_or(|lock| lock.try_lock().is_ok()) && self.is_old(name, now) {
            let _ = unlinkat(&self.folder, name, AtFlags::empty());
        }
    }
}

const LOCK: &str = ".lock";
const NEXT: &str = ".next";

fn lock_of(name: &str) -> String {
    format!("{name}{LOCK}")
}

/// Whether a file still has its name.
fn is_there(folder: &OwnedFd, name: &str, file: &File) -> io::Result<bool> {
    let ours = fstat(file)?;
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok((found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Links are not followed, nothing is waited for, and no command inherits the file.
const SAFELY: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
/// Read and write for the owner.
const OWNER_ONLY: Mode = Mode::RUSR.union(Mode::WUSR);

/// What the mode allows to others than the owner.
fn for_others(found: &Stat) -> RawMode {
    found.st_mode & 0o077
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::path::Path;

    use countersign_client::SealedAnswer;
    use countersign_core::UnixTime;
    use tempfile::tempdir;

    use super::{Entry, Folder};

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    fn entry(folder: &Path) -> Entry {
        Folder::open(folder).unwrap().entry("a").unwrap()
    }

    fn answer(text: &str, ends_at: i64) -> SealedAnswer {
        SealedAnswer { bytes: text.into(), ends_at: UnixTime::from_seconds(ends_at) }
    }

    fn names(folder: &Path) -> Vec<String> {
        let names =
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_put_there_is_for_its_owner_alone() {
        let parent = tempdir().unwrap();
        let folder = parent.path().join("folder");
        assert_eq!(entry(&folder).read(), None);
        entry(&folder).replace(&answer("first", 1_800_000_060), NOW).unwrap();
        entry(&folder).replace(&answer("second", 1_800_000_060), NOW).unwrap();
        assert_eq!(entry(&folder).read().unwrap(), b"second");
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        assert_eq!(names(&folder), ["a", "a.lock"]);
        for name in names(&folder) {
            assert_eq!(fs::metadata(folder.join(name)).unwrap().mode() & 0o777, 0o600);
        }
        entry(&folder).remove();
        assert_eq!(entry(&folder).read(), None);
    }

    #[test]
    fn a_folder_that_others_can_have_made_or_can_enter_is_not_used() {
        let parent = tempdir().unwrap();
        let folder = parent.path().join("folder");
        let refused = |path: &Path, user| {
            let error = Folder::of_user(path, user).unwrap_err().to_string();
            assert!(!error.contains("cannot be used"), "{error}");
            error.split("found ").last().unwrap().split(';').next().unwrap().to_owned()
        };
        fs::create_dir(&folder).unwrap();
        let own = fs::metadata(&folder).unwrap().uid();
        for mode in [0o770, 0o701, 0o720, 0o704, 0o777] {
            fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
            assert_eq!(refused(&folder, own), format!("mode {mode:04o}"));
        }
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        assert_eq!(refused(&folder, own + 1), format!("one of user {own}"));
        assert!(Folder::of_user(&folder, own).is_ok());
        let link = parent.path().join("link");
        symlink(&folder, &link).unwrap();
        assert_eq!(refused(&link, own), "a link or a file");
        fs::write(parent.path().join("file"), "").unwrap();
        assert_eq!(refused(&parent.path().join("file"), own), "a link or a file");
    }

    #[test]
    fn a_file_that_is_a_link_or_open_to_others_is_nothing_and_is_replaced() {
        let parent = tempdir().unwrap();
        let folder = parent.path().join("folder");
        let elsewhere = parent.path().join("elsewhere");
        fs::write(&elsewhere, "elsewhere").unwrap();
        fs::set_permissions(&elsewhere, Permissions::from_mode(0o600)).unwrap();
        let place = entry(&folder);
        symlink(&elsewhere, folder.join("a")).unwrap();
        assert_eq!(place.read(), None);
        symlink(&elsewhere, folder.join("a.next")).unwrap();
        place.replace(&answer("own", 1_800_000_060), NOW).unwrap();
        assert_eq!(place.read().unwrap(), b"own");
        assert_eq!(fs::read(&elsewhere).unwrap(), b"elsewhere");
        fs::set_permissions(folder.join("a"), Permissions::from_mode(0o640)).unwrap();
        assert_eq!(place.read(), None);
        drop(place);
        fs::remove_file(folder.join("a.lock")).unwrap();
        symlink(&elsewhere, folder.join("a.lock")).unwrap();
        assert!(Folder::open(&folder).unwrap().entry("a").is_err());
    }

    #[test]
    fn what_ended_long_ago_goes_away() {
        let parent = tempdir().unwrap();
        let folder = parent.path().join("folder");
        for (name, ends_at) in [("old", 1_799_996_399), ("recent", 1_799_996_400), ("new", 1_800_000_060)] {
            let place = Folder::open(&folder).unwrap().entry(name).unwrap();
            place.replace(&answer("", ends_at), UnixTime::from_seconds(1_799_000_000)).unwrap();
        }
        entry(&folder).replace(&answer("", 1_800_000_060), NOW).unwrap();
        assert_eq!(names(&folder), ["a", "a.lock", "new", "new.lock", "recent", "recent.lock"]);
    }

    #[test]
    fn a_lock_that_is_held_stays_however_old_it_is() {
        let parent = tempdir().unwrap();
        let folder = parent.path().join("folder");
        let place = |name: &str| Folder::open(&folder).unwrap().entry(name).unwrap();
        let long_ago = UnixTime::from_seconds(1_799_000_000);
        place("old").replace(&answer("kept", 1_799_000_060), long_ago).unwrap();
        let held = place("old");
        entry(&folder).replace(&answer("", 1_800_000_060), NOW).unwrap();
        assert_eq!(names(&folder), ["a", "a.lock", "old", "old.lock"]);
        assert_eq!(held.read().unwrap(), b"kept");
        drop(held);
        entry(&folder).replace(&answer("", 1_800_000_060), NOW).unwrap();
        assert_eq!(names(&folder), ["a", "a.lock"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn whoever_waited_for_a_lock_that_was_swept_away_takes_the_next_one() {
        let parent = tempdir().unwrap();
        let folder = parent.path().join("folder");
        let held = entry(&folder);
        let waiter = std::thread::spawn({
            let folder = folder.clone();
            move || entry(&folder).lock.metadata().unwrap().ino()
        });
        let opened = || {
            let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
            files
                .filter(|file| fs::read_link(file.path()).is_ok_and(|path| path == folder.join("a.lock")))
                .count()
        };
        while opened() < 2 {
            std::thread::yield_now();
        }
        fs::remove_file(folder.join("a.lock")).unwrap();
        let next = fs::File::create(folder.join("a.lock")).unwrap();
        fs::set_permissions(folder.join("a.lock"), Permissions::from_mode(0o600)).unwrap();
        drop(held);
        assert_eq!(waiter.join().unwrap(), next.metadata().unwrap().ino());
    }
}
