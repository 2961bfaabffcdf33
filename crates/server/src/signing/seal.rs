//! Encryption at rest: a stolen copy of the database signs nothing.

use std::io::Write as _;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::clock::Randomness;

/// The key that signing keys are encrypted with: AES-256-GCM, kept outside the database.
pub struct EncryptionKey {
    key: LessSafeKey,
    others: hmac::Key,
}

/// Why signing keys cannot be encrypted or decrypted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EncryptionKeyError {
    /// The key is not 64 hexadecimal digits.
    #[error("expected an encryption key of 64 hexadecimal digits in {0}")]
    Form(String),
    /// The file cannot be read or made.
    #[error("cannot use the encryption key file {path}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The key is missing although there are signing keys that were encrypted with it.
    #[error(
        "the encryption key file {0} is missing, but the database has signing keys encrypted with it; restore the file"
    )]
    Missing(String),
    /// It is another key, or the row was altered.
    #[error(
        "a signing key cannot be decrypted: the encryption key is not the one it was encrypted with, or the row was altered"
    )]
    Wrong,
}

impl EncryptionKey {
    /// The key that the environment gives, else the one in the file (see [`EncryptionKey::from_file`]).
    pub fn load(
        given: Option<&SecretString>,
        file: &Path,
        keys_exist: bool,
        randomness: &dyn Randomness,
    ) -> Result<Self, EncryptionKeyError> {
        match given {
            Some(text) => Self::from_hex(
                text,
                "the variable COUNTERSIGN_ENCRYPTION_KEY or what encryption_key_command prints",
            ),
            None => Self::from_file(file, keys_exist, randomness),
        }
    }

    /// Takes the key from a text, of which `origin` says where it comes from.
    pub fn from_hex(text: &SecretString, origin: &str) -> Result<Self, EncryptionKeyError> {
        let form = || EncryptionKeyError::Form(origin.to_owned());
        let digits = text.expose_secret().trim().as_bytes();
        let mut bytes = Zeroizing::new([0_u8; 32]);
        if digits.len() != 2 * bytes.len() {
            return Err(form());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
            *byte = digit(pair[0]).zip(digit(pair[1])).map(|(high, low)| high << 4 | low).ok_or_else(form)?;
        }
        Self::of(&bytes).ok_or_else(form)
    }

    fn of(bytes: &[u8; 32]) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?);
        Some(Self { key, others: hmac::Key::new(hmac::HMAC_SHA256, bytes) })
    }

    /// A key for something else, which all nodes have as they have this one, and which says nothing of it.
    pub fn for_purpose(&self, purpose: &str) -> Result<Self, EncryptionKeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(hmac::sign(&self.others, purpose.as_bytes()).as_ref());
        Self::of(&bytes).ok_or(EncryptionKeyError::Wrong)
    }

    /// Reads the key file; makes it, readable by its owner only, unless keys exist that another one encrypted.
    pub fn from_file(
        path: &Path,
        keys_exist: bool,
        randomness: &dyn Randomness,
    ) -> Result<Self, EncryptionKeyError> {
        let shown = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::from_hex(&SecretString::from(text), &shown),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && keys_exist => {
                Err(EncryptionKeyError::Missing(shown))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let made = create(path, randomness);
                // If another process made it between our look and our attempt, that one counts.
                made.or_else(|error| match error.kind() {
                    std::io::ErrorKind::AlreadyExists => Ok(()),
                    _ => Err(EncryptionKeyError::File { path: shown.clone(), source: error }),
                })?;
                Self::from_file(path, true, randomness)
            }
            Err(source) => Err(EncryptionKeyError::File { path: shown, source }),
        }
    }

    /// Encrypts: a random nonce, then the ciphertext with its tag. `context` must be the same when it is opened.
    pub(crate) fn seal(
        &self,
        plain: &[u8],
        context: &[u8],
        randomness: &dyn Randomness,
    ) -> Result<Vec<u8>, EncryptionKeyError> {
        let mut nonce = [0; NONCE_LEN];
        randomness.fill(&mut nonce);
        let mut text = plain.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut text)
            .map_err(|_| EncryptionKeyError::Wrong)?;
        Ok([&nonce[..], &text].concat())
    }

    /// Decrypts what [`EncryptionKey::seal`] made.
    pub(crate) fn open(
        &self,
        sealed: &[u8],
        context: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, EncryptionKeyError> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(EncryptionKeyError::Wrong)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut text)
            .map_err(|_| EncryptionKeyError::Wrong)?
            .len();
        text.truncate(length);
        Ok(text)
    }
}

/// Writes a new key completely before it gets its name, so that no reader sees half of it.
fn create(path: &Path, randomness: &dyn Randomness) -> std::io::Result<()> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    randomness.fill(&mut *bytes);
    let digits: Zeroizing<String> =
        Zeroizing::new(bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
            text.extend(
                [byte >> 4, byte & 15].map(|nibble| char::from_digit(nibble.into(), 16).unwrap_or('0')),
            );
            text
        }));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut suffix = [0; 8];
    randomness.fill(&mut suffix);
    let draft = folder.join(format!(".encryption-key-{:016x}", u64::from_le_bytes(suffix)));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(digits.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    // A hard link fails where the name exists, a rename would replace it.
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandomness;

    #[test]
    fn what_is_sealed_opens_only_with_its_key_and_context() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/encryption.key");
        let key = EncryptionKey::from_file(&path, false, &SystemRandomness).unwrap();
        let sealed = key.seal(b"private", b"kid", &SystemRandomness).unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"private"));
        let again = EncryptionKey::from_file(&path, true, &SystemRandomness).unwrap();
        assert_eq!(&*again.open(&sealed, b"kid").unwrap(), b"private");
        assert!(again.open(&sealed, b"other").is_err());
        assert!(again.open(&sealed[..20], b"kid").is_err());
        assert!(again.open(b"", b"kid").is_err());
        let other = EncryptionKey::from_hex(&"0".repeat(64).into(), "the test").unwrap();
        assert!(other.open(&sealed, b"kid").is_err());
        let derived = key.for_purpose("lists").unwrap();
        assert!(derived.open(&sealed, b"kid").is_err());
        let sealed = derived.seal(b"x", b"", &SystemRandomness).unwrap();
        assert_eq!(&*again.for_purpose("lists").unwrap().open(&sealed, b"").unwrap(), b"x", "on every node");
        assert!(again.for_purpose("other").unwrap().open(&sealed, b"").is_err());
    }

    #[test]
    fn a_lost_key_is_not_replaced_by_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("encryption.key");
        let error = EncryptionKey::from_file(&path, true, &SystemRandomness).err().unwrap();
        assert!(matches!(error, EncryptionKeyError::Missing(_)));
        assert!(!path.exists());
        std::fs::write(&path, "short").unwrap();
        assert!(matches!(
            EncryptionKey::from_file(&path, true, &SystemRandomness),
            Err(EncryptionKeyError::Form(_))
        ));
    }
}
