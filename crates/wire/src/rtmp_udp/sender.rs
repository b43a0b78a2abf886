//! The sender of media: what goes out, in which order, and what is given up (sections 4, 5 and 7).
//!
//! Frames enter with [`Sender::push`] and wait, in the order of their priority, until the transport
//! has credit for one more stream: then [`Sender::next_stream`] gives out the best. What was given
//! out is remembered until the peer has all of it, so that it may still be reset. Late data is given
//! up by rules, in the order in which it is worth least:
//!
//! | rule | what | when |
//! |---|---|---|
//! | D1 | a message | its time is over: 400 ms for sound, more for what others depend on |
//! | D2 | pictures of older GOPs | a newer key frame comes, and they are older than S |
//! | D3 | pictures up to the next key frame | the oldest that is not acknowledged is older than G; or what waits would take longer than 250 ms to send: then those on their way as well, but for key frames |
//! | D4 | the rest of a GOP | one of its pictures was given up |
//! | D5 | - | D3 happens too often: the viewer is told that its path is too narrow |

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

mod class;

use class::Class;

use super::Reset;
use super::control::Message;
use super::generations::Said;
use super::media::{self, Flags, Header};
use crate::flv::body;
use crate::media::{Frame, Kind};
use crate::time::to_wire;

/// One session's outgoing media.
#[derive(Debug)]
pub struct Sender {
    conceal: bool,
    path: Path,
    said: Said,
    tracks: BTreeMap<(Kind, u8), Track>,
    /// Everything that the peer does not yet have, by number.
    items: BTreeMap<Id, Item>,
    /// Those without a stream, best first.
    waiting: BTreeSet<(u8, Id)>,
    /// Those with a deadline, soonest first.
    deadlines: BTreeSet<(Instant, Id)>,
    /// Pictures among them, oldest first.
    pictures: BTreeSet<Id>,
    next_id: Id,
    bytes: usize,
    /// Of these, of a viewer's start: a burst takes its time.
    burst_bytes: usize,
    /// Since when something was there to be sent and the peer has had none of it.
    starved_since: Option<Instant>,
    actions: VecDeque<Action>,
    gatings: VecDeque<Instant>,
    stats: Stats,
}

/// Number of a stream of media within its session.
pub type Id = u64;

/// What the path is like, as the transport measures it.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    /// Smoothed round trip.
    pub srtt: Duration,
    /// Bytes that may be in flight.
    pub window: u64,
}

/// A stream to open.
#[derive(Debug)]
pub struct Outgoing {
    /// Its number: say it when the peer has all of it, or wants none.
    pub id: Id,
    /// Of the transport's: the higher goes first.
    pub priority: i32,
    /// Header and body, or the parts of a burst; then the stream's end.
    pub chunks: Vec<Bytes>,
}

/// What to do besides opening streams.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Say this on the control stream.
    Say(Message),
    /// Reset this stream.
    Reset(Id, Reset),
    /// Tell the viewer that its path is too narrow for the stream.
    TooNarrow,
}

/// What became of the frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Frames that entered.
    pub frames: u64,
    /// Frames that were never sent or were reset, by cause: in the order of [`Reset::ALL`].
    pub dropped: [u64; Reset::ALL.len()],
    /// Times that pictures were held back until the next key frame.
    pub gatings: u64,
    /// How long, in all; of a peer that does not acknowledge anything, up to twice G.
    pub gated: Duration,
}

/// How a viewer starts (section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// With all pictures since the newest key frame.
    #[default]
    Gop,
    /// With the key frame alone.
    Key,
}

#[derive(Debug, Default)]
struct Track {
    /// Of the last frame that entered.
    seq: u32,
    /// Of the last key frame.
    gop: Option<u32>,
    /// Disposable pictures right before the next one.
    disposable_run: u8,
    /// Pictures are held back until the next key frame, since then.
    gated_since: Option<Instant>,
    /// Nothing was left out since the decoder began.
    is_whole: bool,
}

