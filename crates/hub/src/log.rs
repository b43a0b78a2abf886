//! HOT PATH. The log of one stream: frames in the order they came, numbered, bounded.
//!
//! Budget: an append is one push, the eviction of what it pushes out, and for a key frame or a
//! configuration one more push. No frame's payload is touched.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use thalweg_wire::media::{Frame, Kind, MANY_TRACKS};
use thalweg_wire::time::Dts;

use crate::gop::ConfigSet;
use crate::limits::Retain;

/// Number of a frame in its stream's log. Numbers go on over publications and never repeat.
pub type Seq = u64;

/// Frames with what finding one's place needs.
#[derive(Debug)]
pub(crate) struct Log {
    retain: Retain,
    entries: VecDeque<Entry>,
    /// Number of `entries[0]`.
    first: Seq,
    /// Key frames among the entries.
    keys: VecDeque<Seq>,
    /// The configuration that holds from a number on, oldest first. Never empty.
    configs: VecDeque<(Seq, Arc<ConfigSet>)>,
    position: Position,
    /// Newcomers start no earlier: the frames of this publication begin here.
    pub(crate) publication_start: Seq,
    /// Whether this publication has brought video.
    pub(crate) has_video: bool,
}

/// A frame and its place.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) frame: Frame,
    /// When it came.
    pub(crate) at: Instant,
    /// Media time before this frame since the log began, ms.
    pub(crate) time_ms: u64,
    /// Payload bytes before this frame since the log began.
    pub(crate) bytes: u64,
}

/// Sums over everything that was ever appended.
#[derive(Debug, Default)]
struct Position {
    time_ms: u64,
    bytes: u64,
    /// This publication's clocks, of sound and of pictures.
    clocks: [Option<Clock>; 2],
    /// The latest time of the publications before.
    dts_before: Option<Dts>,
}

/// The latest time of a kind, and the media time it stands for.
#[derive(Debug, Clone, Copy)]
struct Clock {
    dts_max: Dts,
    time_ms: u64,
}

impl Log {
    pub(crate) fn new(retain: Retain) -> Self {
        Log {
            retain,
            entries: VecDeque::new(),
            first: 0,
            keys: VecDeque::new(),
            configs: VecDeque::from([(0, Arc::new(ConfigSet::default()))]),
            position: Position::default(),
            publication_start: 0,
            has_video: false,
        }
    }

    /// Appends a frame, and lets go of what is over the bounds.
    pub(crate) fn append(&mut self, frame: Frame, at: Instant) {
        let seq = self.head();
        if frame.is_media() {
            self.position.advance_to(frame.kind, frame.dts);
        }
        let (time_ms, bytes) = (self.position.time_ms, self.position.bytes);
        self.position.bytes += frame.payload.len() as u64;
        if frame.kind == Kind::Video && frame.is_media() {
            self.has_video = true;
        }
        if is_start(&frame) {
            self.keys.push_back(seq);
        }
        if frame.config
            && let Some(next) = self.configs_at(seq).with(&frame)
        {
            self.configs.push_back((seq + 1, Arc::new(next)));
        }
        self.entries.push_back(Entry { frame, at, time_ms, bytes });
        self.evict();
    }

    /// Begins a new publication: what was before it is for those who watch it already.
    pub(crate) fn begin_publication(&mut self) {
        let head = self.head();
        self.position.begin_publication();
        self.publication_start = head;
        self.has_video = false;
        self.keys.clear();
        // A publication that brought nothing leaves nothing.
        if self.configs.back().is_some_and(|&(from, _)| from == head) {
            self.configs.pop_back();
        }
        self.configs.push_back((head, Arc::new(ConfigSet::default())));
    }

    /// The number the next frame will get.
    pub(crate) fn head(&self) -> Seq {
        self.first + self.entries.len() as u64
    }

    /// The oldest number still here.
    pub(crate) fn first(&self) -> Seq {
        self.first
    }

    pub(crate) fn get(&self, seq: Seq) -> Option<&Entry> {
        self.entries.get(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }

    /// The entries from a number on.
    pub(crate) fn from(&self, seq: Seq) -> impl Iterator<Item = (Seq, &Entry)> {
        let skip = seq.saturating_sub(self.first) as usize;
        let begin = skip.min(self.entries.len());
        let first = self.first + begin as u64;
        self.entries.range(begin..).enumerate().map(move |(i, e)| (first + i as u64, e))
    }

    /// Key frames of this publication, oldest first.
    pub(crate) fn keys(&self) -> impl DoubleEndedIterator<Item = Seq> + '_ {
        self.keys.iter().copied()
    }

