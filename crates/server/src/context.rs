//! What every connection needs, and how a peer is told no.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thalweg_access::{
    Action, Allow, Class, PolicyReader, Query, Reason, Request, SessionCap, Spent, Way, decide,
};
use thalweg_hub::{
    Away, Credential, Depth, Hub, Lag, NoEntry, Protocol, Publication, PublishError, Publisher,
    StreamKey, Subscription, Ticket, Watching,
};
use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::command::Status;
use tokio::sync::watch;

use crate::clock::now;
use crate::config::{Config, FLUSH_MS_MAX};
use crate::egress::Egress;
use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::remote::{Question, RemoteAuth};
use crate::sessions::{Session, Sessions};
use crate::tls::Store;
use crate::udp::Udp;

/// Shared by every connection.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Current,
    pub(crate) hub: Hub,
    pub(crate) policy: PolicyReader,
    pub(crate) egress: Arc<Egress>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) sessions: Sessions,
    /// What plays have shown that would let push.
    pub(crate) spent: Mutex<Spent>,
    /// Who asks accounts' own back ends, if there is somebody.
    pub(crate) remote: OnceLock<Arc<dyn RemoteAuth>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tls: Arc<Store>,
    pub(crate) udp: Udp,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// The configuration that holds now.
#[derive(Debug)]
pub(crate) struct Current(RwLock<Arc<Config>>);

impl Current {
    pub(crate) fn new(config: Config) -> Current {
        Current(RwLock::new(Arc::new(config)))
    }

    pub(crate) fn get(&self) -> Arc<Config> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace(&self, config: Config) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }
}

/// A refusal, with everything a peer is told.
#[derive(Debug, Clone)]
pub(crate) struct Denial {
    pub(crate) reason: Reason,
    /// The reason's own sentence, or more than that.
    pub(crate) words: String,
}