#[derive(Debug)]
struct Item {
    kind: Kind,
    track: u8,
    gop: u32,
    class: Class,
    entered: Instant,
    deadline: Instant,
    /// Until it has a stream.
    chunks: Option<Vec<Bytes>>,
    bytes: usize,
    frames: u64,
}

impl Sender {
    /// A sender for a peer that repairs missing pictures itself (`conceal`), or does not.
    pub fn new(conceal: bool) -> Self {
        let rtt = INITIAL_RTT;
        Sender {
            conceal,
            path: Path { srtt: rtt, window: u64::MAX },
            said: Said::default(),
            tracks: BTreeMap::new(),
            items: BTreeMap::new(),
            waiting: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            pictures: BTreeSet::new(),
            next_id: 0,
            bytes: 0,
            burst_bytes: 0,
            starved_since: None,
            actions: VecDeque::new(),
            gatings: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Bytes that the peer does not yet have.
    pub fn queued_bytes(&self) -> usize {
        self.bytes
    }

    /// Frames that the peer does not yet have: sound, pictures.
    pub fn queued_frames(&self) -> (u32, u32) {
        let sound = self.items.values().filter(|i| i.kind == Kind::Audio).count();
        (sound as u32, self.pictures.len() as u32)
    }

    /// Whether the peer reads so much less than the stream brings that it had better leave.
    pub fn is_too_slow(&self, now: Instant) -> bool {
        let starves = |since| now.saturating_duration_since(since) > STARVED_MAX;
        self.bytes > QUEUE_BYTES_MAX || self.starved_since.is_some_and(starves)
    }

    /// Whether something waits for a stream.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether pictures are held back until the next key frame.
    pub fn is_gated(&self) -> bool {
        self.tracks.values().any(|t| t.gated_since.is_some())
    }

    /// What became of the frames.
    pub fn stats(&self, now: Instant) -> Stats {
        let gates = self.tracks.values().filter_map(|t| t.gated_since);
        let still: Duration = gates.map(|since| self.gated_for(since, now)).sum();
        Stats { gated: self.stats.gated + still, ..self.stats }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// What to do now besides opening streams.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }
}

/// What came from the network or the clock.
impl Sender {
    /// What the path is like now.
    pub fn handle_path(&mut self, path: Path) {
        self.path = path;
    }

    /// Lets go of what is too late (D1).
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.deadlines.first() {
            if at > now {
                return;
            }
            self.give_up(id, Reset::Late, now);
        }
    }

    /// The peer has all of a stream, or does not want it.
    pub fn handle_done(&mut self, id: Id) {
        // What was given up is forgotten already: that its reset is done says nothing of the peer.
        if self.forget(id).is_some() {
            self.starved_since = None;
        }
    }

    /// The peer cannot go on without a key frame: its decoder begins anew with the next one.
    pub fn handle_key_request(&mut self) {
        for ((kind, _), track) in &mut self.tracks {
            track.is_whole &= *kind != Kind::Video;
        }
    }
}

/// What the application wants.
impl Sender {
    /// Takes a frame of the stream in. Configuration is said on the control stream when it is new.
    pub fn push(&mut self, frame: &Frame, ingest_us: Option<u64>, now: Instant) {
        self.handle_timeout(now);
        let Some(header) = self.enroll(frame, ingest_us) else { return };
        if frame.kind == Kind::Video && !self.lets_through(&header, now) {
            self.stats.dropped[Reset::Gated.index()] += 1;
            return;
        }
        let header = self.mark_start(header);
        let chunks = vec![Bytes::copy_from_slice(&header.encode()), frame.payload.clone()];
        self.enter(&header, Class::of(&header), chunks, 1, now);
    }

    /// Takes in what a viewer starts with: everything from the newest key frame to the head, with the
    /// configuration that holds there before it. Short runs go out as a burst, on one stream; of a
    /// longer one the key frame alone, and pictures go on at the next.
    pub fn start(&mut self, frames: &[(Frame, Option<u64>)], start: Start, now: Instant) {
        let media = || frames.iter().map(|(f, _)| f).filter(|f| !f.config);
        let bytes: usize = media().map(|f| f.payload.len()).sum();
        let (first, last) = (media().map(|f| f.dts).min(), media().map(|f| f.dts).max());
        let span_ms = last.zip(first).map_or(0, |(last, first)| last.saturating_sub(first));
        if start == Start::Gop && span_ms <= BURST_SPAN_MAX_MS && bytes <= BURST_BYTES_MAX {
            self.start_with_burst(frames, now);
        } else {
            self.start_with_still(frames, now);
        }
    }

    fn start_with_burst(&mut self, frames: &[(Frame, Option<u64>)], now: Instant) {
        let pictures = || frames.iter().map(|(f, _)| f).filter(|f| is_picture(f));
        let newest = pictures().count();
        let end = frames.iter().map(|(f, _)| f.dts).max().unwrap_or_default();
        let mut burst = vec![Bytes::from_static(&[media::BURST])];
        let (mut lead, mut count, mut shown) = (None, 0, 0);
        for (frame, ingest_us) in frames {
            if !is_picture(frame) && !frame.config && frame.dts < end - BURST_AUDIO_MS {
                continue;
            }
            let Some(header) = self.enroll(frame, *ingest_us) else { continue };
            if frame.kind == Kind::Video && !self.lets_through(&header, now) {
                continue;
            }
            let mut header = self.mark_start(header);
            // What is shown first is the newest picture; sound before it is not heard any more.
            shown += usize::from(is_picture(frame));
            header.flags.catchup = shown < newest;
            let head = media::burst_head(&header, frame.payload.len());
            burst.extend([Bytes::copy_from_slice(&head), frame.payload.clone()]);
            // It is worth what its key frame is; without pictures, what its sound is.
            if lead.is_none_or(|lead: Header| lead.kind != Kind::Video && is_picture(frame)) {
                lead = Some(header);
            }
            count += 1;
        }
        if let Some(header) = lead {
            let class = match header.kind {
                Kind::Video => Class::Burst,
                Kind::Audio | Kind::Data => Class::of(&header),
            };
            self.enter(&header, class, burst, count, now);
        }
    }

    fn start_with_still(&mut self, frames: &[(Frame, Option<u64>)], now: Instant) {
        let key = frames.iter().rposition(|(f, _)| f.key);
        for (n, (frame, ingest_us)) in frames.iter().enumerate() {
            if frame.config || Some(n) == key {
                self.push(frame, *ingest_us, now);
            }
        }
        self.close_gates(now);
    }

    /// Frames of the stream were passed over before they came here: pictures begin anew with the next
    /// key frame.
    pub fn skip(&mut self, now: Instant) {
        // A hole in the numbers shows the receiver that something is missing.
        self.tracks.values_mut().for_each(|t| t.seq = t.seq.wrapping_add(1));
        self.close_gates(now);
    }

    /// The peer wants no more of a kind: what is on its way is given up. Pictures come back with a key
    /// frame.
    pub fn turn_off(&mut self, kind: Kind, now: Instant) {
        let ids: Vec<Id> =
            self.items.iter().filter(|(_, item)| item.kind == kind).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(item) = self.forget(id) {
                self.drop_item(id, &item, Reset::TrackOff);
            }
        }
        if kind == Kind::Video {
            self.close_gates(now);
        }
    }

    /// The best of what waits, for a stream that may be opened now.
    pub fn next_stream(&mut self, now: Instant) -> Option<Outgoing> {
        self.handle_timeout(now);
        let (_, id) = self.waiting.pop_first()?;
        let item = self.items.get_mut(&id)?;
        let chunks = item.chunks.take()?;
        Some(Outgoing { id, priority: item.class.priority(id), chunks })
    }
}

/// Frames, as they enter.
impl Sender {
    /// Gives a frame its number. `None` for configuration, which is said instead, and for a track
    /// too many.
    fn enroll(&mut self, frame: &Frame, ingest_us: Option<u64>) -> Option<Header> {
        if frame.config {
            self.actions.extend(self.said.say(frame).map(Action::Say));
            return None;
        }
        let slot = (frame.kind, frame.track);
        if self.tracks.len() >= TRACKS_MAX && !self.tracks.contains_key(&slot) {
            return None;
        }
        let track = self.tracks.entry(slot).or_default();
        track.seq = track.seq.wrapping_add(1);
        self.stats.frames += 1;
        let mut flags = Flags { key: frame.key, ..Flags::default() };
        let mut gop = 0;
        if frame.kind == Kind::Video {
            flags.disposable = !frame.key && body::is_disposable(&frame.payload);
            flags.after_disposable = track.disposable_run.min(3);
            track.disposable_run =
                if flags.disposable { track.disposable_run.saturating_add(1) } else { 0 };
            track.gop = if frame.key { Some(track.seq) } else { track.gop };
            gop = track.gop.unwrap_or_default();
        }
        let cfg = self.said.current(frame.kind, frame.track);
        let timestamp = to_wire(frame.dts);
        let (kind, track, seq) = (frame.kind, frame.track, track.seq);
        Some(Header { kind, flags, track, cfg, seq, gop, timestamp, ingest_us })
    }

