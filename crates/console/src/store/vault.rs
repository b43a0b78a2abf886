//! Secrets at rest: encrypted with a key that is in a file beside the database, not in it. Whoever gets
//! hold of the database, or of a backup without its key, has no key to push or to play with.

use std::fmt;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;

use super::{Result, StoreError, files};
use crate::model::Secret;

/// Encrypts and decrypts. AES-256-GCM, with a nonce of 96 random bits: after 2^32 secrets, ten a second
/// for thirteen years, one of 2^32 installations would have used one twice.
pub(super) struct Vault {
    key: RandomizedNonceKey,
    bytes: KeyBytes,
}

/// What a key is made of.
pub(super) type KeyBytes = [u8; KEY_BYTES];

/// Where a secret stands. One that was moved elsewhere cannot be decrypted: whoever can write into the
/// database, but has no key, cannot give one account the keys of another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell<'a> {
    /// Table and column: `accounts.api_key`.
    pub(super) column: &'static str,
    /// The row's key.
    pub(super) row: &'a str,
}

impl Vault {
    pub(super) fn new(bytes: KeyBytes) -> Result<Vault> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| broken())?;
        Ok(Vault { key, bytes })
    }

    /// A new key.
    pub(super) fn random() -> Result<Vault> {
        let mut bytes = [0; KEY_BYTES];
        rand::fill(&mut bytes).map_err(|_| broken())?;
        Vault::new(bytes)
    }

    /// A new key, in a new file, or the one that somebody else has made at the same moment. It is on the
    /// disk before anything is encrypted with it.
    pub(super) fn make(file: &Path) -> Result<Vault> {
        let vault = Vault::random()?;
        let made = prepare_key(file, vault.bytes()).and_then(|new| files::name(&new, file));
        match made {
            Ok(()) => Ok(vault),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Vault::read(file)?.ok_or_else(|| unavailable("read", file, &error))
            }
            Err(error) => Err(unavailable("write", file, &error)),
        }
    }

    /// The key of a file; `None` if there is no file.
    pub(super) fn read(file: &Path) -> Result<Option<Vault>> {
        let bytes = match fs::read(file) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(unavailable("read", file, &e)),
        };
        warn_if_open(file);
        let bytes = bytes.try_into().map_err(|_| {
            let file = file.display();
            StoreError::Damaged(format!("{file} is no key: a key has {KEY_BYTES} bytes"))
        })?;
        Vault::new(bytes).map(Some)
    }

    /// What to write into a cell.
    pub(super) fn seal(&self, cell: Cell<'_>, secret: &Secret) -> Result<Vec<u8>> {
        let mut sealed = secret.reveal().as_bytes().to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(cell.name()), &mut sealed)
            .map_err(|_| broken())?;
        Ok([&[FORMAT], nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// What to write into a cell that may be damaged when it is read. Damage is not written.
    pub(super) fn seal_whole(&self, cell: Cell<'_>, secret: Option<&Secret>) -> Result<Vec<u8>> {
        let none = || StoreError::Damaged(format!("there is nothing to write into {cell}"));
        self.seal(cell, secret.ok_or_else(none)?)
    }

    /// What was written into a cell.
    pub(super) fn unseal(&self, cell: Cell<'_>, bytes: &[u8]) -> Result<Secret> {
        let damaged = || StoreError::Damaged(format!("{cell} cannot be decrypted with this key"));
        let (nonce, sealed) = bytes
            .strip_prefix(&[FORMAT])
            .and_then(|rest| rest.split_at_checked(NONCE_LEN))
            .ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let mut sealed = sealed.to_vec();
        let open = self
            .key
            .open_in_place(nonce, Aad::from(cell.name()), &mut sealed)
            .map_err(|_| damaged())?;
        Ok(Secret::new(std::str::from_utf8(open).map_err(|_| damaged())?))
    }

    /// The same, of one row among many: the damage of one is none of the others' business.
    pub(super) fn unseal_if_whole(&self, cell: Cell<'_>, bytes: &[u8]) -> Option<Secret> {
        let secret = self.unseal(cell, bytes);
        secret.inspect_err(|why| tracing::error!(%why, "a row of the store is damaged")).ok()
    }

    /// The key itself, for a backup that is to have it.
    pub(super) fn bytes(&self) -> &KeyBytes {
        &self.bytes
    }
}

impl Cell<'_> {
    /// No column's name has a zero in it, so that no two cells have the same name.
    fn name(&self) -> Vec<u8> {
        [self.column.as_bytes(), &[0], self.row.as_bytes()].concat()
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.column, self.row)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

/// Puts a key in a file's place, all of it or nothing.
pub(super) fn replace_key(file: &Path, bytes: &KeyBytes) -> Result<()> {
    let replaced = prepare_key(file, bytes).and_then(|new| files::replace(&new, file));
    replaced.map_err(|error| unavailable("write", file, &error))
}

/// Writes a key into a file that has no name yet and that only its owner can read, in a folder that is
/// made if there is none.
fn prepare_key(file: &Path, bytes: &KeyBytes) -> std::io::Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    make_folder(file.parent().unwrap_or(Path::new(".")))?;
    // Whoever else makes one at this moment makes another file.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let new = file.with_extension(format!("key.{}-{number}", std::process::id()));
    let _ = fs::remove_file(&new);
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    Ok(new)
}

