//! HOT PATH. One pump: its decks, its timers, its walk.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use thalweg_hub::{Bell, Filter, Protocol, Seq, Stream};
use thalweg_wire::media::Frame;
use tokio::sync::mpsc;

use super::form::Form;
use super::viewer::{End, Seat, Served, Tools, Viewer};

use crate::clock::now;

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
    housekeeping_at: Instant,
    seated: Arc<AtomicUsize>,
    bytes_per_s_min: u64,
    tools: Tools,
}

type DeckId = u64;

/// The viewers of one stream who share a flush interval.
#[derive(Debug)]
struct Deck {
    stream: Arc<Stream>,
    flush: Duration,
    bell: Arc<Bell>,
    /// Whether a flush is set.
    is_due: bool,
    /// Everything before this frame has been sent to the level viewers.
    level: Seq,
    lanes: Vec<Lane>,
    stragglers: Vec<Viewer>,
    /// New frames that are being flushed; kept for its memory.
    frames: Vec<Frame>,
    /// Since when the stream is over.
    over_since: Option<Instant>,
}

/// Level viewers who read the same bytes.
#[derive(Debug)]
struct Lane {
    form: Form,
    filter: Filter,
    protocol: Protocol,
    viewers: Vec<Viewer>,
    /// The flush, and where in it each frame ends.
    buffer: Vec<u8>,
    ends: Vec<usize>,
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
                    Some(command) => self.command(command),
                    None => return,
                },
                () = tokio::time::sleep_until(wake_at.into()) => {}
            }
            while let Ok(id) = self.rung.try_recv() {
                self.on_ring(id);
            }
            for _ in 0..COMMANDS_A_TURN {
                let Ok(command) = self.commands.try_recv() else { break };
                self.command(command);
            }
            self.flush_due().await;
            self.retry();
            self.keep_house();
        }
    }

    fn next_wake(&self) -> Instant {
        let due = self.due.peek().map(|Reverse((at, _))| *at);
        [due, self.retry_at].into_iter().flatten().fold(self.housekeeping_at, Instant::min)
    }

    fn on_ring(&mut self, id: DeckId) {
        self.flush_at(id, |deck| now() + deck.flush);
    }

    /// Sets a deck's next flush, unless one is set.
    fn flush_at(&mut self, id: DeckId, when: impl FnOnce(&Deck) -> Instant) {
        if let Some(deck) = self.decks.get_mut(&id).filter(|d| !d.is_due) {
            deck.is_due = true;
            self.due.push(Reverse((when(deck), id)));
        }
    }

    async fn flush_due(&mut self) {
        while let Some(&Reverse((at, id))) = self.due.peek() {
            if at > now() {
                return;
            }
            self.due.pop();
            self.flush(id).await;
        }
    }

    /// Sends what is new in a deck's stream to everyone on it.
    async fn flush(&mut self, id: DeckId) {
        let Some(deck) = self.decks.get_mut(&id) else {
            return;
        };
        deck.is_due = false;
        let behind = deck.flush(&mut self.tools, &mut self.deck_of).await;
        deck.bell.wind();
        // What came while the bell was not wound has not rung.
        if deck.stream.head() > deck.level {
            self.flush_at(id, |deck| {
                let came = deck.stream.came_at(deck.level);
                came.unwrap_or_else(now) + deck.flush
            });
        }
        self.retry_if(behind, id);
        self.close_if_over(id);
    }

    fn retry_if(&mut self, behind: bool, id: DeckId) {
        if behind && !self.behind.contains(&id) {
            self.behind.push(id);
            self.retry_at.get_or_insert_with(|| now() + RETRY);
        }
    }

    /// Looks again at sockets that were full.
    fn retry(&mut self) {
        let now = now();
        if self.retry_at.is_none_or(|at| at > now) {
            return;
        }
        self.retry_at = None;
        for id in std::mem::take(&mut self.behind) {
            self.serve(id, Viewer::is_behind);
        }
    }

    /// Serves some stragglers of a deck.
    fn serve(&mut self, id: DeckId, which: impl Fn(&Viewer) -> bool) {
        if let Some(deck) = self.decks.get_mut(&id) {
            let now = now();
            let behind = deck.serve_stragglers(now, &mut self.tools, &mut self.deck_of, which);
            self.retry_if(behind, id);
        }
    }

    /// Once a second: who has gone, who is too slow, which decks are empty.
    fn keep_house(&mut self) {
        let now = now();
        if now < self.housekeeping_at {
            return;
        }
        self.housekeeping_at = now + HOUSEKEEPING;
        let rate = self.bytes_per_s_min;
        let ids: Vec<DeckId> = self.decks.keys().copied().collect();
        for id in ids {
            if let Some(deck) = self.decks.get_mut(&id) {
                deck.keep_house(now, rate, &mut self.deck_of);
            }
            self.close_if_over(id);
        }
    }

    /// Lets the viewers of a stream go when it is over, and takes empty decks away.
    fn close_if_over(&mut self, id: DeckId) {
        let Some(deck) = self.decks.get_mut(&id) else {
            return;
        };
        // A flush is on its way if there is anything left to send.
        if deck.stream.is_ended() && deck.level == deck.stream.head() {
            deck.close(now(), &mut self.deck_of);
        }
        if deck.is_empty() {
            deck.stream.take_down(&deck.bell);
            self.by_stream.remove(&(address_of(&deck.stream), deck.flush));
            self.decks.remove(&id);
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Seat(id, seat) => self.seat(id, *seat),
            Command::Say(id, bytes) => self.with_viewer(id, |v| v.say(&bytes)),
            Command::Pause(id, pause) => self.with_viewer(id, |v| {
                v.pause(pause);
                true
            }),
            Command::Filter(id, filter) => self.with_viewer(id, |v| {
                v.subscription.set_filter(filter);
                true
            }),
            Command::Dismiss(id) => {
                if let Some(viewer) = self.take_viewer(id) {
                    viewer.leave(End::Dismissed);
                }
            }
        }
    }

    fn seat(&mut self, id: u64, seat: Seat) {
        let stream = Arc::clone(seat.subscription.stream());
        let deck_id = self.deck_for(&stream, seat.flush);
        let viewer = Viewer::new(id, seat, &self.seated);
        if let Some(deck) = self.decks.get_mut(&deck_id) {
            deck.stragglers.push(viewer);
            self.deck_of.insert(id, deck_id);
        }
        // First frames at once, outside the rhythm of the deck.
        self.serve(deck_id, |v| v.id == id);
        self.close_if_over(deck_id);
    }

    /// The deck of a stream and an interval, made if it is not there.
    fn deck_for(&mut self, stream: &Arc<Stream>, flush: Duration) -> DeckId {
        if let Some(&id) = self.by_stream.get(&(address_of(stream), flush)) {
            return id;
        }
        self.deck_ids += 1;
        let id = self.deck_ids;
        let ring = self.ring.clone();
        let bell = Arc::new(Bell::new(move || {
            let _ = ring.send(id);
        }));
        stream.hang(Arc::clone(&bell));
        bell.wind();
        let deck = Deck {
            stream: Arc::clone(stream),
            flush,
            bell,
            is_due: false,
            level: stream.head(),
            lanes: Vec::new(),
            stragglers: Vec::new(),
            frames: Vec::new(),
            over_since: None,
        };
        self.decks.insert(id, deck);
        self.by_stream.insert((address_of(stream), flush), id);
        id
    }

    /// Takes a viewer out of the common walk, changes it, and serves it by itself. It falls in
    /// with the others again when it is level.
    fn with_viewer(&mut self, id: u64, change: impl FnOnce(&mut Viewer) -> bool) {
        let Some(deck_id) = self.deck_of.get(&id).copied() else {
            return;
        };
        let Some(mut viewer) = self.take_viewer(id) else {
            return;
        };
        if !change(&mut viewer) {
            return viewer.leave(End::TooSlow);
        }
        if let Some(deck) = self.decks.get_mut(&deck_id) {
            deck.stragglers.push(viewer);
            self.deck_of.insert(id, deck_id);
        }
        self.serve(deck_id, |v| v.id == id);
    }

    fn take_viewer(&mut self, id: u64) -> Option<Viewer> {
        let deck = self.decks.get_mut(&self.deck_of.remove(&id)?)?;
        if let Some(i) = deck.stragglers.iter().position(|v| v.id == id) {
            return Some(deck.stragglers.swap_remove(i));
        }
        let level = deck.level;
        deck.lanes.iter_mut().find_map(|lane| {
            let i = lane.viewers.iter().position(|v| v.id == id)?;
            let mut viewer = lane.viewers.swap_remove(i);
            viewer.subscription.level(level);
            Some(viewer)
        })
    }
}

