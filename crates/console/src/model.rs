//! What the console remembers: accounts and their domains, people, publications, deliveries, counts.
//!
//! Plain values, as whoever works with them wants them: secrets are readable here and encrypted by the
//! store on their way down. Moments are UNIX seconds unless the name says otherwise.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A secret that has to be readable: a key that URLs are signed with. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// A secret of that text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, for whoever signs with it or was given leave to see it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its number, the vendor's `bizid`: 1 to 20 digits.
    pub bizid: String,
    /// What people call it.
    pub name: String,
    /// What kind of person or body owns it.
    pub subject: SubjectType,
    /// What it does, as the gate's table names it.
    pub category: Category,
    /// Whether the service is opened at all.
    pub service: bool,
    /// Whether `<live-pusher>` may be used: whether it may push.
    pub live_pusher: bool,
    /// Whether `<live-player>` may be used: whether its streams may be watched.
    pub live_player: bool,
    /// Whose key signs a play over UDP.
    pub profile: Profile,
    /// Whether its streams may be watched over UDP.
    pub udp: bool,
    /// How many may watch a stream so at the same time.
    pub udp_viewers_max: u32,
    /// What its back end signs requests to the old API with; callbacks too, unless they have a key.
    pub api_key: Secret,
    /// Whether the old API answers for it.
    pub old_api: bool,
    /// From where it may be used.
    pub addresses: AddressRules,
    /// From which pages it may be used.
    pub referers: RefererRules,
    /// Who is told what happens to its streams.
    pub callback: Callback,
    /// Who is asked before somebody pushes or watches.
    pub remote: Remote,
    /// URLs made before this are refused.
    pub revoked_before: Option<u64>,
    /// The same for single streams, by `app/name`.
    pub revoked_streams: BTreeMap<String, u64>,
    /// At least one to push and one to play.
    pub domains: Vec<Domain>,
    /// When it was made.
    pub created: u64,
    /// Counts its changes. Whoever writes says which one he changed, so that nobody undoes what he
    /// has not seen. 0: not stored yet.
    pub version: u64,
}

impl Account {
    /// An account that nothing is open to yet and that is of no category, with a domain to push and one
    /// to play for every host.
    ///
    /// # Errors
    /// When `new_key` has none.
    pub fn new<E>(
        bizid: &str,
        created: u64,
        mut new_key: impl FnMut() -> Result<Secret, E>,
    ) -> Result<Account, E> {
        let mut domain = |number, action| -> Result<Domain, E> {
            Ok(Domain {
                number,
                action,
                host: None,
                main: new_key()?,
                backup: None,
                auth: action == Action::Push,
                validity_s: 0,
                schemes: Schemes::Any,
                rotated: created,
            })
        };
        let domains = vec![domain(1, Action::Push)?, domain(2, Action::Play)?];
        Ok(Account {
            bizid: bizid.to_owned(),
            name: String::new(),
            subject: SubjectType::default(),
            category: Category::default(),
            service: false,
            live_pusher: false,
            live_player: false,
            profile: Profile::Strict,
            udp: true,
            udp_viewers_max: thalweg_access::UDP_VIEWERS_USUAL,
            api_key: new_key()?,
            old_api: false,
            addresses: AddressRules::default(),
            referers: RefererRules::default(),
            callback: Callback::default(),
            remote: Remote::default(),
            revoked_before: None,
            revoked_streams: BTreeMap::new(),
            domains,
            created,
            version: 0,
        })
    }
}

/// What kind of person or body owns an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum SubjectType {
    Individual,
    #[default]
    Enterprise,
    Government,
}

/// What an account does: names of the gate's table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// The main category: `education`.
    pub main: String,
    /// The sub-category: `online-education`.
    #[serde(default)]
    pub sub: Option<String>,
}

/// Whose key signs a play over UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// The play key.
    #[default]
    Strict,
    /// The push key, as the vendor has it, or the play key.
    Vendor,
}

/// How a list is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ListRule {
    /// Not at all.
    #[default]
    Off,
    /// Only those in it.
    Only,
    /// All but those in it.
    Except,
}

/// From where an account may be used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressRules {
    /// How the list is meant.
    pub rule: ListRule,
    /// Addresses and networks, at most 200: `203.0.113.7`, `10.0.0.0/8`, `2001:db8::/32`.
    pub networks: Vec<String>,
}

/// From which pages an account may be used. RTMP has no pages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefererRules {
    /// How the list is meant.
    pub rule: ListRule,
    /// Whether one may come from no page at all.
    pub allow_empty: bool,
    /// Hosts, `*.host`, or beginnings of URLs, at most 200: `https://servicewechat.com/wx123/`.
    pub patterns: Vec<String>,
}

/// Who is told what happens to an account's streams.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Callback {
    /// Where to. `None`: nobody is told.
    pub url: Option<String>,
    /// What they are signed with. Empty: the account's API key.
    pub key: Secret,
    /// Whether anomalies (321) are told as well as beginnings and ends.
    pub anomalies: bool,
}

/// Who is asked before somebody pushes or watches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// Where. `None`: nobody is asked.
    pub url: Option<String>,
    /// Whether before a push. When it cannot be asked the push is refused.
    pub push: bool,
    /// Whether before a play.
    pub play: bool,
    /// Whether a play is allowed when it cannot be asked.
    pub play_if_unreachable: bool,
}

/// A host name for one action, and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Tells it apart from the account's others; from 1.
    pub number: u32,
    /// What it is for.
    pub action: Action,
    /// The host, lower case. `None`: every host that no other domain names.
    pub host: Option<String>,
    /// New URLs are signed with this one.
    pub main: Secret,
    /// URLs signed with this one are good too.
    pub backup: Option<Secret>,
    /// Whether a signature is compulsory.
    pub auth: bool,
    /// Seconds that a URL stays good after its `txTime`.
    pub validity_s: u64,
    /// Which signatures count.
    pub schemes: Schemes,
    /// When the main key was made.
    pub rotated: u64,
}

