//! HOT PATH. One pump: its decks, and whose turn it is.
//!
//! Nothing may keep others waiting: each turn of a deck is short or yields, what is due is what was
//! due when the round began, and commands have their turn in every round.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use thalweg_hub::{Bell, Filter, Stream};
use tokio::sync::mpsc;

use super::deck::{Deck, Outcome};
use super::viewer::{End, Seat, Tools, Viewer};
use crate::clock::now;
use crate::contain::contained;

/// What a pump is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Seat(u64, Box<Seat>),
    Say(u64, Vec<u8>),
    Pause(u64, bool),
    Filter(u64, Filter),
    Dismiss(u64),
}

/// A pump and everyone it serves.
#[derive(Debug)]
pub(super) struct Pump {
    commands: mpsc::Receiver<Command>,
    /// Decks whose stream has something new. Each rings once for each time its bell is wound, so
    /// there are never more in here than there are decks.
    rung: mpsc::UnboundedReceiver<DeckId>,
    ring: mpsc::UnboundedSender<DeckId>,
    decks: HashMap<DeckId, Deck>,
    by_stream: HashMap<(usize, Duration), DeckId>,
    deck_of: HashMap<u64, DeckId>,
    deck_ids: DeckId,
    /// When which deck is to be flushed, soonest first.
    due: BinaryHeap<Reverse<(Instant, DeckId)>>,
    /// Decks with a socket that was full, and when to look again.
    behind: Vec<DeckId>,
    retry_at: Option<Instant>,
    retry_wait: Duration,
    housekeeping_at: Instant,
    seated: Arc<AtomicUsize>,
    bytes_per_s_min: u64,
    tools: Tools,
}

type DeckId = u64;

/// What a deck's turn is for.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// Send what is new.
    Flush,
    /// Look again at sockets that were full.
    Retry,
    /// Serve one viewer.
    One(u64),
    /// Once a second: who has gone, who is too slow.
    KeepHouse,
}

impl Pump {
    pub(super) fn new(
        commands: mpsc::Receiver<Command>,
        seated: Arc<AtomicUsize>,
        bytes_per_s_min: u64,
    ) -> Self {
        let (ring, rung) = mpsc::unbounded_channel();
        Pump {
            commands,
            rung,
            ring,
            decks: HashMap::new(),
            by_stream: HashMap::new(),
            deck_of: HashMap::new(),
            deck_ids: 0,
            due: BinaryHeap::new(),
            behind: Vec::new(),
            retry_at: None,
            retry_wait: RETRY_MIN,
            housekeeping_at: now() + HOUSEKEEPING,
            seated,
            bytes_per_s_min,
            tools: Tools::default(),
        }
    }

    /// Serves until every sender of commands is gone.
    pub(super) async fn run(mut self) {
        loop {
            let wake_at = self.next_wake();
            tokio::select! {
                Some(id) = self.rung.recv() => self.on_ring(id),
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                () = tokio::time::sleep_until(wake_at.into()) => {}
            }
            while let Ok(id) = self.rung.try_recv() {
                self.on_ring(id);
            }
            for _ in 0..COMMANDS_A_ROUND {
                let Ok(command) = self.commands.try_recv() else { break };
                self.obey(command).await;
            }
            let now = now();
            self.flush_due(now).await;
            self.retry(now).await;
            self.keep_house(now).await;
        }
    }

    fn next_wake(&self) -> Instant {
        let due = self.due.peek().map(|Reverse((at, _))| *at);
        [due, self.retry_at].into_iter().flatten().fold(self.housekeeping_at, Instant::min)
    }

    fn on_ring(&mut self, id: DeckId) {
        self.flush_at(id, |deck| now() + deck.flush_interval());
    }

    /// Sets a deck's next flush, unless one is set.
    fn flush_at(&mut self, id: DeckId, when: impl FnOnce(&Deck) -> Instant) {
        if let Some(deck) = self.decks.get_mut(&id).filter(|d| !d.is_due) {
            deck.is_due = true;
            self.due.push(Reverse((when(deck), id)));
        }
    }

    async fn flush_due(&mut self, now: Instant) {
        while let Some(&Reverse((at, id))) = self.due.peek() {
            if at > now {
                return;
            }
            self.due.pop();
            if let Some(deck) = self.decks.get_mut(&id) {
                deck.is_due = false;
            }
            self.turn(id, Turn::Flush).await;
        }
    }

    /// Looks again at sockets that were full: soon, and less often while nothing moves.
    async fn retry(&mut self, now: Instant) {
        if self.retry_at.is_none_or(|at| at > now) {
            return;
        }
        self.retry_at = None;
        self.retry_wait = (self.retry_wait * 2).min(RETRY_MAX);
        for id in std::mem::take(&mut self.behind) {
            self.turn(id, Turn::Retry).await;
        }
    }

    async fn keep_house(&mut self, now: Instant) {
        if now < self.housekeeping_at {
            return;
        }
        self.housekeeping_at = now + HOUSEKEEPING;
        let ids: Vec<DeckId> = self.decks.keys().copied().collect();
        for id in ids {
            self.turn(id, Turn::KeepHouse).await;
        }
    }