    /// Whether a picture is sent: after a key frame, and while the path keeps up (D2, D3).
    fn lets_through(&mut self, header: &Header, now: Instant) -> bool {
        if header.flags.key && self.is_busy_with_key(header.track) {
            self.gate(header.track, now);
            return false;
        }
        if header.flags.key {
            self.supersede(header, now);
            self.open_gate(header.track, now);
            return true;
        }
        self.mind_backlog(now);
        let track = self.tracks.get(&(Kind::Video, header.track));
        // A GOP without end goes on with its next key frame, if there is one.
        let is_in_reach = header.seq.wrapping_sub(header.gop) < media::GOP_FRAMES_MAX;
        is_in_reach && track.is_some_and(|t| t.gop.is_some() && t.gated_since.is_none())
    }

    /// A key frame whose decoder must begin anew says so.
    fn mark_start(&mut self, mut header: Header) -> Header {
        if let Some(track) = self.tracks.get_mut(&(header.kind, header.track))
            && (header.kind != Kind::Video || header.flags.key)
        {
            header.flags.start = !std::mem::replace(&mut track.is_whole, true);
        }
        header
    }

    fn enter(
        &mut self,
        header: &Header,
        class: Class,
        chunks: Vec<Bytes>,
        frames: u64,
        now: Instant,
    ) {
        let id = self.next_id;
        self.next_id += 1;
        let bytes = chunks.iter().map(Bytes::len).sum();
        let deadline = now + class.time(self.path.srtt);
        let Header { kind, track, gop, .. } = *header;
        self.items.insert(
            id,
            Item {
                kind,
                track,
                gop,
                class,
                entered: now,
                deadline,
                chunks: Some(chunks),
                bytes,
                frames,
            },
        );
        self.waiting.insert((class.rank(), id));
        self.deadlines.insert((deadline, id));
        if kind == Kind::Video {
            self.pictures.insert(id);
        }
        self.starved_since.get_or_insert(now);
        self.bytes += bytes;
        self.burst_bytes += if class == Class::Burst { bytes } else { 0 };
    }
}

/// Frames, as they are given up.
impl Sender {
    /// D2: of older GOPs, what is older than S is not worth repairing.
    fn supersede(&mut self, key: &Header, now: Instant) {
        let worth = self.path.worth_repairing();
        let is_old =
            |item: &Item, age| item.track == key.track && item.gop != key.gop && age > worth;
        self.give_up_those(Reset::Superseded, now, is_old);
    }

