//! Who watches, one by one; and how one of them is sent away.
//!
//! A viewer is told by a value that its loop or its pump looks at once in a while, never by a call
//! into the data path.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::hub::{BAR_MAX, Hub, StreamKey, TooManyBarred};
use crate::stats::Protocol;

/// Everyone who watches, and who may not.
#[derive(Debug, Default)]
pub(crate) struct Viewers {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    watching: BTreeMap<u64, Arc<Place>>,
    ids: u64,
    /// Which addresses may not watch which stream, and until when.
    barred: HashMap<(IpAddr, StreamKey), Instant>,
    /// Of each account that was ever closed, the number of the last time that its viewers were sent
    /// away; and its publishers.
    dismissed: HashMap<Arc<str>, [u64; 2]>,
    /// Such times so far.
    dismissals: u64,
}

/// What is known of one viewer: some 200 bytes with its name and its place in the table.
#[derive(Debug)]
struct Place {
    id: u64,
    key: StreamKey,
    peer: SocketAddr,
    agent: Box<str>,
    protocol: Protocol,
    since: Instant,
    /// What it was sent when that was last looked at.
    bytes: AtomicU64,
    /// 0 while it may stay; else what [`Away`] says.
    away: AtomicU64,
}

/// A viewer, as long as it watches. Dropping it takes it out.
pub struct Watching {
    hub: Hub,
    place: Arc<Place>,
}

/// A viewer's place, for whoever feeds it: how much it was sent, and whether it must go.
#[derive(Debug, Clone)]
pub struct Orders(Arc<Place>);

/// Why a viewer is sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// An operator sent it away, and its address may not watch this stream for so long.
    Kicked(Duration),
    /// The account may not be watched any more.
    Closed,
}

/// Why somebody may not watch who was let in before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoEntry {
    /// Its address was sent away from this stream, and may not come back for so long.
    #[error(
        "an operator sent a viewer of your address away from this stream: it may watch again in {} s",
        .0.as_secs() + 1
    )]
    Barred(Duration),
    /// The account was closed while it waited.
    #[error("live streaming was closed for this account")]
    Closed,
}

/// Which viewers.
#[derive(Debug, Clone, Copy, Default)]
pub struct ViewerFilter<'a> {
    /// Of this account only.
    pub account: Option<&'a str>,
    /// Of this stream only.
    pub stream: Option<&'a StreamKey>,
    /// Those that came after this one, by number.
    pub after: Option<u64>,
    /// So many at most.
    pub max: Option<usize>,
}

/// A viewer at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewerSnapshot {
    /// Its number, which counts up from the start of the server.
    pub id: u64,
    /// What it watches.
    pub key: StreamKey,
    /// Where from.
    pub peer: SocketAddr,
    /// What it calls itself.
    pub agent: String,
    /// How it watches.
    pub protocol: Protocol,
    /// Since when.
    pub since: Instant,
    /// Bytes it was sent, as of a second ago; over UDP with all that is of UDP.
    pub bytes: u64,
}

/// A moment, to ask later what was closed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

impl Hub {
    /// The viewers that a filter picks, in the order they came. Looks at each one there is.
    pub fn viewers(&self, filter: ViewerFilter<'_>) -> Vec<ViewerSnapshot> {
        let table = self.viewer_table();
        let after = filter.after.map_or(0, |id| id.saturating_add(1));
        let picked = table.watching.range(after..).map(|(_, p)| p).filter(|p| filter.picks(&p.key));
        picked.take(filter.max.unwrap_or(usize::MAX)).map(|p| p.snapshot()).collect()
    }