/// Makes a folder that is for its owner only, if it is not there.
pub(super) fn make_folder(folder: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Says so when others can read a file.
pub(super) fn warn_if_open(file: &Path) {
    if fs::metadata(file).is_ok_and(|m| m.permissions().mode() & 0o077 != 0) {
        tracing::warn!("{} can be read by others: chmod 600 it", file.display());
    }
}

/// A file that cannot be read or written.
pub(super) fn unavailable(verb: &str, file: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("cannot {verb} {}: {error}", file.display()))
}

fn broken() -> StoreError {
    StoreError::Unavailable("the system's cryptography does not work".to_owned())
}

/// As AES-256 has it.
const KEY_BYTES: usize = 32;

/// How a cell is written: this, the nonce, the ciphertext with its tag. Another way would be another
/// number.
const FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Cell<'_> = Cell { column: "accounts.api_key", row: "7" };

    #[test]
    fn a_secret_is_read_where_it_was_written_and_nowhere_else() {
        let vault = Vault::new([7; 32]).unwrap();
        let secret = Secret::new("very secret");
        let sealed = vault.seal(KEY, &secret).unwrap();
        assert_eq!(vault.unseal(KEY, &sealed).unwrap(), secret);
        assert!(!sealed.windows(4).any(|w| b"very secret".windows(4).any(|s| s == w)));
        assert_ne!(sealed, vault.seal(KEY, &secret).unwrap(), "each time another nonce");

        let elsewhere = [
            Cell { row: "8", ..KEY },
            Cell { column: "accounts.callback_key", ..KEY },
            Cell { row: "", ..KEY },
        ];
        for cell in elsewhere {
            let error = vault.unseal(cell, &sealed).unwrap_err();
            assert!(matches!(error, StoreError::Damaged(_)), "{cell}: {error}");
        }
        let other = Vault::new([8; 32]).unwrap();
        assert!(matches!(other.unseal(KEY, &sealed), Err(StoreError::Damaged(_))));
        assert_eq!(format!("{vault:?}"), "Vault");
    }

    #[test]
    fn of_keys_that_are_made_at_once_there_is_one() {
        let folder = thalweg_testkit::folder::Folder::new("vault-at-once");
        for round in 0..20 {
            let file = folder.path().join(round.to_string()).join("store.key");
            let keys: Vec<KeyBytes> = std::thread::scope(|s| {
                let made: Vec<_> =
                    (0..4).map(|_| s.spawn(|| Vault::make(&file).unwrap())).collect();
                made.into_iter().map(|vault| *vault.join().unwrap().bytes()).collect()
            });
            let kept = *Vault::read(&file).unwrap().unwrap().bytes();
            assert!(keys.iter().all(|key| *key == kept));
            assert_eq!(
                fs::read_dir(file.parent().unwrap()).unwrap().count(),
                1,
                "nothing else is left"
            );
        }
    }

    #[test]
    fn whatever_was_changed_or_cut_is_damage() {
        let vault = Vault::new([7; 32]).unwrap();
        let sealed = vault.seal(KEY, &Secret::new("k")).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(vault.unseal(KEY, &changed).is_err(), "byte {at}");
            assert!(vault.unseal(KEY, &sealed[..at]).is_err(), "cut at {at}");
        }
        let none = vault.seal(KEY, &Secret::default()).unwrap();
        assert!(vault.unseal(KEY, &none).unwrap().is_empty());
    }
}
