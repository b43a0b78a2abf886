//! Who asks: passwords, sessions, tokens.

use std::net::IpAddr;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use thalweg_hub::address_of;

use crate::limiter::Limiter;
use crate::model::{Role, Secret};

/// Somebody who has shown who it is.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    /// For the audit: `user:anna`, `token:7`.
    pub(crate) name: String,
    /// What it may do.
    pub(crate) role: Role,
    /// The one account it may do it to.
    pub(crate) account: Option<String>,
    /// From where, if that is known.
    pub(crate) peer: Option<IpAddr>,
    /// The login and the hash of its session, if it is a person.
    pub(crate) session: Option<(String, [u8; 32])>,
}

impl Who {
    /// Whether it may look at things of an account.
    pub(crate) fn sees(&self, account: &str) -> bool {
        self.account.as_deref().is_none_or(|own| own == account)
    }
}

/// A password as it is kept: Argon2id, on a thread that may take its time.
pub(crate) async fn hash_password(password: String) -> Result<Secret, NoHash> {
    let hash = move || {
        let salt = random::<16>()?;
        let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
        hash.map(|h| Secret::new(h.to_string())).map_err(|_| NoHash)
    };
    tokio::task::spawn_blocking(hash).await.map_err(|_| NoHash)?
}

/// The system has no random numbers, or no memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoHash;

/// Checks passwords, a few at a time, and not too many of one login or from one address.
#[derive(Debug)]
pub(crate) struct Passwords {
    by_login: Limiter<String>,
    by_address: Limiter<Option<IpAddr>>,
    /// Each takes 19 MiB and some 20 ms of a core.
    at_once: Semaphore,
    /// The hash of nothing, for logins that there are not: they take as long.
    nobody: Secret,
}

impl Passwords {
    pub(crate) async fn new() -> Result<Passwords, NoHash> {
        Ok(Passwords {
            by_login: Limiter::per_minute(TRIES_PER_LOGIN),
            by_address: Limiter::per_minute(TRIES_PER_ADDRESS),
            at_once: Semaphore::new(CHECKS_AT_ONCE),
            nobody: hash_password(String::new()).await?,
        })
    }

    /// Takes one of the tries of a login and an address.
    ///
    /// # Errors
    /// Seconds until there is another.
    pub(crate) fn take_try(&self, login: &str, peer: Option<IpAddr>) -> Result<(), u64> {
        self.by_address.take(&peer.map(address_of))?;
        self.by_login.take(&login.chars().take(LOGIN_CHARS_MAX).collect())
    }

    /// Whether a password is the one of a hash; without a hash it takes as long and is not.
    pub(crate) async fn is_right(&self, password: String, hash: Option<&Secret>) -> bool {
        let Ok(_turn) = self.at_once.acquire().await else { return false };
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).clone();
        let check = move || {
            PasswordHash::new(hash.reveal())
                .is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok())
        };
        tokio::task::spawn_blocking(check).await.unwrap_or(false) && is_somebody
    }
}

/// Bounds how often a program may ask: each request with a token, right or wrong, is a look into the store.
#[derive(Debug)]
pub(crate) struct Tokens {
    any: Limiter<IpAddr>,
    wrong: Limiter<IpAddr>,
    /// Refusals that are written down.
    notes: Limiter<Option<IpAddr>>,
    /// The old API's, for accounts that there are not.
    nobodys_key: Secret,
}

impl Tokens {
    pub(crate) fn new() -> Result<Tokens, NoHash> {
        Ok(Tokens {
            any: Limiter::per_minute(REQUESTS_PER_ADDRESS),
            wrong: Limiter::per_minute(WRONG_PER_ADDRESS),
            notes: Limiter::per_minute(NOTES_PER_ADDRESS),
            nobodys_key: new_key()?,
        })
    }

    /// Takes one of an address's requests.
    ///
    /// # Errors
    /// Seconds until there is another.
    pub(crate) fn take(&self, peer: Option<IpAddr>) -> Result<(), u64> {
        peer.map_or(Ok(()), |peer| self.any.take(&address_of(peer)))
    }

    /// Takes one of an address's wrong tokens.
    ///
    /// # Errors
    /// Seconds until there is another.
    pub(crate) fn take_wrong(&self, peer: Option<IpAddr>) -> Result<(), u64> {
        peer.map_or(Ok(()), |peer| self.wrong.take(&address_of(peer)))
    }
}

impl Tokens {
    /// Takes one of the refusals of an address that are written down.
    ///
    /// # Errors
    /// Seconds until there is another.
    pub(crate) fn take_note(&self, peer: Option<IpAddr>) -> Result<(), u64> {
        self.notes.take(&peer.map(address_of))
    }

    /// A key that nobody knows, and that takes as long to check.
    pub(crate) fn nobodys_key(&self) -> &Secret {
        &self.nobodys_key
    }
}

/// The one token that makes the first administrator.
#[derive(Debug, Clone)]
pub struct SetupToken(Arc<Secret>);

impl SetupToken {
    /// A new one. `None`: the system has no random numbers.
    pub fn new() -> Option<SetupToken> {
        let text = BASE64URL_NOPAD.encode(&random::<16>().ok()?);
        Some(SetupToken(Arc::new(Secret::new(text))))
    }

    /// To be printed.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    pub(crate) fn is(&self, shown: &str) -> bool {
        self.0.reveal().as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

/// A new secret for a browser or a program, and its hash for the store.
pub(crate) fn new_secret(prefix: &str) -> Result<(String, [u8; 32]), NoHash> {
    let text = format!("{prefix}{}", BASE64URL_NOPAD.encode(&random::<32>()?));
    let hash = hash_of(&text);
    Ok((text, hash))
}

/// A new key of the vendor's form.
pub(crate) fn new_key() -> Result<Secret, NoHash> {
    Ok(Secret::new(thalweg_access::Key::from_random(random::<16>()?).reveal()))
}

/// What the store knows of a secret of 256 random bits: there is nothing to guess.
pub(crate) fn hash_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoHash> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoHash)?;
    Ok(bytes)
}

/// Requests with a token a minute from one address, 20 a second for as long as one likes: a look into the store takes
/// some 50 us.
const REQUESTS_PER_ADDRESS: u32 = 1200;
/// Wrong tokens a minute from one address: a program that was not told of a new one, not one that guesses.
const WRONG_PER_ADDRESS: u32 = 30;
/// Refusals a minute from one address that are in the audit: enough to see that somebody tries, too few to fill it.
const NOTES_PER_ADDRESS: u32 = 3;
/// Characters of a login that are looked at where it is only counted: more has none.
const LOGIN_CHARS_MAX: usize = 64;
/// Passwords tried a minute, right or wrong: for one login, and from one address.
const TRIES_PER_LOGIN: u32 = 5;
const TRIES_PER_ADDRESS: u32 = 20;
/// Passwords checked at one time: 76 MiB.
const CHECKS_AT_ONCE: usize = 4;