    /// D3: when the oldest picture is older than G, the path is behind.
    fn mind_backlog(&mut self, now: Instant) {
        if self.is_narrow() {
            self.gate_all(now);
            // They wait behind the key frame, which is what the narrow path is for now.
            self.give_up_those(Reset::Gated, now, |item, _| item.class.is_delta());
            return;
        }
        let is_ours = |item: &&Item| item.class != Class::Burst;
        let oldest = self.pictures.iter().filter_map(|id| self.items.get(id)).find(is_ours);
        let age = oldest.map_or(Duration::ZERO, |item| now.saturating_duration_since(item.entered));
        if age > self.path.patience() {
            self.gate_all(now);
        }
    }

    /// Whether what waits would take too long to send as fast as the path takes it now.
    fn is_narrow(&self) -> bool {
        self.path.time_for((self.bytes - self.burst_bytes) as u64) > WAIT_MAX
    }

    /// Whether a key frame is on its way that a new one would only delay: on a path so narrow that one
    /// takes longer than a GOP, there would otherwise never be a picture.
    fn is_busy_with_key(&self, track: u8) -> bool {
        let is_key = |item: &Item| item.class == Class::Key && item.track == track;
        self.is_narrow() && self.pictures.iter().filter_map(|id| self.items.get(id)).any(is_key)
    }