impl Deck {
    /// Answers whether anyone is behind.
    async fn flush(&mut self, tools: &mut Tools, deck_of: &mut HashMap<u64, DeckId>) -> bool {
        self.frames.clear();
        let from = self.level;
        let head = self.stream.copy_from(from, &mut self.frames);
        let gone = self.frames.len() as u64 != head - from;
        self.level = head;
        for lane in &mut self.lanes {
            if gone {
                // The pump was so late that the log has let go of what is due: everyone is late.
                lane.disband(from, &mut self.stragglers);
            } else {
                lane.fill(&self.frames);
                lane.walk(from, &self.frames, &self.stream, &mut self.stragglers, deck_of).await;
            }
        }
        self.serve_stragglers(now(), tools, deck_of, |_| true)
    }

    /// Serves the stragglers that `which` picks; those that are level fall in with the others.
    /// Answers whether any of them is behind.
    fn serve_stragglers(
        &mut self,
        now: Instant,
        tools: &mut Tools,
        deck_of: &mut HashMap<u64, DeckId>,
        which: impl Fn(&Viewer) -> bool,
    ) -> bool {
        let (mut i, mut behind) = (0, false);
        while i < self.stragglers.len() {
            let viewer = &mut self.stragglers[i];
            if !which(viewer) {
                i += 1;
                continue;
            }
            let before = viewer.bytes;
            let served = viewer.serve(self.level, now, tools);
            self.stream.count_sent(viewer.subscription.protocol(), viewer.bytes - before);
            match served {
                Served::Gone(why) => {
                    let viewer = self.stragglers.swap_remove(i);
                    deck_of.remove(&viewer.id);
                    viewer.leave(why);
                }
                Served::Level if viewer.is_level(self.level) => {
                    let viewer = self.stragglers.swap_remove(i);
                    self.fall_in(viewer);
                }
                Served::Behind => {
                    behind = true;
                    i += 1;
                }
                Served::Level => i += 1,
            }
        }
        behind
    }

