//! Who owns what: accounts, their domains, and the keys of those.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::eligibility::{Gate, Standing};
use crate::keys::Keys;
use crate::lists::{ADDRESSES_MAX, AddressList, REFERERS_MAX, RefererList};

/// What a request wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Publish a stream.
    Push,
    /// Watch a stream.
    Play,
}

impl Action {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Action::Push => "push",
            Action::Play => "play",
        }
    }
}

/// Everything a decision is made of. Never changed: a new one takes its place.
#[derive(Debug, Clone)]
pub struct Policy {
    accounts: Vec<Account>,
    gate: Gate,
    /// Places in `accounts`, by number.
    by_bizid: HashMap<Arc<str>, usize>,
    /// The same by host, in lower case.
    by_host: HashMap<String, usize>,
}

/// A customer. Streams belong to accounts, not to hosts.
#[derive(Debug, Clone)]
pub struct Account {
    /// The customer's number, the vendor's `bizid`.
    pub bizid: Arc<str>,
    /// Its domains, at least one for each action.
    pub domains: Vec<Domain>,
    /// Which URLs are no longer good.
    pub revoked: Revoked,
    /// Whose key signs a play over UDP.
    pub profile: Profile,
    /// How many may watch a stream over UDP at the same time, at most [`UDP_VIEWERS_MAX`]. 0: nobody
    /// watches over UDP.
    pub udp_viewers_max: u32,
    /// What it is, and which of its switches are on.
    pub standing: Standing,
    /// Where its publishers and viewers may come from.
    pub addresses: AddressList,
    /// On which pages they may be.
    pub referers: RefererList,
    /// What its own back end is asked about.
    pub remote: RemoteAsk,
}

/// What an account's own back end is asked about, once everything here has allowed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RemoteAsk {
    /// Publishing.
    pub push: bool,
    /// Watching.
    pub play: bool,
}

impl RemoteAsk {
    /// Whether it is asked about an action.
    pub fn is_asked(self, action: Action) -> bool {
        match action {
            Action::Push => self.push,
            Action::Play => self.play,
        }
    }
}

/// Whose key signs a play over UDP, and one in RTC mode, where the vendor's signature makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// The play key. What lets watch does not let push.
    #[default]
    Strict,
    /// The vendor's rule: the push key, or the play key. What the push key made would let push as
    /// well: see [`crate::Spent`].
    Vendor,
}

/// Which signed URLs of an account are no longer good: those made before a moment. A URL that does
/// not say when it was made counts as older than any.
#[derive(Debug, Clone, Default)]
pub struct Revoked {
    /// The moment for all of its streams, UNIX seconds.
    pub before_unix_s: Option<u64>,
    /// The moments for single streams, by `app/stream`.
    pub streams: BTreeMap<String, u64>,
}

/// A host name for one action, and who may use it.
#[derive(Debug, Clone)]
pub struct Domain {
    /// What it is for.
    pub action: Action,
    /// The host, lower case. `None`: every host that no other domain names.
    pub host: Option<String>,
    /// What URLs are signed with.
    pub keys: Keys,
    /// Whether a signature is compulsory. The vendor's default: for push, not for play.
    pub auth: bool,
    /// Seconds that a URL stays good after its `txTime`. Not one with a `tw`, which says all of it.
    pub validity_s: u64,
    /// Which signatures count.
    pub schemes: Schemes,
}

/// Which signatures a domain takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schemes {
    /// The vendor's, and the strong one.
    #[default]
    Any,
    /// The strong one.
    Strong,
}

