//! The vendor's URL signature.
//!
//! ```text
//! txTime   = expiry, UNIX seconds, hexadecimal or decimal text
//! txSecret = lower-case hex( MD5( KEY ++ StreamName ++ txTime ) )      32 digits
//!            the same with SHA-256, told by its length                 64 digits
//! ```
//!
//! The stream's name is hashed as it stands in the URL, without `.flv`; `txTime` exactly as
//! received, because `5C271099` and `5c271099` hash differently and both are in use. App and host are
//! not signed.

use md5::{Digest, Md5};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::keys::Key;
use crate::query::Query;
use crate::spent::Mark;
use crate::strong::{BadToken, Subject, Token};

/// The hash of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// 32 digits, what every existing back end makes.
    #[default]
    Md5,
    /// 64 digits.
    Sha256,
}

impl Scheme {
    pub(crate) fn hash(self, key: &str, stream: &str, tx_time: &str) -> Vec<u8> {
        fn of<D: Digest>(parts: [&str; 3]) -> Vec<u8> {
            parts.iter().fold(D::new(), D::chain_update).finalize().to_vec()
        }
        let parts = [key, stream, tx_time];
        match self {
            Scheme::Md5 => of::<Md5>(parts),
            Scheme::Sha256 => of::<Sha256>(parts),
        }
    }

    fn of_length(digits: usize) -> Option<Scheme> {
        match digits {
            32 => Some(Scheme::Md5),
            64 => Some(Scheme::Sha256),
            _ => None,
        }
    }
}

/// A signature found in a URL, not yet verified.
#[derive(Clone)]
pub struct Signature<'a> {
    /// Told by the length of the secret.
    pub scheme: Scheme,
    /// `txTime` as received.
    pub tx_time: &'a str,
    /// When the URL ends.
    pub expiry: Expiry,
    digest: Vec<u8>,
}

/// Why a URL holds no usable signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsigned {
    NoSecret,
    NoTime,
    SecretMalformed,
    TimeMalformed,
}

impl<'a> Signature<'a> {
    /// Finds `txSecret` and `txTime`. `txSerect` counts as `txSecret`: the vendor's own pages print it.
    pub(crate) fn find(query: Query<'a>) -> Result<Self, Unsigned> {
        let secret =
            query.get("txSecret").or_else(|| query.get("txSerect")).filter(|s| !s.is_empty());
        let tx_time = query.get("txTime").filter(|t| !t.is_empty());
        let secret = secret.ok_or(Unsigned::NoSecret)?;
        let tx_time = tx_time.ok_or(Unsigned::NoTime)?;
        let scheme = Scheme::of_length(secret.len()).ok_or(Unsigned::SecretMalformed)?;
        let digest = unhex(secret).ok_or(Unsigned::SecretMalformed)?;
        let expiry = Expiry::parse(tx_time).ok_or(Unsigned::TimeMalformed)?;
        Ok(Signature { scheme, tx_time, expiry, digest })
    }

    /// Compares in a time that does not depend on where the digests differ.
    pub(crate) fn matches(&self, digest: &[u8]) -> bool {
        self.digest.ct_eq(digest).into()
    }

    /// By what it is remembered, until so long after its end.
    pub(crate) fn mark(&self, stream: &str, validity_s: u64) -> Mark {
        Mark::new(&self.digest, stream, self.expiry.unix_s.saturating_add(validity_s))
    }
}

impl std::fmt::Debug for Signature<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signature").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// When a signed URL ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry {
    /// UNIX seconds.
    pub unix_s: u64,
}

/// How `txTime` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// `5C271099`: what the vendor's generators make.
    Hex,
    /// `1546064025`.
    Decimal,
}

impl Expiry {
    /// Reads a `txTime`. Ten decimal digits are decimal; everything else is hexadecimal, and
    /// today's times have eight digits of that.
    pub fn parse(text: &str) -> Option<Expiry> {
        let (digits, radix) = match Self::format_of(text)? {
            TimeFormat::Hex => (text, 16),
            TimeFormat::Decimal => (text, 10),
        };
        u64::from_str_radix(digits, radix).ok().map(|unix_s| Expiry { unix_s })
    }

    /// Which of the two forms a text is in; `None` for neither.
    pub fn format_of(text: &str) -> Option<TimeFormat> {
        let all = |f: fn(&u8) -> bool| text.bytes().all(|b| f(&b));
        match text.len() {
            10 if all(u8::is_ascii_digit) => Some(TimeFormat::Decimal),
            1..=16 if all(u8::is_ascii_hexdigit) => Some(TimeFormat::Hex),
            _ => None,
        }
    }

    /// The text to put into a URL: hexadecimal, upper case.
    pub fn to_hex(self) -> String {
        format!("{:X}", self.unix_s)
    }
}

/// The query of a signed URL.
#[derive(Clone)]
pub struct SignedQuery {
    /// `txSecret=...&txTime=...`, as the vendor's generators write it, or `tw=...&sig=...`
    pub text: String,
}

impl SignedQuery {
    /// Signs a stream until `expiry`.
    pub fn new(key: &Key, scheme: Scheme, stream: &str, expiry: Expiry) -> Self {
        let tx_time = expiry.to_hex();
        let secret = key.sign(scheme, stream, &tx_time);
        SignedQuery { text: format!("txSecret={secret}&txTime={tx_time}") }
    }

    /// Signs a token for a stream, with the strong signature.
    ///
    /// # Errors
    /// [`BadToken`] when nobody would take such a token.
    pub fn strong(key: &Key, subject: Subject<'_>, token: &Token) -> Result<Self, BadToken> {
        let tw = token.to_text(&key.id());
        Token::parse(&tw)?;
        let sig = key.sign_strong(subject, &tw);
        Ok(SignedQuery { text: format!("tw={tw}&sig={sig}") })
    }
}

impl std::fmt::Debug for SignedQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignedQuery(secret)")
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    let digits = digits.filter(|d| d.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|d| d[0] << 4 | d[1]).collect())
}
