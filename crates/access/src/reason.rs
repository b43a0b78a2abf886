//! Why not: one word each for programs, one sentence for people.

use crate::policy::Action;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each reason's sentence says it")]
pub enum Reason {
    AuthMissing,
    AuthMalformed,
    AuthBad,
    AuthExpired,
    AuthNotYet,
    AuthWeak,
    WrongAction,
    WrongAddress,
    Revoked,
    ForeignAccount,
    NotEligible,
    ServiceClosed,
    PusherOff,
    PlayerOff,
    AddressBarred,
    RefererBarred,
    RemoteRefused,
    RemoteUnreachable,
    ReservedApp,
    BadName,
    NotFound,
    InUse,
    Barred,
    ViewerBarred,
    Full,
    TooMany,
    UrlInUse,
    ViewerLimit,
    NotAllowed,
    Stopping,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 30] = [
        Reason::AuthMissing,
        Reason::AuthMalformed,
        Reason::AuthBad,
        Reason::AuthExpired,
        Reason::AuthNotYet,
        Reason::AuthWeak,
        Reason::WrongAction,
        Reason::WrongAddress,
        Reason::Revoked,
        Reason::ForeignAccount,
        Reason::NotEligible,
        Reason::ServiceClosed,
        Reason::PusherOff,
        Reason::PlayerOff,
        Reason::AddressBarred,
        Reason::RefererBarred,
        Reason::RemoteRefused,
        Reason::RemoteUnreachable,
        Reason::ReservedApp,
        Reason::BadName,
        Reason::NotFound,
        Reason::InUse,
        Reason::Barred,
        Reason::ViewerBarred,
        Reason::Full,
        Reason::TooMany,
        Reason::UrlInUse,
        Reason::ViewerLimit,
        Reason::NotAllowed,
        Reason::Stopping,
    ];

    /// The word in RTMP statuses, JSON bodies and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Reason::AuthMissing => "auth-missing",
            Reason::AuthMalformed => "auth-malformed",
            Reason::AuthBad => "auth-bad",
            Reason::AuthExpired => "auth-expired",
            Reason::AuthNotYet => "auth-not-yet",
            Reason::AuthWeak => "auth-weak",
            Reason::WrongAction => "wrong-action",
            Reason::WrongAddress => "wrong-address",
            Reason::Revoked => "revoked",
            Reason::ForeignAccount => "foreign-account",
            Reason::NotEligible => "not-eligible",
            Reason::ServiceClosed => "service-closed",
            Reason::PusherOff => "pusher-off",
            Reason::PlayerOff => "player-off",
            Reason::AddressBarred => "address-barred",
            Reason::RefererBarred => "referer-barred",
            Reason::RemoteRefused => "remote-refused",
            Reason::RemoteUnreachable => "remote-unreachable",
            Reason::ReservedApp => "reserved-app",
            Reason::BadName => "bad-name",
            Reason::NotFound => "not-found",
            Reason::InUse => "in-use",
            Reason::Barred => "barred",
            Reason::ViewerBarred => "viewer-barred",
            Reason::Full => "server-full",
            Reason::TooMany => "too-many",
            Reason::UrlInUse => "url-in-use",
            Reason::ViewerLimit => "viewer-limit",
            Reason::NotAllowed => "not-allowed",
            Reason::Stopping => "stopping",
        }
    }

    /// The `code` of the `onStatus` that refuses a push or a play.
    pub fn rtmp_code(self, action: Action) -> &'static str {
        match (action, self) {
            (Action::Push, Reason::InUse | Reason::BadName) => "NetStream.Publish.BadName",
            (
                Action::Push,
                Reason::Barred
                | Reason::Full
                | Reason::TooMany
                | Reason::Stopping
                | Reason::RemoteUnreachable,
            ) => "NetStream.Publish.Failed",
            (Action::Push, _) => "NetStream.Publish.Denied",
            (Action::Play, Reason::NotFound | Reason::BadName) => "NetStream.Play.StreamNotFound",
            (Action::Play, _) => "NetStream.Play.Failed",
        }
    }

    /// The status of an HTTP answer. Whatever is wrong with a signature is 403, as the vendor's.
    pub fn http_status(self) -> u16 {
        match self {
            Reason::AuthMissing
            | Reason::AuthMalformed
            | Reason::AuthBad
            | Reason::AuthExpired
            | Reason::AuthNotYet
            | Reason::AuthWeak
            | Reason::WrongAction
            | Reason::WrongAddress
            | Reason::Revoked
            | Reason::ForeignAccount
            | Reason::NotEligible
            | Reason::ServiceClosed
            | Reason::PusherOff
            | Reason::PlayerOff
            | Reason::AddressBarred
            | Reason::RefererBarred
            | Reason::RemoteRefused
            | Reason::NotAllowed => 403,
            Reason::ReservedApp | Reason::BadName => 400,
            Reason::NotFound => 404,
            Reason::InUse => 409,
            Reason::Barred | Reason::ViewerBarred => 403,
            Reason::TooMany | Reason::UrlInUse | Reason::ViewerLimit => 429,
            Reason::Full | Reason::Stopping | Reason::RemoteUnreachable => 503,
        }
    }

    /// The code with which a connection over UDP is closed (`docs/ref/rtmp-udp.md`, section 6).
    pub fn close_code(self) -> u32 {
        match self {
            Reason::AuthMissing
            | Reason::AuthMalformed
            | Reason::AuthBad
            | Reason::AuthExpired
            | Reason::AuthNotYet
            | Reason::AuthWeak
            | Reason::WrongAction
            | Reason::WrongAddress
            | Reason::Revoked
            | Reason::ForeignAccount
            | Reason::NotEligible
            | Reason::ServiceClosed
            | Reason::PusherOff
            | Reason::PlayerOff
            | Reason::AddressBarred
            | Reason::RefererBarred
            | Reason::RemoteRefused
            | Reason::NotAllowed
            | Reason::Barred
            | Reason::ViewerBarred => 3,
            Reason::NotFound | Reason::BadName | Reason::ReservedApp => 4,
            Reason::InUse
            | Reason::Full
            | Reason::TooMany
            | Reason::UrlInUse
            | Reason::ViewerLimit
            | Reason::RemoteUnreachable => 5,
            Reason::Stopping => 7,
        }
    }

    /// The sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Reason::AuthMissing => {
                "the URL is not signed: it needs txSecret and txTime, or tw and sig"
            }
            Reason::AuthMalformed => {
                "the signature cannot be read: txSecret must be 32 or 64 hexadecimal digits, txTime \
                 a UNIX time in hexadecimal; or tw and sig must be there, once each, as they were \
                 signed"
            }
            Reason::AuthBad => {
                "the signature is wrong: another key, another stream name, or a changed character"
            }
            Reason::AuthExpired => "the URL has expired: sign a new one",
            Reason::AuthNotYet => "the URL is not good yet",
            Reason::AuthWeak => "this domain takes only tw signatures",
            Reason::WrongAction => {
                "the URL is signed for something else: sign one for push, for play, or for play over \
                 UDP, as it is used. A push URL that somebody has watched with is good for no push \
                 any more: sign plays with the play key, and push with a new URL"
            }
            Reason::WrongAddress => "the URL is signed for a network that you are not in",
            Reason::Revoked => {
                "URLs made before a certain moment are revoked; this one was, or does not say when \
                 it was made"
            }
            Reason::ForeignAccount => {
                "the stream name begins with the number of an account this host does not belong to"
            }
            Reason::NotEligible => {
                "the account's category may not stream live here: its owner has to declare one that is \
                 eligible, or the operator to change the table"
            }
            Reason::ServiceClosed => {
                "live streaming is not open to this account: the operator has to open it"
            }
            Reason::PusherOff => {
                "publishing is switched off for this account: its owner has to switch live-pusher on"
            }
            Reason::PlayerOff => {
                "watching is switched off for this account: its owner has to switch live-player on"
            }
            Reason::AddressBarred => {
                "the account's list of addresses keeps yours out: its owner has to change the list"
            }
            Reason::RefererBarred => {
                "the account's list of pages keeps this page out: its owner has to change the list"
            }
            Reason::RemoteRefused => "the account's own back end was asked, and said no",
            Reason::RemoteUnreachable => {
                "the account's own back end was asked, and did not answer: its owner has to see to it"
            }
            Reason::ReservedApp => "this app name is reserved for the server's own pages",
            Reason::BadName => "the URL does not name a stream: it should end in /app/stream",
            Reason::NotFound => "nobody publishes this stream",
            Reason::InUse => "the stream is in use",
            Reason::Barred => "an operator closed this stream for a time",
            Reason::ViewerBarred => {
                "an operator sent a viewer of your address away from this stream for a time"
            }
            Reason::Full => "the server is full",
            Reason::TooMany => "too many connections from this address",
            Reason::UrlInUse => "as many sessions as the URL allows are there already",
            Reason::ViewerLimit => "as many as may watch this stream over UDP are there already",
            Reason::NotAllowed => "nobody may watch this account's streams over UDP",
            Reason::Stopping => "the server is stopping",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.sentence())
    }
}