/// Why accounts cannot be a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the text says it")]
pub enum PolicyError {
    NoAccount,
    BizidMalformed(String),
    BizidTwice(String),
    HostTwice(String),
    NoDomain(String, &'static str),
    ShortKey(String),
    KnownKey(String),
    UdpViewers(String),
    Category(String),
    Addresses(String),
    Referers(String),
}

impl std::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PolicyError::NoAccount => write!(f, "there is no account"),
            PolicyError::BizidMalformed(b) => write!(f, "bizid {b:?} must be 1 to 20 digits"),
            PolicyError::BizidTwice(b) => write!(f, "bizid {b} stands for two accounts"),
            PolicyError::HostTwice(h) => write!(f, "host {h} stands in two domains"),
            PolicyError::NoDomain(b, action) => write!(f, "account {b} has no {action} domain"),
            PolicyError::ShortKey(b) => {
                write!(f, "a key of account {b} is shorter than {KEY_CHARS_MIN} characters")
            }
            PolicyError::KnownKey(b) => write!(
                f,
                "a key of account {b} is printed in a manual, where everyone can read it: choose \
                 another, or leave it out to have one made"
            ),
            PolicyError::UdpViewers(b) => {
                write!(f, "account {b} has more than {UDP_VIEWERS_MAX} viewers over UDP")
            }
            PolicyError::Category(b) => write!(
                f,
                "a category id of account {b} is not of lower-case letters, digits and hyphens"
            ),
            PolicyError::Addresses(b) => {
                write!(f, "account {b} lists more than {ADDRESSES_MAX} networks")
            }
            PolicyError::Referers(b) => {
                write!(f, "account {b} lists more than {REFERERS_MAX} pages")
            }
        }
    }
}

impl std::error::Error for PolicyError {}

impl Policy {
    /// A policy of these accounts, whatever their categories. The first is the default: it owns
    /// every host nobody names.
    ///
    /// # Errors
    /// When two of them claim the same thing, or one cannot work.
    pub fn new(accounts: Vec<Account>) -> Result<Policy, PolicyError> {
        Policy::with_gate(accounts, Gate::Off)
    }

    /// The same with a gate.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_gate(accounts: Vec<Account>, gate: Gate) -> Result<Policy, PolicyError> {
        if accounts.is_empty() {
            return Err(PolicyError::NoAccount);
        }
        let (mut by_bizid, mut by_host) = (HashMap::new(), HashMap::new());
        for (place, account) in accounts.iter().enumerate() {
            account.check()?;
            if by_bizid.insert(Arc::clone(&account.bizid), place).is_some() {
                return Err(PolicyError::BizidTwice(account.bizid.to_string()));
            }
            account.claim_hosts(place, &mut by_host)?;
        }
        Ok(Policy { accounts, gate, by_bizid, by_host })
    }

    /// Whether categories count.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The account that owns hosts nobody names.
    pub fn default_account(&self) -> &Account {
        &self.accounts[0]
    }

    /// Every account.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The account of a number.
    pub fn account(&self, bizid: &str) -> Option<&Account> {
        self.by_bizid.get(bizid).map(|place| &self.accounts[*place])
    }

    /// The account a host belongs to.
    pub fn account_of(&self, host: &str) -> &Account {
        self.owner_of(host).unwrap_or(self.default_account())
    }

    /// The account that has a domain of this name.
    pub(crate) fn owner_of(&self, host: &str) -> Option<&Account> {
        self.by_host.get(&*lower(host)).map(|place| &self.accounts[*place])
    }

    /// The host to print in an account's URLs for an action: `usual`, if it is the account's, else
    /// one of its own. `None` when it has none, so that no URL can mean it.
    pub fn host_for<'a>(
        &'a self,
        account: &'a Account,
        action: Action,
        usual: &'a str,
    ) -> Option<&'a str> {
        let mut of_action = account.domains.iter().filter(|d| d.action == action);
        let is_owner = self.account_of(usual).bizid == account.bizid;
        if is_owner && of_action.clone().any(|d| d.host.is_none() || d.is_host(usual)) {
            return Some(usual);
        }
        of_action.find_map(|d| d.host.as_deref())
    }

    /// Whether a stream name begins with the number of an account other than `account`.
    pub(crate) fn is_foreign(&self, account: &Account, stream: &str) -> bool {
        let Some((prefix, _)) = stream.split_once('_') else {
            return false;
        };
        prefix != &*account.bizid && self.by_bizid.contains_key(prefix)
    }
}

impl Account {
    /// An account in good standing with everything else as it is unless somebody says: profile
    /// strict, no lists, nothing revoked.
    pub fn new(bizid: &str, domains: Vec<Domain>) -> Account {
        Account {
            bizid: Arc::from(bizid),
            domains,
            revoked: Revoked::default(),
            profile: Profile::default(),
            udp_viewers_max: UDP_VIEWERS_USUAL,
            standing: Standing::eligible(),
            addresses: AddressList::default(),
            referers: RefererList::default(),
            remote: RemoteAsk::default(),
        }
    }

