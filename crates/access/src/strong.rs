//! The strong signature.
//!
//! ```text
//! tw  = 1.{kid}.{purpose}.{exp}[.n{nbf}][.a{net}][.m{max}]
//! sig = base64url( HMAC-SHA256( KEY, "tw1\n" account "\n" app "\n" stream "\n" tw ) )   43 digits
//! ```
//!
//! Beside the vendor's it signs whose the stream is and what the URL is for, and it can say from
//! when, from where and how often. `docs/ref/signing.md` has the grammar.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::decision::Class;
use crate::keys::{Key, Keys};
use crate::network::{BadNetwork, Network};
use crate::policy::Action;
use crate::query::Query;

/// What a URL is signed for, but for the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it lets do.
    pub purpose: Purpose,
    /// The last second it is good, UNIX time.
    pub expires_unix_s: u64,
    /// The first second it is good, UNIX time. It also says when the URL was made.
    pub not_before_unix_s: Option<u64>,
    /// Where the peer must come from.
    pub from: Option<Network>,
    /// How many sessions may use it at the same time. Not for pushes: a stream has one publisher.
    pub sessions_max: Option<u32>,
}

/// What a token lets do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Publish.
    Push,
    /// Watch.
    Play,
    /// Watch with low delay.
    Udp,
}

impl Purpose {
    /// The word in the token.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Push => "push",
            Purpose::Play => "play",
            Purpose::Udp => "udp",
        }
    }

    /// The action it lets do, whose key signs it.
    pub fn action(self) -> Action {
        match self {
            Purpose::Push => Action::Push,
            Purpose::Play | Purpose::Udp => Action::Play,
        }
    }

    /// How a play is served.
    pub(crate) fn class(self) -> Class {
        match self {
            Purpose::Push | Purpose::Play => Class::Live,
            Purpose::Udp => Class::Rtc,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Purpose::Push, Purpose::Play, Purpose::Udp].into_iter().find(|p| p.name() == text)
    }
}

/// The stream a token is signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Number of the account it belongs to.
    pub account: &'a str,
    /// App of the URL.
    pub app: &'a str,
    /// Name of the stream, as it stands in the URL, without `.flv`.
    pub stream: &'a str,
}

/// Why a query has no strong signature that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the text says it")]
pub enum BadToken {
    Alone,
    Twice,
    WithVendors,
    TooLong,
    Version,
    KeyId,
    Purpose,
    Time,
    EndsFirst,
    Network(BadNetwork),
    Sessions,
    PushSessions,
    Field,
    Signature,
}

impl Token {
    /// Reads a `tw`, and the id of the key that it says it was signed with.
    ///
    /// # Errors
    /// [`BadToken`], which says what is wrong with it.
    pub fn parse(tw: &str) -> Result<(&str, Token), BadToken> {
        if tw.len() > TOKEN_CHARS_MAX {
            return Err(BadToken::TooLong);
        }
        let mut fields = tw.split('.');
        fields.next().filter(|f| *f == VERSION).ok_or(BadToken::Version)?;
        let kid = fields.next().filter(|f| is_key_id(f)).ok_or(BadToken::KeyId)?;
        let purpose = fields.next().and_then(Purpose::parse).ok_or(BadToken::Purpose)?;
        let expires_unix_s = time(fields.next().unwrap_or_default())?;
        let mut fields = fields.peekable();
        // Each at most once and in this order: whatever is left over is not understood.
        let mut tagged =
            |tag: char| fields.next_if(|f| f.starts_with(tag)).and_then(|f| f.strip_prefix(tag));
        let not_before_unix_s = tagged('n').map(time).transpose()?;
        let from = tagged('a').map(Network::parse_field).transpose().map_err(BadToken::Network)?;
        let sessions_max = tagged('m').map(sessions).transpose()?;
        if fields.next().is_some() {
            return Err(BadToken::Field);
        }
        if not_before_unix_s.is_some_and(|n| n > expires_unix_s) {
            return Err(BadToken::EndsFirst);
        }
        if purpose == Purpose::Push && sessions_max.is_some() {
            return Err(BadToken::PushSessions);
        }
        Ok((kid, Token { purpose, expires_unix_s, not_before_unix_s, from, sessions_max }))
    }

    /// The token of a query, if it has one that can be read. Whether it is signed is another
    /// question.
    pub fn of(query: Query<'_>) -> Option<Token> {
        Token::parse(query.get("tw")?).ok().map(|(_, token)| token)
    }

    /// The `tw` for a key.
    pub fn to_text(&self, kid: &str) -> String {
        let Token { purpose, expires_unix_s, not_before_unix_s, from, sessions_max } = self;
        let mut tw = format!("{VERSION}.{kid}.{}.{expires_unix_s}", purpose.name());
        if let Some(unix_s) = not_before_unix_s {
            tw += &format!(".n{unix_s}");
        }
        if let Some(network) = from {
            tw += &format!(".a{}", network.to_field());
        }
        if let Some(max) = sessions_max {
            tw += &format!(".m{max}");
        }
        tw
    }
}

/// A strong signature found in a URL, not yet verified.
#[derive(Clone, Copy)]
pub(crate) struct StrongSignature<'a> {
    pub(crate) token: Token,
    pub(crate) kid: &'a str,
    tw: &'a str,
    /// As received. One digest has one text, so that this may stand for the URL.
    pub(crate) sig: &'a str,
    digest: [u8; DIGEST_BYTES],
}

