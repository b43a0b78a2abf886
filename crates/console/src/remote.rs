//! Asks an account's own back end whether somebody may publish or watch.
//!
//! What is asked of whom lies in memory: nobody who wants to watch waits for a store. The back end gets
//! three seconds, waiting for its turn included; the same question is asked once, however many ask it, and its answer is good for five
//! seconds. Who cannot be asked has not agreed: a push is refused, a play if the account says so.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use serde_json::json;
use sha2::{Digest, Sha256};
use thalweg_access::{Action, Reason};
use tokio::sync::{AcquireError, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::clock::Clock;
use crate::hooks::body;
use crate::hooks::outbox::signing_key;
use crate::hooks::post::{Message, Post};
use crate::hooks::target::Target;
use crate::metrics::{Count, Text};
use crate::model::{Account, Secret};

/// Asks back ends. Clones are the same.
#[derive(Debug, Clone)]
pub struct Remote {
    inner: Arc<Inner>,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// To publish or to watch.
    pub action: Action,
    /// The account whose back end is asked.
    pub account: Arc<str>,
    /// App of the URL.
    pub app: Arc<str>,
    /// Stream name of the URL.
    pub stream: Arc<str>,
    /// The URL's parameters, whole. They hold secrets.
    pub query: Arc<str>,
    /// Who wants to.
    pub peer: IpAddr,
    /// How it came: `rtmp`, `http-flv`, `ws-flv` or `rtmp-udp`.
    pub protocol: &'static str,
}

#[derive(Debug)]
struct Inner {
    post: Arc<dyn Post>,
    clock: Arc<dyn Clock>,
    node: Arc<str>,
    slots: Arc<Semaphore>,
    state: Mutex<State>,
    asked: Asked,
}

/// What came of the questions so far.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pushes: Outcomes,
    plays: Outcomes,
    /// How many were answered, or not, within each of [`SECONDS`], and how many at all.
    within: [Count; SECONDS.len() + 1],
    us: Count,
}

#[derive(Debug, Default)]
struct Outcomes {
    allowed: Count,
    refused: Count,
    unreachable: Count,
    /// Not asked anew: it was a moment ago, or is being asked.
    known: Count,
}

#[derive(Default)]
struct State {
    rules: HashMap<String, Rule>,
    /// Counts the replacements of the rules: answers to older ones are not kept.
    generation: u64,
    answers: HashMap<Hash, (Instant, Answer)>,
    asking: HashMap<Hash, WeakShared<BoxFuture<'static, Answer>>>,
}

/// Whom to ask for an account, and when.
#[derive(Debug, Clone)]
struct Rule {
    /// `None`: the URL is none, so nobody can be asked.
    target: Option<Target>,
    key: Secret,
    push: bool,
    play: bool,
    play_if_unreachable: bool,
    /// No account's dead back end takes what the others need.
    slots: Arc<Semaphore>,
    /// Those that have a slot and those that wait for one.
    waiting: Arc<Semaphore>,
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Nothing,
}

type Hash = [u8; 32];
type Asking = Shared<BoxFuture<'static, Answer>>;

impl Remote {
    /// Asks nobody, until it knows accounts.
    pub fn new(post: Arc<dyn Post>, clock: Arc<dyn Clock>, node: &str) -> Remote {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        let (node, state, asked) = (Arc::from(node), Mutex::default(), Asked::default());
        Remote { inner: Arc::new(Inner { post, clock, node, slots, state, asked }) }
    }

    pub(crate) fn asked(&self) -> &Asked {
        &self.inner.asked
    }

    /// From here on these accounts say who is asked. What was answered before is forgotten.
    pub fn set_accounts<'a>(&self, accounts: impl IntoIterator<Item = &'a Account>) {
        let rules = accounts.into_iter().filter(|a| a.remote.url.is_some());
        let rules = rules.map(|a| (a.bizid.clone(), Rule::of(a))).collect();
        let mut state = self.inner.state();
        state.rules = rules;
        state.generation += 1;
        state.answers.clear();
        state.asking.clear();
    }

    /// Asks, if the account wants that; the answer is a reason when it is no. Dropping this is fine:
    /// a question that nobody waits for any more is not asked to its end.
    pub fn ask(&self, question: &Question) -> BoxFuture<'static, Result<(), Reason>> {
        let Some(rule) = self.inner.rule(question) else {
            return std::future::ready(Ok(())).boxed();
        };
        let (push, lenient) = (question.action == Action::Push, rule.play_if_unreachable);
        let answer = self.inner.answer(question, rule);
        async move {
            match answer.await {
                Answer::Yes => Ok(()),
                Answer::No => Err(Reason::RemoteRefused),
                Answer::Nothing if lenient && !push => Ok(()),
                Answer::Nothing => Err(Reason::RemoteUnreachable),
            }
        }
        .boxed()
    }
}