    fn fall_in(&mut self, mut viewer: Viewer) {
        viewer.subscription.level(self.level);
        let (form, filter) = (viewer.form, viewer.subscription.filter());
        let protocol = viewer.subscription.protocol();
        let fits = |l: &&mut Lane| (l.form, l.filter, l.protocol) == (form, filter, protocol);
        match self.lanes.iter_mut().find(fits) {
            Some(lane) => lane.viewers.push(viewer),
            None => {
                let (viewers, buffer, ends) = (vec![viewer], Vec::new(), Vec::new());
                self.lanes.push(Lane { form, filter, protocol, viewers, buffer, ends });
            }
        }
    }

    fn keep_house(&mut self, now: Instant, rate: u64, deck_of: &mut HashMap<u64, DeckId>) {
        for lane in &mut self.lanes {
            dismiss(&mut lane.viewers, End::PeerGone, deck_of, |v| v.peer_is_gone());
        }
        dismiss(&mut self.stragglers, End::PeerGone, deck_of, |v| v.peer_is_gone());
        dismiss(&mut self.stragglers, End::TooSlow, deck_of, |v| v.is_too_slow(now, rate));
        self.lanes.retain(|lane| !lane.viewers.is_empty());
    }

    /// The stream is over: level viewers go at once, the others get a moment to read the rest.
    fn close(&mut self, now: Instant, deck_of: &mut HashMap<u64, DeckId>) {
        let since = *self.over_since.get_or_insert(now);
        let all = now.saturating_duration_since(since) >= CLOSING;
        let lanes = self.lanes.drain(..).flat_map(|lane| lane.viewers);
        let stragglers = self.stragglers.extract_if(.., |v| all || !v.is_behind());
        for viewer in lanes.chain(stragglers) {
            deck_of.remove(&viewer.id);
            viewer.leave(End::StreamEnded);
        }
    }

