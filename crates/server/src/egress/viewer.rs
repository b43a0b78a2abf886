//! One viewer of a pump: what it is to read next, and what became of the last write.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use thalweg_hub::{Away, Batch, Depth, Orders, Seq, Skipped, Subscription};
use thalweg_wire::media::Frame;

use super::form::{Form, Pieces};
use super::lane::Flush;
use crate::socket::Socket;

/// What a pump needs to serve a viewer.
#[derive(Debug)]
pub struct Seat {
    /// Where to write.
    pub socket: Arc<dyn Socket>,
    /// What to read.
    pub subscription: Subscription,
    /// How to write it.
    pub form: Form,
    /// Bytes to send before anything else: an HTTP head, RTMP statuses.
    pub greeting: Vec<u8>,
    /// Where to start.
    pub depth: Depth,
    /// How long to gather writes.
    pub flush: Duration,
    /// Whether the pump must notice by itself that the peer has gone, because nobody else reads.
    pub watch_peer: bool,
    /// What the pump looks at once a second: whether the viewer was sent away.
    pub orders: Option<Orders>,
    /// Called when the viewer leaves, for whatever reason.
    pub done: OnDone,
}

/// What to do when a viewer leaves. Not called, but dropped, when its pump ends first.
pub struct OnDone(Box<dyn FnOnce(Done) + Send>);

impl OnDone {
    /// Calls `tell`, which must be short.
    pub fn new(tell: impl FnOnce(Done) + Send + 'static) -> Self {
        OnDone(Box::new(tell))
    }
}

impl std::fmt::Debug for OnDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OnDone")
    }
}

/// How a viewer left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Why.
    pub why: End,
    /// What was still to be said to it, if the last message went out whole, so that this and more
    /// may be written after it.
    pub unsaid: Option<Vec<u8>>,
    /// Bytes it was sent.
    pub bytes: u64,
}

/// Why a viewer left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The peer closed or vanished.
    PeerGone,
    /// The peer read too slowly.
    TooSlow,
    /// The stream is over.
    StreamEnded,
    /// We were asked to let it go.
    Dismissed,
    /// It may not watch any more.
    SentAway(Away),
}

/// A viewer at work.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) id: u64,
    pub(super) socket: Arc<dyn Socket>,
    pub(super) subscription: Subscription,
    pub(super) form: Form,
    watch_peer: bool,
    orders: Option<Orders>,
    /// Bytes it was sent, but for those of the lane it is on.
    pub(super) bytes: u64,
    /// The sum of the lane it is on, when it came there.
    pub(super) joined_at: u64,
    done: Option<OnDone>,
    depth: Depth,
    /// Whether the stream has had something to start with.
    started: bool,
    paused: bool,
    /// Bytes to send before any frame, and how many of them are sent.
    lead: Vec<u8>,
    lead_sent: usize,
    /// What we were asked to say since all of that was last sent.
    said: usize,
    /// A frame that is partly sent, and how many of its bytes are.
    partial: Option<Box<(Frame, usize)>>,
    /// Set while the socket takes nothing: since when, and what had been sent then.
    slow: Option<Box<Slow>>,
    /// All viewers of all pumps, counted.
    seated: Arc<AtomicUsize>,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.seated.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Copy)]
struct Slow {
    since: Instant,
    bytes: u64,
}

/// What serving a viewer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    /// It has everything up to where it was to be served.
    Level,
    /// The socket is full, or there was more than one turn's worth.
    Behind,
    /// It is to leave.
    Gone(End),
}

/// Buffers that serving needs: the pump's, one for all its decks, because one is served at a time.
#[derive(Debug, Default)]
pub(super) struct Tools {
    batch: Batch,
    pieces: Pieces,
    /// Where each gathered frame of the batch ends.
    ends: Vec<usize>,
    /// What level viewers are sent.
    pub(super) flush: Flush,
    pub(super) breath: Breath,
}

/// After so many writes, whoever does them, others on this core have their turn.
#[derive(Debug, Default)]
pub(super) struct Breath {
    writes: usize,
}

impl Breath {
    /// Counts a write, and now and then lets others on this core have a turn.
    pub(super) async fn count(&mut self) {
        self.writes += 1;
        if self.writes == WRITES_A_BREATH {
            self.writes = 0;
            tokio::task::yield_now().await;
        }
    }
}

impl Viewer {
    pub(super) fn new(id: u64, seat: Seat, seated: &Arc<AtomicUsize>) -> Self {
        seated.fetch_add(1, Ordering::Relaxed);
        Viewer {
            id,
            socket: seat.socket,
            subscription: seat.subscription,
            form: seat.form,
            watch_peer: seat.watch_peer,
            orders: seat.orders,
            bytes: 0,
            joined_at: 0,
            done: Some(seat.done),
            depth: seat.depth,
            started: false,
            paused: false,
            lead: seat.greeting,
            lead_sent: 0,
            said: 0,
            partial: None,
            slow: None,
            seated: Arc::clone(seated),
        }
    }