impl Inner {
    /// Whom to ask about this, if anybody.
    fn rule(&self, question: &Question) -> Option<Rule> {
        let state = self.state();
        let rule = state.rules.get(&*question.account)?;
        let is_asked = match question.action {
            Action::Push => rule.push,
            Action::Play => rule.play,
        };
        is_asked.then(|| rule.clone())
    }

    /// The answer, or whoever waits for it already, or a new question.
    fn answer(self: &Arc<Self>, question: &Question, rule: Rule) -> Asking {
        let hash = question.hash();
        let mut state = self.state();
        if let Some(answer) = state.answer(&hash) {
            self.asked.of(question.action).known.add(1);
            return known(answer);
        }
        if let Some(asking) = state.asking.get(&hash).and_then(WeakShared::upgrade) {
            self.asked.of(question.action).known.add(1);
            return asking;
        }
        let Ok(seat) = Arc::clone(&rule.waiting).try_acquire_owned() else {
            tracing::warn!(account = %question.account, "too many questions to a back end at once");
            self.asked.of(question.action).unreachable.add(1);
            return known(Answer::Nothing);
        };
        let (inner, generation) = (Arc::clone(self), state.generation);
        let text = question.body(&self.node);
        let (account, action) = (Arc::clone(&question.account), question.action);
        let asking = async move {
            let began = Instant::now();
            let answer = inner.send_in_turn(&account, rule, &text, began + ANSWER_WITHIN).await;
            inner.asked.note(action, answer, began.elapsed());
            inner.state().note(hash, generation, answer);
            drop(seat);
            answer
        };
        let asking = asking.boxed().shared();
        state.remember(hash, &asking);
        asking
    }

    /// Waits for its turn and for the answer, both together until `deadline`.
    async fn send_in_turn(
        &self,
        account: &str,
        rule: Rule,
        text: &str,
        deadline: Instant,
    ) -> Answer {
        let slots = async {
            // First what is its own: a back end that is dead keeps no slot of the others' waiting.
            let own = rule.slots.acquire().await?;
            Ok::<_, AcquireError>((own, self.slots.acquire().await?))
        };
        let Ok(Ok(_slots)) = timeout_at(deadline, slots).await else {
            tracing::warn!(account, "too many questions to a back end at once");
            return Answer::Nothing;
        };
        self.send(account, &rule, text, deadline.saturating_duration_since(Instant::now())).await
    }