    fn give_up_those(&mut self, why: Reset, now: Instant, which: impl Fn(&Item, Duration) -> bool) {
        let age = |item: &Item| now.saturating_duration_since(item.entered);
        let ids: Vec<Id> = self
            .pictures
            .iter()
            .copied()
            .filter(|id| self.items.get(id).is_some_and(|item| which(item, age(item))))
            .collect();
        ids.into_iter().for_each(|id| self.give_up(id, why, now));
    }

    /// Gives a message up; and with a picture the rest of its GOP (D4), unless the peer conceals.
    fn give_up(&mut self, id: Id, why: Reset, now: Instant) {
        let Some(item) = self.forget(id) else { return };
        self.drop_item(id, &item, why);
        if item.kind != Kind::Video || item.class == Class::Disposable {
            return;
        }
        if let Some(track) = self.tracks.get_mut(&(item.kind, item.track)) {
            track.is_whole = false;
        }
        if self.conceal {
            return;
        }
        let is_rest = |other: &Item| other.track == item.track && other.gop == item.gop;
        let rest: Vec<Id> = self
            .pictures
            .range(id..)
            .copied()
            .filter(|other| self.items.get(other).is_some_and(is_rest))
            .collect();
        for id in rest {
            if let Some(item) = self.forget(id) {
                self.drop_item(id, &item, why);
            }
        }
        if self.tracks.get(&(item.kind, item.track)).is_some_and(|t| t.gop == Some(item.gop)) {
            self.gate(item.track, now);
        }
    }

    fn drop_item(&mut self, id: Id, item: &Item, why: Reset) {
        self.stats.dropped[why.index()] += item.frames;
        if item.chunks.is_none() {
            self.actions.push_back(Action::Reset(id, why));
        }
    }

    fn forget(&mut self, id: Id) -> Option<Item> {
        let item = self.items.remove(&id)?;
        self.waiting.remove(&(item.class.rank(), id));
        self.deadlines.remove(&(item.deadline, id));
        self.pictures.remove(&id);
        self.bytes -= item.bytes;
        self.burst_bytes -= if item.class == Class::Burst { item.bytes } else { 0 };
        Some(item)
    }

    /// Holds pictures back until the next key frame, for no fault of the path.
    fn close_gates(&mut self, now: Instant) {
        for ((kind, _), track) in &mut self.tracks {
            if *kind == Kind::Video {
                track.close_gate(now);
            }
        }
    }

    fn gate_all(&mut self, now: Instant) {
        let tracks: Vec<u8> =
            self.tracks.keys().filter(|(kind, _)| *kind == Kind::Video).map(|(_, t)| *t).collect();
        tracks.into_iter().for_each(|track| self.gate(track, now));
    }