    /// Enters its hosts into those of all accounts. A host may be there for push and for play, but not
    /// for two accounts: it says whose a stream is.
    fn claim_hosts(
        &self,
        place: usize,
        by_host: &mut HashMap<String, usize>,
    ) -> Result<(), PolicyError> {
        let named = |d: &Domain| d.host.as_deref().map(|h| (lower(h).into_owned(), d.action));
        let mut own = Vec::new();
        for (host, action) in self.domains.iter().filter_map(named) {
            let is_others = by_host.insert(host.clone(), place).is_some_and(|p| p != place);
            if is_others || own.contains(&(host.clone(), action)) {
                return Err(PolicyError::HostTwice(host));
            }
            own.push((host, action));
        }
        Ok(())
    }

    /// The domains whose rules hold for a request to `host`: the one that names it; else those
    /// that name none; else all of that action, so that no host is a way around the others' rules.
    pub(crate) fn domains_for(&self, action: Action, host: &str) -> Vec<&Domain> {
        let of_action = || self.domains.iter().filter(move |d| d.action == action);
        let named: Vec<_> = of_action().filter(|d| d.is_host(host)).collect();
        if !named.is_empty() {
            return named;
        }
        let unnamed: Vec<_> = of_action().filter(|d| d.host.is_none()).collect();
        if unnamed.is_empty() { of_action().collect() } else { unnamed }
    }

    /// The domain whose key new URLs for an action are signed with: the one that holds for `host`.
    pub fn signing_domain(&self, action: Action, host: &str) -> Option<&Domain> {
        self.domains_for(action, host).first().copied()
    }

    fn check(&self) -> Result<(), PolicyError> {
        let bizid = || self.bizid.to_string();
        let digits = self.bizid.bytes().all(|b| b.is_ascii_digit());
        if !digits || self.bizid.is_empty() || self.bizid.len() > 20 {
            return Err(PolicyError::BizidMalformed(bizid()));
        }
        for action in [Action::Push, Action::Play] {
            if !self.domains.iter().any(|d| d.action == action) {
                return Err(PolicyError::NoDomain(bizid(), action.name()));
            }
        }
        if self.udp_viewers_max > UDP_VIEWERS_MAX {
            return Err(PolicyError::UdpViewers(bizid()));
        }
        if !self.standing.category.is_well_formed() {
            return Err(PolicyError::Category(bizid()));
        }
        if self.addresses.networks.len() > ADDRESSES_MAX {
            return Err(PolicyError::Addresses(bizid()));
        }
        if self.referers.patterns.len() > REFERERS_MAX {
            return Err(PolicyError::Referers(bizid()));
        }
        let keys = self.domains.iter().flat_map(|d| [Some(&d.keys.main), d.keys.backup.as_ref()]);
        for key in keys.flatten() {
            let secret = key.reveal();
            if KNOWN_KEYS.contains(&secret) {
                return Err(PolicyError::KnownKey(bizid()));
            }
            if secret.len() < KEY_CHARS_MIN {
                return Err(PolicyError::ShortKey(bizid()));
            }
        }
        Ok(())
    }
}

impl Revoked {
    /// Before which moment URLs of a stream had to be made to be revoked, if any were.
    pub fn before(&self, app: &str, stream: &str) -> Option<u64> {
        let of_stream = self.streams.get(&format!("{app}/{stream}")).copied();
        self.before_unix_s.max(of_stream)
    }
}

impl Domain {
    fn is_host(&self, host: &str) -> bool {
        self.host.as_deref().is_some_and(|h| h.eq_ignore_ascii_case(host))
    }
}

/// A host in lower case, which most are.
fn lower(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// As many may watch a stream over UDP where nobody says how many: the vendor's number.
pub const UDP_VIEWERS_USUAL: u32 = 10;
/// The most that can be said: with 4 MiB unsent for each, a stream that nobody can read takes 4 GiB.
pub const UDP_VIEWERS_MAX: u32 = 1000;
/// The vendor lets keys be as short as eight; a dictionary finds those in an hour.
const KEY_CHARS_MIN: usize = 8;
/// Keys of the vendor's samples and of ours: known to everyone.
const KNOWN_KEYS: [&str; 6] = [
    "32-letters-or-digits-of-your-own",
    "the-one-before-the-last-rotation",
    "e12c46f2612d5106e2034781ab261ca3",
    "somestring",
    "testlive",
    "5f4dcc3b5aa765d61d8327deb882cf99",
];