    /// Sends a viewer away, and lets nobody of its address watch this stream for a time: one that
    /// could come back at once would. Answers who it was; `None` when there is no such viewer.
    ///
    /// # Errors
    /// [`TooManyBarred`], and then nobody is sent away.
    pub fn kick_viewer(
        &self,
        id: u64,
        bar: Duration,
        now: Instant,
    ) -> Result<Option<ViewerSnapshot>, TooManyBarred> {
        let mut table = self.viewer_table();
        let Some(place) = table.watching.get(&id).cloned() else { return Ok(None) };
        if !bar.is_zero() {
            table.barred.retain(|_, until| *until > now);
            let seat = (address_of(place.peer.ip()), place.key.clone());
            if !table.barred.contains_key(&seat) {
                let is_own = |(_, k): &&(IpAddr, StreamKey)| k.account == place.key.account;
                let own = table.barred.keys().filter(is_own).count();
                TooManyBarred::check(table.barred.len(), own, "viewers")?;
            }
            table.barred.insert(seat, now + bar.min(BAR_MAX));
        }
        place.send_away(Away::Kicked(bar));
        Ok(Some(place.snapshot()))
    }

    /// Which addresses may not watch which streams, of one account or of all, and for how long.
    pub fn barred_viewers(
        &self,
        account: Option<&str>,
        now: Instant,
    ) -> Vec<(IpAddr, StreamKey, Duration)> {
        let table = self.viewer_table();
        let all = table.barred.iter().filter(|((_, key), until)| {
            **until > now && account.is_none_or(|a| a == &*key.account)
        });
        let mut all: Vec<_> =
            all.map(|((ip, key), until)| (*ip, key.clone(), *until - now)).collect();
        drop(table);
        all.sort_by(|(ip, key, _), (ip2, key2, _)| (key, ip).cmp(&(key2, ip2)));
        all
    }

    /// Lets an address watch a stream again. Answers whether it could not.
    pub fn unbar_viewer(&self, key: &StreamKey, peer: IpAddr) -> bool {
        self.viewer_table().barred.remove(&(address_of(peer), key.clone())).is_some()
    }

    /// A viewer begins to watch, of an account that was asked about when `ticket` was taken.
    ///
    /// # Errors
    /// [`NoEntry`] when it may not, whatever it was told then.
    pub fn enter(
        &self,
        key: &StreamKey,
        peer: SocketAddr,
        agent: &str,
        protocol: Protocol,
        ticket: Ticket,
        now: Instant,
    ) -> Result<Watching, NoEntry> {
        let mut table = self.viewer_table();
        if table.is_closed(&key.account, VIEWERS, ticket) {
            return Err(NoEntry::Closed);
        }
        table.admit(key, peer.ip(), now)?;
        let (id, key, agent) = (table.ids, key.clone(), agent.into());
        let (bytes, away) = (AtomicU64::new(0), AtomicU64::new(0));
        let place = Arc::new(Place { id, key, peer, agent, protocol, since: now, bytes, away });
        table.ids += 1;
        table.watching.insert(id, Arc::clone(&place));
        drop(table);
        Ok(Watching { hub: self.clone(), place })
    }

    /// Whether somebody of this address may watch a stream.
    ///
    /// # Errors
    /// For how long not.
    pub fn may_watch(&self, key: &StreamKey, peer: IpAddr, now: Instant) -> Result<(), NoEntry> {
        self.viewer_table().admit(key, peer, now)
    }

    /// Sends away who publishes, or who watches, streams of an account: what was asked about them
    /// before counts no more. Answers how many it were, of each.
    pub fn dismiss_account(
        &self,
        account: &str,
        publishers: bool,
        viewers: bool,
        now: Instant,
    ) -> (usize, usize) {
        let mut table = self.viewer_table();
        table.dismissals += 1;
        let time = table.dismissals;
        let last = table.dismissed.entry(Arc::from(account)).or_default();
        for (who, is_meant) in [(VIEWERS, viewers), (PUBLISHERS, publishers)] {
            if is_meant {
                last[who] = time;
            }
        }
        let all = table.watching.values().filter(|p| viewers && &*p.key.account == account);
        let watched = all.map(|p| p.send_away(Away::Closed)).count();
        drop(table);
        // After the mark: whoever takes a seat looks at it afterwards.
        let published = if publishers { self.close_publishers(account, now) } else { 0 };
        (published, watched)
    }

    /// Now, to ask later what was closed since.
    pub fn ticket(&self) -> Ticket {
        Ticket(self.viewer_table().dismissals)
    }