    /// Adds control bytes, to go out at the next message border.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.said += bytes.len();
        // Past the bound it is cut at its next turn, and what it is not told is no loss.
        if self.said <= SAID_BYTES_MAX {
            self.lead.extend_from_slice(bytes);
        }
    }

    /// Stops media, or goes on with it: at the newest key frame, if that is ahead of where it was.
    pub(super) fn pause(&mut self, pause: bool) {
        let resumes = self.paused && !pause;
        self.paused = pause;
        if resumes && self.started {
            let skipped = self.subscription.to_live();
            self.write_skipped(skipped);
        }
    }

    /// The viewer leaves a lane that has sent so much in all.
    pub(super) fn left_lane(mut self, sent: u64) -> Self {
        self.bytes += sent - self.joined_at;
        self
    }

    /// Whether it is at a message border at `level`, wants every frame, and may be written to with
    /// everyone else.
    pub(super) fn is_level(&self, level: Seq) -> bool {
        self.is_playing()
            && self.form.is_shared()
            && self.partial.is_none()
            && self.lead.is_empty()
            && self.subscription.next() == level
            && self.subscription.takes_all()
    }

    /// Whether its socket was full the last time.
    pub(super) fn is_behind(&self) -> bool {
        self.slow.is_some()
    }

    /// Whether its socket keeps nothing of what it took; one that fails has nobody to keep it for.
    pub(super) fn is_flushed(&self) -> bool {
        !self.socket.flush().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
    }

    /// A write of a buffer shared with others took only `sent` bytes of it: `frame` is cut there.
    pub(super) fn fall_back(&mut self, next: Seq, partial: Option<(Frame, usize)>, now: Instant) {
        self.subscription.advance(next);
        self.partial = partial.map(Box::new);
        self.slow = Some(Box::new(Slow { since: now, bytes: self.bytes }));
    }

    /// Sends what is due, up to frame `until`.
    pub(super) fn serve(&mut self, until: Seq, now: Instant, tools: &mut Tools) -> Served {
        if self.said > SAID_BYTES_MAX {
            return Served::Gone(End::TooSlow);
        }
        // Asking a socket that is known to be full costs nothing; gathering for it would.
        if self.slow.is_some() && !self.socket.may_write() {
            return Served::Behind;
        }
        if !self.is_flushed() {
            self.is_slow_since(now);
            return Served::Behind;
        }
        for _ in 0..BATCHES_MAX {
            self.start();
            match self.serve_batch(until, tools) {
                Ok(Served::Level) if self.has_more(until) => {}
                Ok(Served::Level) => {
                    self.slow = None;
                    return Served::Level;
                }
                Ok(served) => {
                    self.is_slow_since(now);
                    return served;
                }
                Err(_) => return Served::Gone(End::PeerGone),
            }
        }
        // More than one turn's worth: the next turn has the rest.
        self.is_slow_since(now);
        Served::Behind
    }

    fn is_slow_since(&mut self, now: Instant) {
        let bytes = self.bytes;
        self.slow.get_or_insert_with(|| Box::new(Slow { since: now, bytes }));
    }

    /// Whether it has read less than `rate` bytes a second over the last [`SLOW_AFTER`], with
    /// something to read all the while.
    pub(super) fn is_too_slow(&mut self, now: Instant, rate: u64) -> bool {
        let Some(slow) = self.slow.as_mut() else {
            return false;
        };
        if now.saturating_duration_since(slow.since) < SLOW_AFTER {
            return false;
        }
        let read = self.bytes - slow.bytes;
        **slow = Slow { since: now, bytes: self.bytes };
        read < rate * SLOW_AFTER.as_secs()
    }

    /// Why it is to leave, if it is: its peer is gone, or it was sent away. `lane` is the sum of the
    /// lane it is on.
    pub(super) fn must_leave(&self, lane: Option<u64>) -> Option<End> {
        if self.peer_is_gone() {
            return Some(End::PeerGone);
        }
        let bytes = self.bytes + lane.map_or(0, |sent| sent - self.joined_at);
        self.orders.as_ref()?.look(bytes).map(End::SentAway)
    }

    /// Whether the peer has closed, if nobody else looks. What it sends otherwise means nothing
    /// and is dropped.
    fn peer_is_gone(&self) -> bool {
        if !self.watch_peer {
            return false;
        }
        let mut buf = [0; 512];
        for _ in 0..4 {
            match self.socket.try_read(&mut buf) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) => return e.kind() != io::ErrorKind::WouldBlock,
            }
        }
        false
    }

    /// Lets it go.
    pub(super) fn leave(mut self, why: End) {
        let clean = self.partial.is_none() && self.lead_sent == 0;
        let unsaid = clean.then(|| std::mem::take(&mut self.lead));
        if let Some(OnDone(tell)) = self.done.take() {
            tell(Done { why, unsaid, bytes: self.bytes });
        }
    }

    fn start(&mut self) {
        if self.started || self.paused {
            return;
        }
        if let Some(opening) = self.subscription.start(self.depth) {
            let filter = self.subscription.filter();
            self.form.write_opening(&opening, filter, &mut self.lead);
            self.started = true;
        }
    }

    fn is_playing(&self) -> bool {
        self.started && !self.paused
    }

    fn has_more(&self, until: Seq) -> bool {
        self.is_playing() && self.subscription.next() < until
    }

    /// Has fresh configuration sent after a jump, if it is another one.
    fn write_skipped(&mut self, skipped: Option<Skipped>) {
        if let Some((configs, dts)) = skipped.and_then(|s| s.configs.zip(Some(s.dts))) {
            let filter = self.subscription.filter();
            self.form.write_configs(configs.frames(), dts, filter, &mut self.lead);
        }
    }

    /// One vectored write: the rest of a frame that is cut, then what is to be said, then frames.
    fn serve_batch(&mut self, until: Seq, tools: &mut Tools) -> io::Result<Served> {
        let layout = self.gather(until, tools);
        let total = tools.pieces.len();
        let mut sent = layout.cut_sent;
        if sent < total {
            sent += match self.socket.try_write_vectored(&tools.pieces.slices(sent)) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
                Err(e) => return Err(e),
            };
        }
        self.bytes += (sent - layout.cut_sent) as u64;
        self.settle(&layout, sent, tools);
        Ok(if sent < total { Served::Behind } else { Served::Level })
    }

    fn gather(&mut self, until: Seq, tools: &mut Tools) -> Layout {
        let Tools { batch, pieces, ends, .. } = tools;
        pieces.clear();
        ends.clear();
        batch.frames.clear();
        batch.end = self.subscription.next();
        if self.is_playing() {
            let skipped =
                self.subscription.next_batch(batch, until, BATCH_FRAMES_MAX, BATCH_BYTES_MAX);
            self.write_skipped(skipped);
        }
        let mut layout = Layout::default();
        if let Some(cut) = &self.partial {
            pieces.push_frame(self.form, &cut.0);
            layout.cut_sent = cut.1;
        }
        layout.cut_end = pieces.len();
        if !self.lead.is_empty() {
            pieces.push_bytes(&self.lead[self.lead_sent..]);
        }
        layout.lead_end = pieces.len();
        for (_, frame) in &batch.frames {
            if pieces.count() > PIECES_MAX {
                break;
            }
            pieces.push_frame(self.form, frame);
            ends.push(pieces.len());
        }
        layout
    }

    /// Takes note of what the socket took: `sent` bytes from the front of the layout.
    fn settle(&mut self, layout: &Layout, sent: usize, tools: &Tools) {
        match &mut self.partial {
            Some(cut) if sent < layout.cut_end => cut.1 = sent,
            cut => *cut = None,
        }
        self.lead_sent += sent.min(layout.lead_end).saturating_sub(layout.cut_end);
        if self.lead_sent == self.lead.len() {
            self.lead = Vec::new();
            self.lead_sent = 0;
            self.said = 0;
        }
        let whole = tools.ends.partition_point(|&end| end <= sent);
        let Some((seq, frame)) = tools.batch.frames.get(whole) else {
            return self.subscription.advance(tools.batch.end);
        };
        let begin = whole.checked_sub(1).map_or(layout.lead_end, |i| tools.ends[i]);
        if sent > begin {
            self.partial = Some(Box::new((frame.clone(), sent - begin)));
            self.subscription.advance(seq + 1);
        } else {
            self.subscription.advance(*seq);
        }
    }
}

/// Where in the gathered bytes things lie.
#[derive(Debug, Default)]
struct Layout {
    /// Bytes of the cut frame that were sent before.
    cut_sent: usize,
    /// End of the cut frame.
    cut_end: usize,
    /// End of what is to be said before the frames.
    lead_end: usize,
}

/// Frames and payload bytes of one vectored write.
const BATCH_FRAMES_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 512 << 10;
/// Pieces gathered before the last frame of a write. The kernel takes 1024 at a time and a frame of
/// 16 MiB makes 560, so even with that the write is cut short nowhere but at a full socket.
const PIECES_MAX: usize = 400;
/// Writes in a row before others on this core have a turn: some 2.5 ms.
const WRITES_A_BREATH: usize = 128;
/// Writes a viewer gets in one turn: 4 MiB, then others have theirs.
const BATCHES_MAX: usize = 8;
/// Answers that may wait for a viewer that asks and does not read.
const SAID_BYTES_MAX: usize = 64 << 10;
/// A viewer is given this long to show that it reads.
pub(super) const SLOW_AFTER: Duration = Duration::from_secs(20);