    fn is_empty(&self) -> bool {
        self.stragglers.is_empty() && self.lanes.iter().all(|lane| lane.viewers.is_empty())
    }
}

impl Lane {
    /// Writes the flush out once, for everyone.
    fn fill(&mut self, frames: &[Frame]) {
        self.buffer.clear();
        self.ends.clear();
        if self.viewers.is_empty() {
            return;
        }
        for frame in frames {
            if self.filter.wants(frame) {
                self.form.write(frame, &mut self.buffer);
            }
            self.ends.push(self.buffer.len());
        }
        if self.buffer.capacity() > BUFFER_BYTES_KEPT && self.buffer.len() < BUFFER_BYTES_KEPT / 4 {
            self.buffer.shrink_to(BUFFER_BYTES_KEPT / 4);
        }
    }

    /// One write a viewer. Whoever does not take it all becomes a straggler.
    async fn walk(
        &mut self,
        from: Seq,
        frames: &[Frame],
        stream: &Stream,
        stragglers: &mut Vec<Viewer>,
        deck_of: &mut HashMap<u64, DeckId>,
    ) {
        if self.buffer.is_empty() {
            return;
        }
        let (mut i, mut walked, mut sent) = (0, 0usize, 0u64);
        while i < self.viewers.len() {
            match self.viewers[i].socket.try_write(&self.buffer) {
                Ok(n) if n == self.buffer.len() => {
                    self.viewers[i].bytes += n as u64;
                    sent += n as u64;
                    i += 1;
                }
                Ok(n) => {
                    sent += n as u64;
                    let viewer = self.viewers.swap_remove(i);
                    stragglers.push(self.fallen(viewer, n, from, frames));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let viewer = self.viewers.swap_remove(i);
                    stragglers.push(self.fallen(viewer, 0, from, frames));
                }
                Err(_) => {
                    let viewer = self.viewers.swap_remove(i);
                    deck_of.remove(&viewer.id);
                    viewer.leave(End::PeerGone);
                }
            }
            walked += 1;
            if walked.is_multiple_of(WALK) {
                tokio::task::yield_now().await;
            }
        }
        stream.count_sent(self.protocol, sent);
    }

    /// A viewer that took only `sent` bytes of the buffer.
    fn fallen(&self, mut viewer: Viewer, sent: usize, from: Seq, frames: &[Frame]) -> Viewer {
        viewer.bytes += sent as u64;
        let whole = self.ends.partition_point(|&end| end <= sent);
        let begin = whole.checked_sub(1).map_or(0, |i| self.ends[i]);
        let seq = from + whole as u64;
        let cut = frames.get(whole).filter(|_| sent > begin);
        let next = if cut.is_some() { seq + 1 } else { seq };
        viewer.fall_back(next, cut.map(|f| (f.clone(), sent - begin)), now());
        viewer
    }

    fn disband(&mut self, level: Seq, stragglers: &mut Vec<Viewer>) {
        for mut viewer in self.viewers.drain(..) {
            viewer.fall_back(level, None, now());
            stragglers.push(viewer);
        }
    }
}

/// Lets go of every viewer that `goes`.
fn dismiss(
    viewers: &mut Vec<Viewer>,
    why: End,
    deck_of: &mut HashMap<u64, DeckId>,
    goes: impl FnMut(&mut Viewer) -> bool,
) {
    for viewer in viewers.extract_if(.., goes) {
        deck_of.remove(&viewer.id);
        viewer.leave(why);
    }
}

/// Tells streams apart while someone holds them.
fn address_of(stream: &Arc<Stream>) -> usize {
    Arc::as_ptr(stream) as usize
}

/// How soon a full socket is looked at again.
const RETRY: Duration = Duration::from_millis(10);
/// Commands taken before the next flush has its turn.
const COMMANDS_A_TURN: usize = 256;
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// How long viewers of a stream that is over may still read what is left of it.
const CLOSING: Duration = Duration::from_secs(2);
/// Writes in a row before others on this core have a turn: some 2.5 ms.
const WALK: usize = 128;
/// A flush buffer larger than this is let go of when it is no longer needed: 100 ms at 20 Mbit/s.
const BUFFER_BYTES_KEPT: usize = 256 << 10;