    /// Whether the publishers of an account were sent away since then.
    pub fn is_closed_since(&self, account: &str, ticket: Ticket) -> bool {
        self.viewer_table().is_closed(account, PUBLISHERS, ticket)
    }

    fn viewer_table(&self) -> MutexGuard<'_, Table> {
        self.viewers_inner().table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn is_closed(&self, account: &str, who: usize, Ticket(then): Ticket) -> bool {
        self.dismissed.get(account).is_some_and(|last| last[who] > then)
    }

    fn admit(&self, key: &StreamKey, peer: IpAddr, now: Instant) -> Result<(), NoEntry> {
        if self.barred.is_empty() {
            return Ok(());
        }
        match self.barred.get(&(address_of(peer), key.clone())) {
            Some(until) if *until > now => Err(NoEntry::Barred(*until - now)),
            _ => Ok(()),
        }
    }
}

impl Watching {
    /// The viewer's number.
    pub fn id(&self) -> u64 {
        self.place.id
    }

    /// What it watches.
    pub fn key(&self) -> &StreamKey {
        &self.place.key
    }

    /// Where from.
    pub fn peer(&self) -> SocketAddr {
        self.place.peer
    }

    /// What it calls itself.
    pub fn agent(&self) -> &str {
        &self.place.agent
    }

    /// How it watches.
    pub fn protocol(&self) -> Protocol {
        self.place.protocol
    }

    /// Since when.
    pub fn since(&self) -> Instant {
        self.place.since
    }

    /// For whoever feeds it.
    pub fn orders(&self) -> Orders {
        Orders(Arc::clone(&self.place))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.hub.viewer_table().watching.remove(&self.place.id);
    }
}

impl fmt::Debug for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl Orders {
    /// Says what the viewer was sent so far, and asks whether it must go.
    pub fn look(&self, bytes: u64) -> Option<Away> {
        self.0.bytes.store(bytes, Relaxed);
        self.away()
    }

    /// Whether the viewer must go.
    pub fn away(&self) -> Option<Away> {
        match self.0.away.load(Relaxed) {
            STAYS => None,
            CLOSED => Some(Away::Closed),
            s => Some(Away::Kicked(Duration::from_secs(s - KICKED))),
        }
    }
}

impl Place {
    fn send_away(&self, away: Away) {
        let value = match away {
            Away::Closed => CLOSED,
            Away::Kicked(bar) => bar.as_secs().saturating_add(KICKED),
        };
        // The first word stands.
        let _ = self.away.compare_exchange(STAYS, value, Relaxed, Relaxed);
    }

    fn snapshot(&self) -> ViewerSnapshot {
        ViewerSnapshot {
            id: self.id,
            key: self.key.clone(),
            peer: self.peer,
            agent: self.agent.to_string(),
            protocol: self.protocol,
            since: self.since,
            bytes: self.bytes.load(Relaxed),
        }
    }
}

impl ViewerFilter<'_> {
    fn picks(&self, key: &StreamKey) -> bool {
        self.account.is_none_or(|a| a == &*key.account) && self.stream.is_none_or(|s| s == key)
    }
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Away::Kicked(bar) if bar.is_zero() => f.write_str("an operator sent the viewer away"),
            Away::Kicked(bar) => {
                write!(f, "an operator sent the viewer away, for {} s", bar.as_secs())
            }
            Away::Closed => f.write_str("live streaming was closed for this account"),
        }
    }
}

/// What counts as one address where each has its bound: an IPv4 address, or an IPv6 network of 64 bits, which is what one
/// household has.
pub fn address_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        IpAddr::V4(v4) => IpAddr::V4(v4),
    }
}

/// Values of [`Place::away`]. From [`KICKED`] on: kicked, for so many seconds less.
const STAYS: u64 = 0;
const CLOSED: u64 = 1;
const KICKED: u64 = 2;
/// Places in [`Table::dismissed`].
const VIEWERS: usize = 0;
const PUBLISHERS: usize = 1;