impl<'a> StrongSignature<'a> {
    /// Finds `tw` and `sig`; `None` when there is neither.
    ///
    /// Beside the vendor's signature a `sig` without `tw` may be anybody's parameter.
    pub(crate) fn find(query: Query<'a>) -> Option<Result<Self, BadToken>> {
        let all = |name| query.iter().filter(move |(n, _)| *n == name).map(|(_, value)| value);
        let has_vendors = all("txSecret").chain(all("txSerect")).next().is_some();
        let (mut tws, mut sigs) = (all("tw"), all("sig"));
        let (tw, sig) = match (tws.next(), sigs.next()) {
            (None, None) => return None,
            (None, Some(_)) if has_vendors => return None,
            (Some(_), _) if has_vendors => return Some(Err(BadToken::WithVendors)),
            (Some(tw), Some(sig)) => (tw, sig),
            (Some(_), None) | (None, Some(_)) => return Some(Err(BadToken::Alone)),
        };
        if tws.next().is_some() || sigs.next().is_some() {
            return Some(Err(BadToken::Twice));
        }
        Some(Self::parse(tw, sig))
    }

    fn parse(tw: &'a str, sig: &'a str) -> Result<Self, BadToken> {
        let (kid, token) = Token::parse(tw)?;
        let mut digest = [0; DIGEST_BYTES];
        if sig.len() != SIG_CHARS {
            return Err(BadToken::Signature);
        }
        // There is one text of a digest: the bits that the last digit has too many must be zero.
        let decoded = BASE64URL_NOPAD.decode_mut(sig.as_bytes(), &mut digest);
        decoded.map_err(|_| BadToken::Signature)?;
        Ok(StrongSignature { token, kid, tw, sig, digest })
    }

    /// Whether the key made this. A key of another id is not tried.
    pub(crate) fn is_by(&self, key: &Key, subject: Subject<'_>) -> bool {
        // With a line feed in a name, two subjects could make the same text.
        let is_plain = !subject.app.contains('\n') && !subject.stream.contains('\n');
        let is_named = key.id() == self.kid;
        is_plain && is_named && mac(key, subject, self.tw).ct_eq(&self.digest).into()
    }

    /// Whether either key made this.
    pub(crate) fn is_by_either(&self, keys: &Keys, subject: Subject<'_>) -> bool {
        let by_backup = keys.backup.as_ref().is_some_and(|key| self.is_by(key, subject));
        self.is_by(&keys.main, subject) | by_backup
    }
}

impl fmt::Debug for StrongSignature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StrongSignature").field("token", &self.token).finish_non_exhaustive()
    }
}

impl Key {
    /// The id that a `tw` names this key by: a piece of its hash, so that nobody has to give it
    /// one and a key that becomes the backup keeps it.
    pub fn id(&self) -> String {
        let hash = Sha256::new().chain_update(KEY_ID_PREFIX).chain_update(self.reveal()).finalize();
        crate::sign::hex(&hash[..KEY_ID_CHARS / 2])
    }

    /// The `sig` of a `tw` for a stream.
    pub fn sign_strong(&self, subject: Subject<'_>, tw: &str) -> String {
        BASE64URL_NOPAD.encode(&mac(self, subject, tw))
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn mac(key: &Key, subject: Subject<'_>, tw: &str) -> [u8; DIGEST_BYTES] {
    let Subject { account, app, stream } = subject;
    let secret = key.reveal().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes any key");
    for part in ["tw1\n", account, "\n", app, "\n", stream, "\n", tw] {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().into()
}

fn is_key_id(text: &str) -> bool {
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == KEY_ID_CHARS && text.bytes().all(is_digit)
}

/// A number without a leading zero.
fn number(text: &str, digits_max: usize) -> Option<u64> {
    let is_number = (1..=digits_max).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_number)
}

fn time(text: &str) -> Result<u64, BadToken> {
    number(text, TIME_DIGITS_MAX).ok_or(BadToken::Time)
}

fn sessions(text: &str) -> Result<u32, BadToken> {
    let n = number(text, 5).and_then(|n| u32::try_from(n).ok());
    n.filter(|n| (1..=SESSIONS_MAX).contains(n)).ok_or(BadToken::Sessions)
}

impl fmt::Display for BadToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            BadToken::Alone => "tw and sig go together: one of them is missing",
            BadToken::Twice => "tw or sig is there twice",
            BadToken::WithVendors => "there is a txSecret beside tw: a URL is signed one way",
            BadToken::TooLong => "tw is too long",
            BadToken::Version => "tw does not begin with its version, 1",
            BadToken::KeyId => "the key id in tw is not eight hexadecimal digits in lower case",
            BadToken::Purpose => "tw is neither for push nor play nor udp",
            BadToken::Time => "a time in tw is not a UNIX time in seconds, decimal",
            BadToken::EndsFirst => "tw ends before it begins",
            BadToken::Network(bad) => return write!(f, "the network in tw: {bad}"),
            BadToken::Sessions => "m in tw is not a number of sessions, 1 to 10000",
            BadToken::PushSessions => "tw is for push and has m: a stream has one publisher",
            BadToken::Field => "tw has a field that nobody knows, or not in its place: n, a, m",
            BadToken::Signature => "sig is not 43 digits of base64url without padding",
        };
        f.write_str(words)
    }
}

impl std::error::Error for BadToken {}

const VERSION: &str = "1";
/// Over one and a half times the longest that can be said.
const TOKEN_CHARS_MAX: usize = 160;
const KEY_ID_PREFIX: &str = "tw1 kid\n";
const KEY_ID_CHARS: usize = 8;
/// To the year 2286.
const TIME_DIGITS_MAX: usize = 10;
/// As many as a server has connections by default.
pub const SESSIONS_MAX: u32 = 10_000;
const DIGEST_BYTES: usize = 32;
const SIG_CHARS: usize = 43;
