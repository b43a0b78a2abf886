//! The receiver of media: what came, in the order in which it can be decoded (section 4).
//!
//! Every message has a stream of its own, so they come in any order. Here they are put back into that
//! of their numbers, kind by kind and track by track. A hole is waited for as long as the caller has
//! patience; then what depends on it is given up:
//!
//! - sound and data go on without it;
//! - pictures go on with the next key frame that is whole. Until there is one they stand still; what
//!   was missing may still come, and then everything held is decoded at once;
//! - a server that takes in a publication waits no further: its viewers would all stand still.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::control::Message;
use super::generations::is_ahead;
use super::media::{Flags, GOP_FRAMES_MAX, Header};
use crate::error::{Error, Misbehaved};
use crate::media::{Frame, Kind};
use crate::time::{Dts, Unwrapper};

/// One session's incoming media.
#[derive(Debug)]
pub struct Receiver {
    purpose: Purpose,
    patience: Duration,
    body_bytes_max: usize,
    clock: Unwrapper,
    lanes: BTreeMap<(Kind, u8), Lane>,
    ready: VecDeque<Arrived>,
    counts: Counts,
}

/// What the media is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be shown. With `conceal`, pictures that refer to missing ones are decoded all the same.
    Play {
        /// Whether the decoder hides what is missing.
        conceal: bool,
    },
    /// To be handed on to viewers.
    Ingest,
}

/// A frame whose turn has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// The frame; configuration too, before the first frame that needs it.
    pub frame: Frame,
    /// What its header said. `start` is set as well where the receiver jumped.
    pub flags: Flags,
    /// Its number; 0 for configuration.
    pub seq: u32,
    /// When the stream's server got it, microseconds since 1970.
    pub ingest_us: Option<u64>,
    /// When the last of it came.
    pub came: Instant,
}

/// What came and what did not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The latest picture.
    pub video_seq_max: u32,
    /// Pictures.
    pub video_received: u32,
    /// Pictures that did not come in time, or at all.
    pub video_lost: u32,
    /// Pictures that came and could not be decoded, because of one that did not.
    pub video_undecodable: u32,
    /// Sound messages.
    pub audio_received: u32,
    /// Sound messages that did not come in time, or at all.
    pub audio_lost: u32,
    /// Times that pictures stood still until a key frame.
    pub jumps: u32,
    /// Bytes of bodies.
    pub bytes: u64,
}

/// One kind and track.
#[derive(Debug, Default)]
struct Lane {
    /// The number whose turn it is, unwrapped, less one.
    done: u64,
    held: BTreeMap<u64, Held>,
    held_bytes: usize,
    /// Since when a hole, or configuration that has not come, is waited for.
    stuck_since: Option<Instant>,
    /// When that is looked at again.
    look_at: Option<Instant>,
    /// Number of the key frame that the decoder goes by; none while it waits for one.
    gop: Option<u64>,
    /// Generation of the configuration that came last.
    known_cfg: u8,
    /// Configurations that came before the media that needs them.
    configs: VecDeque<(u8, Frame, Instant)>,
}

#[derive(Debug)]
enum Held {
    Whole {
        header: Header,
        body: Bytes,
        came: Instant,
    },
    /// Its sender has given it up.
    Gone {
        disposable: bool,
    },
}