    /// The first key frame at or after a number.
    pub(crate) fn key_from(&self, seq: Seq) -> Option<Seq> {
        let i = self.keys.partition_point(|&key| key < seq);
        self.keys.get(i).copied()
    }

    /// What a viewer that starts with frame `seq` must have got before it.
    pub(crate) fn configs_at(&self, seq: Seq) -> Arc<ConfigSet> {
        let i = self.configs.partition_point(|&(from, _)| from <= seq);
        self.configs.get(i.saturating_sub(1)).map(|(_, set)| Arc::clone(set)).unwrap_or_default()
    }

    /// How far behind the head a number is: media ms, payload bytes.
    pub(crate) fn behind(&self, seq: Seq) -> (u64, u64) {
        match self.get(seq) {
            Some(e) => (self.position.time_ms - e.time_ms, self.position.bytes - e.bytes),
            None if seq < self.first => (u64::MAX, u64::MAX),
            None => (0, 0),
        }
    }

    /// Payload bytes, frames and media ms kept.
    pub(crate) fn kept(&self) -> (u64, usize, u64) {
        let (ms, bytes) = self.behind(self.first);
        (bytes, self.entries.len(), ms)
    }

    /// The latest time of any media, and when the last frame came.
    pub(crate) fn end(&self) -> Option<(Dts, Instant)> {
        self.position.dts_max().zip(self.entries.back().map(|e| e.at))
    }

    fn evict(&mut self) {
        loop {
            let (bytes, frames, ms) = self.kept();
            let over = bytes > self.retain.bytes_max
                || frames > self.retain.frames_max
                || ms > self.retain.span_max_ms;
            // One frame is kept even if it alone is over a bound: it is the head.
            if frames <= 1 || !(over || self.is_unwanted(self.first, ms)) {
                return;
            }
            self.drop_first();
        }
    }

    /// Whether no newcomer will ever start at `seq`, the oldest frame, or need it: a later one is
    /// old enough for the deepest start.
    fn is_unwanted(&self, seq: Seq, age_ms: u64) -> bool {
        if age_ms <= self.retain.want_ms {
            return false;
        }
        let next_start = if self.has_video { self.key_from(seq + 1) } else { Some(seq + 1) };
        next_start.is_some_and(|key| self.behind(key).0 >= self.retain.want_ms)
    }

    fn drop_first(&mut self) {
        self.entries.pop_front();
        self.first += 1;
        if self.keys.front().is_some_and(|&key| key < self.first) {
            self.keys.pop_front();
        }
        while self.configs.get(1).is_some_and(|&(from, _)| from <= self.first) {
            self.configs.pop_front();
        }
    }
}

impl Position {
    /// Media time goes on with the clock of the kind that is further on: encoders exist whose
    /// sound and pictures are many seconds apart.
    fn advance_to(&mut self, kind: Kind, dts: Dts) {
        let clock = &mut self.clocks[usize::from(kind == Kind::Video)];
        let clock = clock.get_or_insert(Clock { dts_max: dts, time_ms: self.time_ms });
        clock.advance_to(dts);
        self.time_ms = self.time_ms.max(clock.time_ms);
    }

    fn begin_publication(&mut self) {
        self.dts_before = self.dts_max();
        self.clocks = [None; 2];
    }

    fn dts_max(&self) -> Option<Dts> {
        self.clocks.iter().flatten().map(|c| c.dts_max).max().or(self.dts_before)
    }
}

impl Clock {
    /// Goes on by what the latest time grows. A leap of over ten seconds, either way, is another
    /// clock and not time that passed.
    fn advance_to(&mut self, dts: Dts) {
        let step = dts.saturating_sub(self.dts_max);
        if (1..=LEAP_MS).contains(&step) {
            self.time_ms += step as u64;
        }
        if !(-LEAP_MS..=0).contains(&step) {
            self.dts_max = dts;
        }
    }
}

/// Whether viewers may start at this frame.
pub(crate) fn is_start(frame: &Frame) -> bool {
    frame.key && matches!(frame.track, 0 | MANY_TRACKS)
}

const LEAP_MS: i64 = 10_000;
