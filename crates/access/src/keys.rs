//! Keys of a domain.

use crate::sign::{Scheme, Signature};

/// A secret that URLs are signed with. Neither `Debug` nor any error shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    secret: String,
}

impl Key {
    /// A key of the given text. The vendor's are letters and digits, customarily 32 of them.
    pub fn new(secret: impl Into<String>) -> Self {
        Key { secret: secret.into() }
    }

    /// A key of 128 random bits, as 32 hexadecimal digits.
    pub fn from_random(bits: [u8; 16]) -> Self {
        Key { secret: crate::sign::hex(&bits) }
    }

    /// The `txSecret` for a stream and the text of a `txTime`.
    pub fn sign(&self, scheme: Scheme, stream: &str, tx_time: &str) -> String {
        crate::sign::hex(&scheme.hash(&self.secret, stream, tx_time))
    }

    /// The secret itself, to be shown to its owner or written to a key file.
    pub fn reveal(&self) -> &str {
        &self.secret
    }

    fn verifies(&self, stream: &str, signature: &Signature<'_>) -> bool {
        signature.matches(&signature.scheme.hash(&self.secret, stream, signature.tx_time))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// The keys of a domain: one to sign with, and one from before or after a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// New URLs are signed with this one.
    pub main: Key,
    /// URLs signed with this one are good too.
    pub backup: Option<Key>,
}

impl Keys {
    /// A main key and no backup.
    pub fn new(main: Key) -> Self {
        Keys { main, backup: None }
    }

    /// The main key, then the backup.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.main).chain(self.backup.as_ref())
    }

    /// Whether either key made this signature. Both are always tried, so that the time taken
    /// tells nothing about which.
    pub fn verify(&self, stream: &str, signature: &Signature<'_>) -> bool {
        self.main.verifies(stream, signature) | self.is_backup(stream, signature)
    }

    /// Whether the backup key made this signature.
    pub(crate) fn is_backup(&self, stream: &str, signature: &Signature<'_>) -> bool {
        self.backup.as_ref().is_some_and(|key| key.verifies(stream, signature))
    }
}