impl Receiver {
    /// A receiver of bodies of at most so many bytes.
    pub fn new(purpose: Purpose, body_bytes_max: usize) -> Self {
        Receiver {
            purpose,
            patience: PATIENCE_AT_FIRST,
            body_bytes_max,
            clock: Unwrapper::default(),
            lanes: BTreeMap::new(),
            ready: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// What came and what did not.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes that wait for what comes before them.
    pub fn held_bytes(&self) -> usize {
        self.lanes.values().map(|l| l.held_bytes).sum()
    }

    /// Whether pictures stand still for want of a key frame.
    pub fn wants_key(&self) -> bool {
        let stands = |l: &Lane| l.gop.is_none() && l.done > 0;
        self.lanes.iter().any(|((kind, _), lane)| *kind == Kind::Video && stands(lane))
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lanes.values().filter_map(|lane| lane.look_at).min()
    }

    /// The next frame whose turn has come.
    pub fn poll_frame(&mut self) -> Option<Arrived> {
        self.ready.pop_front()
    }
}

/// What came from the network or the clock.
impl Receiver {
    /// How long holes are waited for from now on.
    pub fn handle_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Takes a configuration of the control stream.
    ///
    /// # Errors
    /// [`Misbehaved`] when it is of no kind of media, or there are too many.
    pub fn handle_config(&mut self, message: Message, now: Instant) -> Result<(), Error> {
        let kind = Kind::from_type(message.message_type).ok_or(Misbehaved::MediaHeader)?;
        let slot = (kind, message.track);
        self.lane(slot)?.known_cfg = message.cfg;
        // Its time is that of the sender's newest frame, or 0: it stands where it is needed.
        let frame = Frame::new(kind, Dts::from(message.timestamp), message.body.into());
        if kind == Kind::Data {
            self.ready.push_back(Arrived::config(frame, now));
            return Ok(());
        }
        let lane = self.lane(slot)?;
        if lane.configs.len() >= CONFIGS_MAX {
            return Err(Misbehaved::TooManyCommands.into());
        }
        lane.configs.push_back((message.cfg, frame, now));
        self.advance(slot, now);
        Ok(())
    }

    /// Takes a message of media. One that came before, or too late, is ignored.
    ///
    /// # Errors
    /// [`Misbehaved`] when its number cannot be, or there are too many tracks.
    pub fn handle_media(&mut self, header: Header, body: Bytes, now: Instant) -> Result<(), Error> {
        let slot = (header.kind, header.track);
        let len = body.len();
        let seq_max = self.counts.video_seq_max;
        let lane = self.lane(slot)?;
        let Some(seq) = lane.unwrap(header.seq)? else { return Ok(()) };
        if matches!(lane.held.get(&seq), Some(Held::Whole { .. })) {
            return Ok(());
        }
        lane.held.insert(seq, Held::Whole { header, body, came: now });
        lane.held_bytes += len;
        self.counts.bytes += len as u64;
        match header.kind {
            Kind::Video => {
                self.counts.video_received += 1;
                let is_newer = (header.seq.wrapping_sub(seq_max) as i32) > 0;
                self.counts.video_seq_max = if is_newer { header.seq } else { seq_max };
            }
            Kind::Audio => self.counts.audio_received += 1,
            Kind::Data => {}
        }
        self.advance(slot, now);
        self.keep_bounds(slot, now);
        Ok(())
    }

    /// The sender has reset a message's stream after its header came: it is not waited for.
    ///
    /// # Errors
    /// As [`handle_media`](Self::handle_media).
    pub fn handle_reset(&mut self, header: &Header, now: Instant) -> Result<(), Error> {
        let slot = (header.kind, header.track);
        let lane = self.lane(slot)?;
        if let Some(seq) = lane.unwrap(header.seq)? {
            lane.held.entry(seq).or_insert(Held::Gone { disposable: header.flags.disposable });
            self.advance(slot, now);
        }
        Ok(())
    }

    /// Gives up what has been waited for long enough.
    pub fn handle_timeout(&mut self, now: Instant) {
        let slots: Vec<_> = self.lanes.keys().copied().collect();
        slots.into_iter().for_each(|slot| self.advance(slot, now));
    }
}

/// Lanes.
impl Receiver {
    fn lane(&mut self, slot: (Kind, u8)) -> Result<&mut Lane, Error> {
        if self.lanes.len() >= TRACKS_MAX && !self.lanes.contains_key(&slot) {
            return Err(Misbehaved::TooManyTracks(TRACKS_MAX).into());
        }
        Ok(self.lanes.entry(slot).or_default())
    }

    /// Hands out what can be, and gives up what has been waited for long enough.
    fn advance(&mut self, slot: (Kind, u8), now: Instant) {
        let Some(mut lane) = self.lanes.remove(&slot) else { return };
        loop {
            self.hand_out(slot.0, &mut lane);
            lane.look_at = None;
            if lane.held.is_empty() {
                lane.stuck_since = None;
                break;
            }
            if self.pass_gone(slot.0, &mut lane) {
                continue;
            }
            let since = match lane.waits_for_config() {
                Some(came) => came,
                None => {
                    // A hole is there since what comes after it came, not since its turn has come.
                    let noticed = lane.first_whole_came().unwrap_or(now);
                    *lane.stuck_since.get_or_insert(noticed)
                }
            };
            let waited = now.saturating_duration_since(since);
            if !self.give_up(slot.0, &mut lane, waited) {
                let waits = [self.patience, CONFIG_WAIT, HOLD_MAX];
                lane.look_at = waits.into_iter().filter(|w| *w > waited).min().map(|w| since + w);
                break;
            }
            lane.stuck_since = None;
        }
        self.lanes.insert(slot, lane);
    }

    /// Hands out everything up to the first hole.
    fn hand_out(&mut self, kind: Kind, lane: &mut Lane) {
        while let Some(held) = lane.next_held() {
            let Held::Whole { header, .. } = held else { return };
            let needs_config = is_ahead(header.cfg, lane.known_cfg);
            if needs_config {
                return;
            }
            let header = *header;
            let Some((body, came)) = lane.take_next() else { return };
            if kind == Kind::Video && !lane.decodes(&header) {
                self.counts.video_undecodable += 1;
                continue;
            }
            self.hand_out_configs(lane, header.cfg);
            self.ready.push_back(Arrived {
                frame: Frame::new(kind, self.clock.unwrap(header.timestamp), body),
                flags: header.flags,
                seq: header.seq,
                ingest_us: header.ingest_us,
                came,
            });
        }
    }

    /// Configurations up to the one that a frame needs; those it no longer needs among them, so that
    /// whoever keeps them has all.
    fn hand_out_configs(&mut self, lane: &mut Lane, needed: u8) {
        while let Some((_, frame, came)) =
            lane.configs.pop_front_if(|(cfg, ..)| !is_ahead(*cfg, needed))
        {
            self.ready.push_back(Arrived::config(frame, came));
        }
    }

    /// Passes over what its sender has given up, and over nothing else: what is missing behind it may
    /// still come.
    fn pass_gone(&mut self, kind: Kind, lane: &mut Lane) -> bool {
        let Some(Held::Gone { disposable }) = lane.next_held() else { return false };
        if kind == Kind::Video && !disposable {
            if let Some(key) = lane.next_key(|_| true) {
                self.jump(lane, key);
                return true;
            }
            lane.gop = lane.gop.filter(|_| self.conceals());
        }
        self.count_lost(kind, 1);
        lane.done += 1;
        lane.held.remove(&lane.done);
        true
    }

    /// Gives up a hole, or what stands behind it; answers whether anything changed.
    fn give_up(&mut self, kind: Kind, lane: &mut Lane, waited: Duration) -> bool {
        if lane.waits_for_config().is_some() {
            return waited >= CONFIG_WAIT && self.drop_next(kind, lane);
        }
        let is_over = waited >= self.patience;
        if kind != Kind::Video {
            return is_over && self.skip_hole(kind, lane);
        }
        if is_over && lane.hole_is_disposable() {
            return self.skip_hole(kind, lane);
        }
        // A key frame that begins anew says that what is missing before it was given up.
        if let Some(key) = lane.next_key(|flags| is_over || flags.start) {
            self.jump(lane, key);
            return true;
        }
        let conceals = self.conceals() && lane.hole_is_in_gop();
        let gives_up = self.purpose == Purpose::Ingest || waited >= HOLD_MAX;
        if is_over && (conceals || gives_up) {
            lane.gop = lane.gop.filter(|_| conceals);
            return self.skip_hole(kind, lane);
        }
        false
    }

    fn conceals(&self) -> bool {
        self.purpose == Purpose::Play { conceal: true }
    }

    /// Goes on behind the hole.
    fn skip_hole(&mut self, kind: Kind, lane: &mut Lane) -> bool {
        let Some((front, _)) = lane.first_whole() else {
            // Nothing but what was given up: what comes next is not missing it.
            let last = lane.held.keys().next_back().copied().unwrap_or(lane.done);
            self.count_lost(kind, last - lane.done);
            lane.held.clear();
            lane.done = last;
            return true;
        };
        self.count_lost(kind, front - lane.done - 1);
        lane.held = lane.held.split_off(&front);
        lane.done = front - 1;
        true
    }

    fn drop_next(&mut self, kind: Kind, lane: &mut Lane) -> bool {
        self.count_lost(kind, 1);
        if kind == Kind::Video {
            lane.gop = None;
        }
        lane.take_next().is_some()
    }

    /// Goes on with a key frame, whatever is missing before it.
    fn jump(&mut self, lane: &mut Lane, key: u64) {
        let kept = lane.held.split_off(&key);
        let dropped = std::mem::replace(&mut lane.held, kept);
        let whole = dropped.values().filter(|h| matches!(h, Held::Whole { .. })).count() as u64;
        lane.held_bytes -= dropped.values().map(Held::bytes).sum::<usize>();
        self.counts.video_undecodable += whole as u32;
        self.count_lost(Kind::Video, key - lane.done - 1 - whole);
        self.counts.jumps += 1;
        lane.done = key - 1;
        if let Some(Held::Whole { header, .. }) = lane.held.get_mut(&key) {
            header.flags.start = true;
        }
    }

    fn count_lost(&mut self, kind: Kind, frames: u64) {
        match kind {
            Kind::Video => self.counts.video_lost += frames as u32,
            Kind::Audio => self.counts.audio_lost += frames as u32,
            Kind::Data => {}
        }
    }

    /// A peer that leaves holes on purpose makes us keep so much, and no more.
    fn keep_bounds(&mut self, slot: (Kind, u8), now: Instant) {
        let bytes_max = HELD_BYTES_MIN.max(2 * self.body_bytes_max);
        let Some(mut lane) = self.lanes.remove(&slot) else { return };
        while lane.held_bytes > bytes_max || lane.held.len() > HELD_FRAMES_MAX {
            lane.gop = None;
            self.skip_hole(slot.0, &mut lane);
            self.hand_out(slot.0, &mut lane);
            if lane.waits_for_config().is_some() {
                self.drop_next(slot.0, &mut lane);
            }
        }
        self.lanes.insert(slot, lane);
        self.advance(slot, now);
    }
}

impl Lane {
    /// The full number that the low 32 bits of one mean; `None` for one whose turn is over.
    fn unwrap(&self, seq: u32) -> Result<Option<u64>, Misbehaved> {
        let next = self.done + 1;
        let distance = i64::from(seq.wrapping_sub(next as u32) as i32);
        if distance > i64::from(AHEAD_MAX) {
            return Err(Misbehaved::MediaSeq { seq, next: next as u32, ahead: AHEAD_MAX });
        }
        Ok((distance >= 0).then(|| next + distance as u64))
    }

    /// What has come under the number whose turn it is.
    fn next_held(&self) -> Option<&Held> {
        self.held.get(&(self.done + 1))
    }

    fn take_next(&mut self) -> Option<(Bytes, Instant)> {
        let held = self.held.remove(&(self.done + 1))?;
        self.done += 1;
        self.stuck_since = None;
        self.held_bytes -= held.bytes();
        match held {
            Held::Whole { body, came, .. } => Some((body, came)),
            Held::Gone { .. } => None,
        }
    }

    /// Since when the message whose turn it is has been there without its configuration.
    fn waits_for_config(&self) -> Option<Instant> {
        match self.next_held() {
            Some(Held::Whole { header, came, .. }) => {
                is_ahead(header.cfg, self.known_cfg).then_some(*came)
            }
            _ => None,
        }
    }

    fn first_whole(&self) -> Option<(u64, &Header)> {
        self.held.iter().find_map(|(seq, held)| match held {
            Held::Whole { header, .. } => Some((*seq, header)),
            Held::Gone { .. } => None,
        })
    }

    fn first_whole_came(&self) -> Option<Instant> {
        self.held.values().find_map(|held| match held {
            Held::Whole { came, .. } => Some(*came),
            Held::Gone { .. } => None,
        })
    }

    /// The next key frame that is whole, if `accepts` takes it.
    fn next_key(&self, accepts: impl Fn(Flags) -> bool) -> Option<u64> {
        let is_key = |held: &Held| match held {
            Held::Whole { header, .. } => header.flags.key && accepts(header.flags),
            Held::Gone { .. } => false,
        };
        self.held.iter().find(|(_, held)| is_key(held)).map(|(seq, _)| *seq)
    }

    /// Whether nobody will miss what is missing: the first picture after the hole says so.
    fn hole_is_disposable(&self) -> bool {
        self.first_whole().is_some_and(|(seq, header)| {
            let missing = seq - self.done - 1;
            self.gop.is_some() && missing <= u64::from(header.flags.after_disposable)
        })
    }

    /// Whether the key frame of the first picture after the hole is there. If it is what is missing,
    /// nothing hides that.
    fn hole_is_in_gop(&self) -> bool {
        let key = self.gop.map(|key| key as u32);
        key.is_some() && self.first_whole().is_some_and(|(_, header)| key == Some(header.gop))
    }

    /// Whether the decoder has everything that this picture needs; a key frame begins a GOP. Its turn
    /// has come: the numbers of the GOP so far are done.
    fn decodes(&mut self, header: &Header) -> bool {
        if header.flags.key {
            self.gop = Some(self.done);
        }
        // The key frame of another GOP never came.
        self.gop = self.gop.filter(|key| *key as u32 == header.gop);
        self.gop.is_some()
    }
}

impl Held {
    fn bytes(&self) -> usize {
        match self {
            Held::Whole { body, .. } => body.len(),
            Held::Gone { .. } => 0,
        }
    }
}

impl Arrived {
    fn config(frame: Frame, came: Instant) -> Arrived {
        Arrived { frame, flags: Flags::default(), seq: 0, ingest_us: None, came }
    }
}

/// Before a caller knows better: three round trips of 50 ms.
const PATIENCE_AT_FIRST: Duration = Duration::from_millis(150);
/// A picture that has stood still for so long is not brought back by what comes now.
const HOLD_MAX: Duration = Duration::from_secs(2);
/// Media overtakes the control stream by a repair or two.
const CONFIG_WAIT: Duration = Duration::from_millis(500);
/// How far ahead of its turn a message may be: pictures that are held back up to the next key frame are
/// counted, so as far as a GOP is long.
const AHEAD_MAX: u32 = GOP_FRAMES_MAX;
/// Messages of a lane that wait for one before them: half a minute at 120 a second.
const HELD_FRAMES_MAX: usize = 4096;
/// Their bytes: 2 s at 32 Mbit/s. Two of the longest messages, where those are longer.
const HELD_BYTES_MIN: usize = 8 << 20;
/// Configurations that wait for their media.
const CONFIGS_MAX: usize = 32;
/// Kinds and tracks of one stream.
const TRACKS_MAX: usize = 16;