    /// Gives a deck its turn. A bug that shows there ends that deck, and nobody else's.
    async fn turn(&mut self, id: DeckId, turn: Turn) {
        let Some(deck) = self.decks.get_mut(&id) else {
            return;
        };
        let (tools, gone, rate) = (&mut self.tools, &mut self.deck_of, self.bytes_per_s_min);
        let work = async {
            match turn {
                Turn::Flush => deck.flush(tools, gone).await,
                Turn::Retry => deck.serve(tools, gone, Viewer::is_behind).await,
                Turn::One(viewer) => deck.serve(tools, gone, |v| v.id == viewer).await,
                Turn::KeepHouse => deck.keep_house(now(), rate, gone),
            }
        };
        match contained(work).await {
            Ok(outcome) => self.after(id, turn, outcome),
            Err(panic) => {
                tracing::error!(panic, "the viewers of a stream were lost to a bug");
                self.abandon(id);
                self.tools = Tools::default();
            }
        }
    }

    fn after(&mut self, id: DeckId, turn: Turn, outcome: Outcome) {
        if matches!(turn, Turn::Flush) {
            self.flush_what_came_meanwhile(id);
        }
        if outcome.moved {
            self.retry_wait = RETRY_MIN;
        }
        if outcome.behind && !self.behind.contains(&id) {
            self.behind.push(id);
        }
        if !self.behind.is_empty() {
            self.retry_at.get_or_insert_with(|| now() + self.retry_wait);
        }
        self.close_if_over(id);
    }

    /// Winds the bell again, and looks once more: what came while it was not wound has not rung.
    fn flush_what_came_meanwhile(&mut self, id: DeckId) {
        let Some(deck) = self.decks.get(&id) else {
            return;
        };
        deck.wind();
        if let Some(came) = deck.news() {
            self.flush_at(id, |deck| came + deck.flush_interval());
        }
    }

    /// Lets the viewers of a stream go when it is over, and takes empty decks away.
    fn close_if_over(&mut self, id: DeckId) {
        let Some(deck) = self.decks.get_mut(&id) else {
            return;
        };
        deck.close_if_over(now(), &mut self.deck_of);
        if deck.is_empty() {
            self.take_away(id);
        }
    }

    fn take_away(&mut self, id: DeckId) {
        if let Some(deck) = self.decks.remove(&id) {
            self.by_stream.remove(&(address_of(deck.stream()), deck.flush_interval()));
            deck.take_down();
        }
    }

    /// Drops a deck that is in no known state.
    fn abandon(&mut self, id: DeckId) {
        self.take_away(id);
        self.deck_of.retain(|_, deck| *deck != id);
    }

    /// Does what it is asked. A bug that shows there is the end of the viewer it was about, who has
    /// been taken out of everything else by then.
    async fn obey(&mut self, command: Command) {
        if let Err(panic) = contained(self.command(command)).await {
            tracing::error!(panic, "a viewer was lost to a bug");
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Seat(id, seat) => self.seat(id, *seat).await,
            Command::Say(id, bytes) => self.change(id, |v| v.say(&bytes)).await,
            Command::Pause(id, pause) => self.change(id, |v| v.pause(pause)).await,
            Command::Filter(id, filter) => {
                self.change(id, |v| v.subscription.set_filter(filter)).await;
            }
            Command::Dismiss(id) => {
                if let Some(viewer) = self.take_viewer(id) {
                    viewer.leave(End::Dismissed);
                }
            }
        }
    }

    async fn seat(&mut self, id: u64, seat: Seat) {
        let stream = Arc::clone(seat.subscription.stream());
        let deck_id = self.deck_for(&stream, seat.flush);
        let viewer = Viewer::new(id, seat, &self.seated);
        self.put(deck_id, viewer);
        // First frames at once, outside the rhythm of the deck.
        self.turn(deck_id, Turn::One(id)).await;
    }

    /// Takes a viewer out of the common walk, changes it, and serves it by itself. It falls in
    /// with the others again when it is level.
    async fn change(&mut self, id: u64, change: impl FnOnce(&mut Viewer)) {
        let Some(deck_id) = self.deck_of.get(&id).copied() else {
            return;
        };
        let Some(mut viewer) = self.take_viewer(id) else {
            return;
        };
        change(&mut viewer);
        self.put(deck_id, viewer);
        self.turn(deck_id, Turn::One(id)).await;
    }

    fn put(&mut self, deck_id: DeckId, viewer: Viewer) {
        if let Some(deck) = self.decks.get_mut(&deck_id) {
            self.deck_of.insert(viewer.id, deck_id);
            deck.push_straggler(viewer);
        }
    }

    fn take_viewer(&mut self, id: u64) -> Option<Viewer> {
        let deck_id = self.deck_of.remove(&id)?;
        self.decks.get_mut(&deck_id)?.take_viewer(id)
    }

    /// The deck of a stream and an interval, made if it is not there.
    fn deck_for(&mut self, stream: &Arc<Stream>, flush: Duration) -> DeckId {
        if let Some(&id) = self.by_stream.get(&(address_of(stream), flush)) {
            return id;
        }
        self.deck_ids += 1;
        let id = self.deck_ids;
        let ring = self.ring.clone();
        let bell = Bell::new(move || {
            let _ = ring.send(id);
        });
        self.decks.insert(id, Deck::new(stream, flush, bell));
        self.by_stream.insert((address_of(stream), flush), id);
        id
    }
}

/// Tells streams apart while someone holds them.
fn address_of(stream: &Arc<Stream>) -> usize {
    Arc::as_ptr(stream) as usize
}

/// How soon a full socket is looked at again; how late, while none of them takes anything.
const RETRY_MIN: Duration = Duration::from_millis(10);
const RETRY_MAX: Duration = Duration::from_millis(80);
/// Commands taken before flushes have their turn.
const COMMANDS_A_ROUND: usize = 256;
const HOUSEKEEPING: Duration = Duration::from_secs(1);