impl Context {
    /// Asks whether a peer may do this to a stream. `referer` is the page it is on, where there are
    /// pages.
    pub(crate) fn decide(
        &self,
        action: Action,
        way: Way,
        address: &Address,
        peer: IpAddr,
        referer: Option<&str>,
    ) -> Result<Permit, Denial> {
        // Before the policy is looked at: what is closed after that shows at the end.
        let ticket = self.hub.ticket();
        let request = Request {
            action,
            way,
            host: &address.host,
            app: &address.app,
            stream: &address.stream,
            query: Query::new(&address.query),
            peer: Some(peer),
            referer,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let allow = decide(&self.policy.get(), &request, now)?;
        let key = StreamKey::new(&allow.account, &address.app, &address.stream);
        if action == Action::Play {
            self.hub.may_watch(&key, peer, crate::clock::now())?;
        }
        let allow = self.spent().judge(action, allow, now).map_err(Denial::of_memory)?;
        let Allow { credential, takes_over, class, session, udp_viewers_max, ask_remote, .. } =
            allow;
        let credential = credential.map(|of| Credential { of, takes_over });
        let (cap, session) = (session.map(Box::new), None);
        Ok(Permit { key, credential, class, udp_viewers_max, cap, session, ask_remote, ticket })
    }

    /// Asks the account's own back end, if it wants to be asked about this. Whoever waits for the
    /// answer looks whether the peer is still there.
    pub(crate) fn question(
        &self,
        permit: &Permit,
        action: Action,
        address: &Address,
        peer: IpAddr,
        protocol: &'static str,
    ) -> Option<Asking> {
        if !permit.ask_remote {
            return None;
        }
        let StreamKey { account, app, name: stream } = permit.key.clone();
        let query = address.query.as_str().into();
        let question = Question { action, account, app, stream, query, peer, protocol };
        // An account that wants to be asked is not open because nobody can ask it.
        let answer = self.remote.get().map(|remote| remote.ask(question));
        let mut stopping = self.stopping.clone();
        Some(Box::pin(async move {
            let Some(answer) = answer else { return Err(Reason::RemoteUnreachable.into()) };
            tokio::select! {
                answer = answer => Ok(answer?),
                _ = stopping.wait_for(|stopping| *stopping) => Err(Reason::Stopping.into()),
            }
        }))
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a peer the seat of a stream's publisher.
    pub(crate) fn publish(
        &self,
        permit: Permit,
        peer: SocketAddr,
        agent: &str,
    ) -> Result<Publication, Denial> {
        let Permit { key, credential, ticket, .. } = permit;
        let publisher = Publisher { peer, credential, agent: agent.to_owned() };
        let publication = self.hub.publish(&key, publisher, now())?;
        // Whoever was let in while the account was being closed goes as those who were there.
        match self.hub.is_closed_since(&key.account, ticket) {
            true => Err(NoEntry::Closed.into()),
            false => Ok(publication),
        }
    }

    /// Subscribes a viewer and waits, as long as is configured, until the stream is live; from then on
    /// it is one of those who watch. Of the sessions that its URL allows it is one from now on.
    pub(crate) async fn subscribe(
        &self,
        permit: &mut Permit,
        protocol: Protocol,
        peer: SocketAddr,
        agent: &str,
    ) -> Result<(Subscription, Watching), Denial> {
        if let Some(cap) = permit.cap.take() {
            permit.session = Some(Box::new(self.sessions.enter(*cap)?));
        }
        let lag = match permit.class {
            Class::Live => Lag::LIVE,
            Class::Rtc => Lag::RTC,
        };
        let live = async {
            // A stream that ends while it is waited for may begin again under the same name.
            loop {
                let subscription = self.hub.subscribe(&permit.key, protocol, lag, now())?;
                if subscription.live().await {
                    return Ok(subscription);
                }
            }
        };
        let wait = Duration::from_secs(self.config.get().play.wait_s);
        let subscription: Result<Subscription, Denial> =
            match tokio::time::timeout(wait, live).await {
                Ok(answer) => answer,
                Err(_) => Err(Reason::NotFound.into()),
            };
        let subscription = subscription?;
        let watching = self.hub.enter(&permit.key, peer, agent, protocol, permit.ticket, now())?;
        Ok((subscription, watching))
    }

    /// Says that a peer was refused: in the log and in the counts. `url` is what it asked for,
    /// without its query.
    pub(crate) fn refused(
        &self,
        action: &'static str,
        peer: SocketAddr,
        url: Option<&str>,
        denial: &Denial,
    ) {
        self.metrics.refused(action, denial.reason);
        let (reason, words, url) =
            (denial.reason.code(), &denial.words, url.filter(|u| !u.is_empty()).unwrap_or("-"));
        tracing::info!(%peer, action, url, reason, words, "refused");
    }

    /// Says how many peers were not even refused: one line, however many they are.
    pub(crate) fn log_unheard(&self) {
        let connections = self.gate.take_unheard();
        if connections > 0 {
            self.metrics.unheard(connections);
            tracing::warn!(connections, "dropped unheard: there are too many to tell them why");
        }
    }

    /// What a peer calls itself, fit for a log.
    pub(crate) fn agent(raw: &str) -> String {
        raw.chars().filter(|c| !c.is_control()).take(AGENT_CHARS_MAX).collect()
    }

    /// How a viewer is served: as its URL asks, as its class allows, or as configured.
    pub(crate) fn terms(&self, permit: &Permit, query: Query<'_>) -> Terms {
        let asked = |name| query.get(name).and_then(|ms| ms.parse::<u64>().ok());
        let config = self.config.get();
        let play = &config.play;
        let (cache_ms, flush_ms) = match permit.class {
            Class::Live => (play.cache_ms, play.flush_ms),
            Class::Rtc => (0, 0),
        };
        let asked_cache = asked("cache").map(|ms| ms.min(play.cache_max_ms));
        let depth = match asked_cache.unwrap_or(cache_ms) {
            0 => Depth::Newest,
            ms => Depth::AtLeast(ms),
        };
        // Longer than its class has is cheaper; shorter is a cost that others would share. In
        // steps, because viewers share their writes only with those who have the same.
        let steps = asked("flush").unwrap_or(0).min(FLUSH_MS_MAX).div_ceil(FLUSH_MS_STEP);
        let flush = Duration::from_millis(flush_ms.max(steps * FLUSH_MS_STEP));
        Terms { depth, flush }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Waits until the server is to stop.
    pub(crate) async fn stopped(&self) {
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
    }
}

/// An answer that is waited for.
pub(crate) type Asking = Pin<Box<dyn Future<Output = Result<(), Denial>> + Send>>;

/// What a peer has been granted.
#[derive(Debug)]
pub(crate) struct Permit {
    pub(crate) key: StreamKey,
    credential: Option<Credential>,
    pub(crate) class: Class,
    /// How many may watch the stream over UDP at the same time.
    pub(crate) udp_viewers_max: u32,
    /// How many may use its URL, until it is one of them. Few URLs say, and every viewer has a
    /// permit: hence the box.
    cap: Option<Box<SessionCap>>,
    /// That it is one of them.
    pub(crate) session: Option<Box<Session>>,
    /// Whether the account's own back end is to be asked.
    ask_remote: bool,
    /// When all this was decided.
    ticket: Ticket,
}

/// How a viewer is served.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// Where it starts.
    pub(crate) depth: Depth,
    /// How long its writes are gathered.
    pub(crate) flush: Duration,
}

impl Permit {
    /// Whether the peer has shown a valid signature.
    pub(crate) fn is_signed(&self) -> bool {
        self.credential.is_some()
    }
}

impl Denial {
    /// What [`Spent`] says, which knows one more thing that can be full.
    fn of_memory(reason: Reason) -> Denial {
        match reason {
            Reason::Full => Denial { reason, words: MEMORY_FULL.to_owned() },
            reason => reason.into(),
        }
    }

    /// As an RTMP status.
    pub(crate) fn to_status(&self, action: Action) -> Status {
        Status::error(self.reason.rtmp_code(action), self.words.clone())
            .with_reason(self.reason.code())
    }
}

impl From<Reason> for Denial {
    fn from(reason: Reason) -> Self {
        Denial { reason, words: reason.sentence().to_owned() }
    }
}

impl From<PublishError> for Denial {
    fn from(e: PublishError) -> Self {
        let reason = match e {
            PublishError::InUse(_) => Reason::InUse,
            PublishError::TooManyStreams(_) => Reason::Full,
            PublishError::Barred(_) => Reason::Barred,
            PublishError::Stopping => Reason::Stopping,
        };
        Denial { reason, words: e.to_string() }
    }
}

impl From<NoEntry> for Denial {
    fn from(e: NoEntry) -> Self {
        let reason = match e {
            NoEntry::Barred(_) => Reason::ViewerBarred,
            NoEntry::Closed => Reason::ServiceClosed,
        };
        Denial { reason, words: e.to_string() }
    }
}

/// What somebody is told who watched until now.
impl From<Away> for Denial {
    fn from(away: Away) -> Self {
        let reason = match away {
            Away::Kicked(_) => Reason::ViewerBarred,
            Away::Closed => Reason::ServiceClosed,
        };
        Denial { reason, words: away.to_string() }
    }
}

impl From<thalweg_wire::rtmp::address::BadAddress> for Denial {
    fn from(e: thalweg_wire::rtmp::address::BadAddress) -> Self {
        Denial { reason: Reason::BadName, words: e.to_string() }
    }
}

const MEMORY_FULL: &str = "too many plays of this account were signed with its push key: sign them \
                           with the play key";
/// Flush intervals that viewers ask for are multiples of this: ten at most for a stream.
const FLUSH_MS_STEP: u64 = 50;
/// Encoders name themselves in a few words.
const AGENT_CHARS_MAX: usize = 80;