    /// Holds pictures back until the next key frame; too often, and the viewer is told (D5).
    fn gate(&mut self, track: u8, now: Instant) {
        let track = self.tracks.get_mut(&(Kind::Video, track));
        if !track.is_some_and(|t| t.close_gate(now)) {
            return;
        }
        self.stats.gatings += 1;
        self.gatings.retain(|at| now.saturating_duration_since(*at) < NARROW_SPAN);
        self.gatings.push_back(now);
        if self.gatings.len() > NARROW_GATINGS {
            self.gatings.clear();
            self.actions.push_back(Action::TooNarrow);
        }
    }

    fn open_gate(&mut self, track: u8, now: Instant) {
        if let Some(track) = self.tracks.get_mut(&(Kind::Video, track))
            && let Some(since) = track.gated_since.take()
        {
            self.stats.gated += self.gated_for(since, now);
        }
    }

    /// How long pictures have been held back from a peer that was there: for one that is not, nothing
    /// is held back.
    fn gated_for(&self, since: Instant, now: Instant) -> Duration {
        let gone = self.starved_since.map(|starved| starved + 2 * self.path.patience());
        gone.map_or(now, |gone| gone.min(now)).saturating_duration_since(since)
    }
}

impl Track {
    /// Answers whether it was open.
    fn close_gate(&mut self, now: Instant) -> bool {
        self.is_whole = false;
        let was_open = self.gated_since.is_none();
        self.gated_since.get_or_insert(now);
        was_open
    }
}

impl Path {
    /// How long until so many bytes, which the peer does not yet have, are on their way: what fits the
    /// window is, and a window is sent each round trip.
    fn time_for(self, bytes: u64) -> Duration {
        let unsent = bytes.saturating_sub(self.window);
        let round_trips = unsent as f64 / self.window.max(1) as f64;
        self.srtt.mul_f64(round_trips.min(ROUND_TRIPS_MAX))
    }

    /// G: how old the oldest picture may be before no more are sent.
    fn patience(self) -> Duration {
        GATE.max(5 * self.srtt)
    }

    /// S: how old a picture may be that is still repaired when a newer key frame is there.
    fn worth_repairing(self) -> Duration {
        WORTH_REPAIRING.max(2 * self.srtt)
    }
}

fn is_picture(frame: &Frame) -> bool {
    frame.kind == Kind::Video && frame.is_media()
}

/// Priority of the control stream.
pub const CONTROL_PRIORITY: i32 = i32::MAX;
/// Send queue of a viewer: 16 s at 2 Mbit/s, and the largest single message.
pub const QUEUE_BYTES_MAX: usize = 4 << 20;
/// A peer that has nothing for so long, because it grants no streams or reads none, is not watching.
const STARVED_MAX: Duration = Duration::from_secs(10);
/// Of the path before anything is known of it.
pub const INITIAL_RTT: Duration = Duration::from_millis(100);
/// Longest run of pictures that a viewer gets to catch up with.
const BURST_SPAN_MAX_MS: i64 = 4000;
/// The same in bytes: 4 s at 4 Mbit/s.
const BURST_BYTES_MAX: usize = 2 << 20;
/// Sound in a burst: what is older will not be heard.
const BURST_AUDIO_MS: i64 = 300;
const GATE: Duration = Duration::from_millis(450);
/// A picture that waits for longer is not worth sending.
const WAIT_MAX: Duration = Duration::from_millis(250);
/// Beyond any bound of time.
const ROUND_TRIPS_MAX: f64 = 1e6;
const WORTH_REPAIRING: Duration = Duration::from_millis(150);
/// More gatings than this in [`NARROW_SPAN`]: the path is too narrow for the stream.
const NARROW_GATINGS: usize = 3;
const NARROW_SPAN: Duration = Duration::from_secs(10);
/// Kinds and tracks of one stream.
const TRACKS_MAX: usize = 16;