/// What a domain is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Action {
    Push,
    Play,
}

/// Which signatures a domain takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Schemes {
    /// The vendor's and the strong one.
    #[default]
    Any,
    /// The strong one.
    Strong,
}

/// Somebody with a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name to log in with: 1 to 64 characters, lower case.
    pub login: String,
    /// Argon2id, in the PHC form.
    pub password_hash: Secret,
    /// What the user may do.
    pub role: Role,
    /// The one account the user may do it to; `None`: all.
    pub account: Option<String>,
    /// When made.
    pub created: u64,
    /// When last logged in.
    pub last_login: Option<u64>,
}

/// What a user or a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Look, at everything but secrets.
    ReadOnly,
    /// Besides: change accounts, keys and streams.
    Operator,
    /// Besides: users, tokens, the gate.
    Admin,
}

/// A logged-in browser. The store knows the hash of what the browser has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of the cookie's value.
    pub hash: [u8; 32],
    /// Whose.
    pub login: String,
    /// Until when.
    pub expires: u64,
}

/// What a program has instead of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Tells it apart; from 1. 0: not stored yet.
    pub id: u64,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The one account it may do it to; `None`: all.
    pub account: Option<String>,
    /// When made.
    pub created: u64,
    /// Until when; `None`: until it is taken back.
    pub expires: Option<u64>,
    /// When last used, to the minute.
    pub last_used: Option<u64>,
}

/// What a stream is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId {
    /// The account's number.
    pub account: String,
    /// The path before the name; may contain `/`.
    pub app: String,
    /// Its name.
    pub name: String,
}

/// A stream that nobody may publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbid {
    /// Which.
    pub stream: StreamId,
    /// Until when.
    pub until: u64,
    /// Why, for whoever reads it later.
    pub reason: String,
}

/// A publication, from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The same in the callbacks of its beginning and its end.
    pub sequence: String,
    /// Of which stream.
    pub stream: StreamId,
    /// Whence, without the port.
    pub peer: String,
    /// The push domain, as the URL had it.
    pub host: String,
    /// What the encoder calls itself.
    pub agent: String,
    /// `rtmp`, `rtmp-udp`, ...
    pub protocol: String,
    /// The URL's parameters, whole. `None`: what is stored of them cannot be decrypted.
    pub params: Option<Secret>,
    /// When it began, UNIX ms.
    pub began_ms: u64,
    /// How it ended; `None`: it has not.
    pub end: Option<PublicationEnd>,
}

/// How a publication ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicationEnd {
    /// UNIX ms.
    pub at_ms: u64,
    /// The vendor's number.
    pub errcode: u32,
    /// In words.
    pub cause: String,
    /// Payload bytes received. `None`: nobody was left who had counted them.
    pub bytes_in: Option<u64>,
}

/// A callback that is to be delivered, was, or could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Tells it apart, and orders it among its account's. 0: not stored yet.
    pub id: u64,
    /// Whose.
    pub account: String,
    /// The vendor's `event_type`: 1 began, 0 ended, 321 anomalies.
    pub event: u32,
    /// Which stream: `app/name`.
    pub stream: String,
    /// The event as JSON, without what is made anew with each try (`t`, `sign`). `None`: what is stored of
    /// it cannot be decrypted.
    pub body: Option<Secret>,
    /// How it stands.
    pub state: DeliveryState,
    /// How often it has been tried.
    pub tries: u32,
    /// When it is to be tried next, or was last, UNIX ms.
    pub due_ms: u64,
    /// What came of the last try, in words; empty before the first.
    pub outcome: String,
    /// When the event happened, UNIX ms.
    pub made_ms: u64,
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// To be tried, or tried again.
    Pending,
    /// Answered with 200.
    Delivered,
    /// Given up, until somebody retries it.
    Failed,
}

/// What a stream came to in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minute {
    /// The minute's beginning, UNIX seconds.
    pub at: u64,
    /// Of which stream.
    pub stream: StreamId,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Bytes sent to viewers.
    pub bytes_out: u64,
    /// Most viewers at one time.
    pub viewers_max: u64,
    /// Seconds of the minute in which it was published.
    pub live_s: u32,
}

/// A point of a graph: one or several minutes, of one or several streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Point {
    /// Where it begins, UNIX seconds.
    pub at: u64,
    /// Payload bytes received.
    pub bytes_in: u64,
    /// Bytes sent to viewers.
    pub bytes_out: u64,
    /// Most viewers in a minute of it, summed over streams.
    pub viewers_max: u64,
    /// Most streams that were live in a minute of it.
    pub streams_max: u64,
    /// Whether counts are missing in it, because they could not be stored.
    pub gap: bool,
}

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Orders them. 0: not stored yet.
    pub id: u64,
    /// When.
    pub at: u64,
    /// Who: `user:anna`, `token:7`, `old-api:1`, `system`.
    pub who: String,
    /// From where; empty for the system.
    pub peer: String,
    /// Which account it was about, if one.
    pub account: Option<String>,
    /// What: `domain.rotate`.
    pub what: String,
    /// To what, and how: never a secret.
    pub detail: String,
}

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many are left out before it.
    pub offset: u64,
    /// How many it has at most: 1 to [`PAGE_MAX`].
    pub limit: u64,
}

/// A part of a list, and how long the whole is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// The part.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: u64,
}

/// The longest part of a list that is given at once: at half a kilobyte each, 150 KB.
pub const PAGE_MAX: u64 = 300;