    async fn send(&self, account: &str, rule: &Rule, text: &str, within: Duration) -> Answer {
        let Some(target) = rule.target.clone() else {
            tracing::warn!(account, "the URL of its remote authorisation is none");
            return Answer::Nothing;
        };
        let Ok((body, signature)) = body::signed(text, rule.key.reveal(), self.clock.now()) else {
            return Answer::Nothing;
        };
        match self.post.post(&Message { target, body, signature, within }).await {
            Ok(200) => Answer::Yes,
            Ok(_) => Answer::No,
            Err(error) => {
                tracing::warn!(account, %error, "its back end could not be asked");
                Answer::Nothing
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn answer(&self, hash: &Hash) -> Option<Answer> {
        let (until, answer) = self.answers.get(hash)?;
        (*until > Instant::now()).then_some(*answer)
    }

    fn remember(&mut self, hash: Hash, asking: &Asking) {
        // Those that nobody waits for any more did not say goodbye.
        if self.asking.len() >= ASKING_TIDY {
            self.asking.retain(|_, asking| asking.upgrade().is_some());
        }
        if let Some(asking) = asking.downgrade() {
            self.asking.insert(hash, asking);
        }
    }

    /// Keeps an answer for a while. That there was none is not kept: the next one may be luckier.
    fn note(&mut self, hash: Hash, generation: u64, answer: Answer) {
        if generation != self.generation {
            return;
        }
        self.asking.remove(&hash);
        if answer == Answer::Nothing {
            return;
        }
        let now = Instant::now();
        if self.answers.len() >= ANSWERS_MAX {
            self.answers.retain(|_, (until, _)| *until > now);
        }
        if self.answers.len() < ANSWERS_MAX {
            self.answers.insert(hash, (now + ANSWER_GOOD_FOR, answer));
        }
    }
}

impl Asked {
    fn of(&self, action: Action) -> &Outcomes {
        match action {
            Action::Push => &self.pushes,
            Action::Play => &self.plays,
        }
    }

    fn note(&self, action: Action, answer: Answer, took: Duration) {
        let outcomes = self.of(action);
        match answer {
            Answer::Yes => outcomes.allowed.add(1),
            Answer::No => outcomes.refused.add(1),
            Answer::Nothing => outcomes.unreachable.add(1),
        }
        self.us.add(took.as_micros() as u64);
        let slot = SECONDS.iter().position(|s| took.as_secs_f64() <= *s).unwrap_or(SECONDS.len());
        self.within[slot].add(1);
    }

    pub(crate) fn write(&self, text: &mut Text) {
        let help = "Questions to accounts' back ends, by what came of them";
        text.family("remote", "counter", help);
        for (action, of) in [("push", &self.pushes), ("play", &self.plays)] {
            let Outcomes { allowed, refused, unreachable, known } = of;
            for (outcome, count) in [
                ("allowed", allowed),
                ("refused", refused),
                ("unreachable", unreachable),
                ("known", known),
            ] {
                let labels = [("action", action), ("outcome", outcome)];
                text.sample("remote_total", &labels, count.get());
            }
        }
        text.family("remote_seconds", "histogram", "How long back ends took to answer");
        let mut count = 0;
        for (slot, at_most) in self.within.iter().zip(SECONDS.into_iter().map(Some).chain([None])) {
            count += slot.get();
            let at_most = at_most.map_or("+Inf".to_owned(), |s| format!("{s:?}"));
            text.sample("remote_seconds_bucket", &[("le", &at_most)], count);
        }
        text.sample("remote_seconds_count", &[], count);
        text.sample("remote_seconds_sum", &[], self.us.get() as f64 / 1e6);
    }
}

impl Rule {
    fn of(account: &Account) -> Rule {
        let remote = &account.remote;
        Rule {
            target: remote.url.as_deref().and_then(|url| Target::parse(url).ok()),
            key: Secret::new(signing_key(account)),
            push: remote.push,
            play: remote.play,
            play_if_unreachable: remote.play_if_unreachable,
            slots: Arc::new(Semaphore::new(ACCOUNT_IN_FLIGHT_MAX)),
            waiting: Arc::new(Semaphore::new(ACCOUNT_WAITING_MAX)),
        }
    }
}

impl Question {
    /// Tells it from all others. Queries are secrets, and long: they are not kept.
    fn hash(&self) -> Hash {
        let Question { action, account, app, stream, query, peer, protocol } = self;
        let mut hash = Sha256::new();
        let peer = peer.to_canonical().to_string();
        for part in [action.name(), account, app, stream, query, &peer, protocol] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }

    fn body(&self, node: &str) -> String {
        let Question { action, account, app, stream, query, peer, protocol } = self;
        json!({
            "action": action.name(),
            "appid": body::appid(account),
            "app": **app,
            "stream": **stream,
            "client_ip": peer.to_canonical().to_string(),
            "protocol": protocol,
            "stream_param": **query,
            "node": node,
        })
        .to_string()
    }
}

fn known(answer: Answer) -> Asking {
    std::future::ready(answer).boxed().shared()
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State { rules, answers, asking, .. } = self;
        write!(f, "{} rules, {} answers, {} asked", rules.len(), answers.len(), asking.len())
    }
}

/// Queries stay out of logs.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Question { action, account, app, stream, query: _, peer, protocol } = self;
        f.debug_struct("Question")
            .field("action", action)
            .field("stream", &format_args!("{account}/{app}/{stream}"))
            .field("peer", peer)
            .field("protocol", protocol)
            .finish_non_exhaustive()
    }
}

/// Upper ends of what is counted together, of how long an answer takes.
const SECONDS: [f64; 7] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0];
/// A peer waits for it, with a screen that shows nothing.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// As long as a client takes that lost its connection and comes back.
const ANSWER_GOOD_FOR: Duration = Duration::from_secs(5);
/// Answers that are kept: 800 new viewers a second for five seconds. With 60 bytes each 250 KB.
const ANSWERS_MAX: usize = 4096;
/// Questions on their way: a socket and some 100 KB each at most, 6 MB.
const IN_FLIGHT_MAX: usize = 64;
/// Of one account: four dead back ends at once leave nothing for the others, fewer do.
const ACCOUNT_IN_FLIGHT_MAX: usize = IN_FLIGHT_MAX / 4;
/// Of one account, those on their way and those that wait for their turn. A back end that answers in 50 ms has done with
/// 960 in three seconds. Each is of a peer that waits too, and has 5 KB of text: 5 MB.
const ACCOUNT_WAITING_MAX: usize = 1024;
/// From so many on, questions that nobody waits for any more are looked for at each new one.
const ASKING_TIDY: usize = 2048;
