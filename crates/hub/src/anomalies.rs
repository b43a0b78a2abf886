//! What is odd about what a publisher sends, counted frame by frame under the vendor's numbers.
//!
//! Looked at before anything else is done to a frame, in the publisher's own time. Every look is a few
//! comparisons; nothing is kept but counts.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use thalweg_wire::codec::Codec;
use thalweg_wire::flv::body;
use thalweg_wire::media::{Frame, Kind, MANY_TRACKS};
use thalweg_wire::time::Dts;

/// One kind of oddity, and how often it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anomaly {
    /// The vendor's number:
    ///
    /// | video | audio | |
    /// |---|---|---|
    /// | 1 | 2 | time went back |
    /// | 3 | 4 | time leapt by more than a second |
    /// | 5 | | the chunk size announced is over 8192 bytes; of the connection |
    /// | 6 | 7 | for more than 3 s there was no frame |
    /// | 8 | 9 | the codec changed |
    /// | 10 | 11 | a frame came before its codec's header |
    pub kind: u8,
    /// How often.
    pub count: u64,
    /// When first, UNIX ms.
    pub first_ms: u64,
    /// When last, UNIX ms.
    pub last_ms: u64,
    /// How bad it was at its worst: ms of 1 to 4, 6 and 7; bytes of 5; 0 for the rest.
    pub worst: u64,
}

/// What a publication has to be told apart by.
#[derive(Debug)]
pub(crate) struct Oddities {
    /// Sound, then pictures.
    lanes: [Lane; 2],
    seen: [Option<Seen>; KINDS],
    chunk_bytes: u32,
    /// When this was last summed up, or the publication began.
    since: Instant,
    has_any: bool,
}

#[derive(Debug, Default)]
struct Lane {
    last: Option<(Dts, Instant)>,
    codec: Option<Codec>,
    has_header: bool,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    count: u64,
    first: Instant,
    last: Instant,
    worst: u64,
}

impl Oddities {
    pub(crate) fn new(now: Instant) -> Self {
        let (lanes, seen) = ([Lane::default(), Lane::default()], [None; KINDS]);
        Oddities { lanes, seen, chunk_bytes: 0, since: now, has_any: false }
    }

    /// Whether there is something to sum up.
    pub(crate) fn has_any(&self) -> bool {
        self.has_any
    }

    /// Looks at a frame as it came.
    pub(crate) fn look(&mut self, frame: &Frame, now: Instant) {
        let (lane, class) = match frame.kind {
            Kind::Audio => (0, body::audio(&frame.payload)),
            Kind::Video => (1, body::video(&frame.payload)),
            Kind::Data => return,
        };
        if !matches!(frame.track, 0 | MANY_TRACKS) {
            return;
        }
        // Numbers come in pairs: pictures first.
        let of = |video: usize| video + usize::from(frame.kind == Kind::Audio);
        let state = &mut self.lanes[lane];
        let had = class.codec.and_then(|codec| state.codec.replace(codec));
        let is_changed = had.is_some() && had != class.codec;
        state.has_header = frame.config || state.has_header && !is_changed;
        let lacks_header = !state.has_header && class.codec.is_some_and(has_header);
        let mut step = None;
        if frame.is_media() {
            step = state.last.replace((frame.dts, now)).map(|(dts, at)| {
                (frame.dts.saturating_sub(dts), now.saturating_duration_since(at))
            });
        }
        if is_changed {
            self.see(of(CODEC_CHANGED), 0, now);
        }
        if lacks_header && frame.is_media() {
            self.see(of(BEFORE_HEADER), 0, now);
        }
        let Some((ms, gap)) = step else { return };
        if ms < 0 {
            self.see(of(TIME_BACK), ms.unsigned_abs(), now);
        }
        if ms > LEAP_MS {
            self.see(of(TIME_LEAPT), ms.unsigned_abs(), now);
        }
        if gap > GAP {
            self.see(of(FRAME_GAP), gap.as_millis() as u64, now);
        }
    }

    /// Looks at a chunk size that the peer has announced.
    pub(crate) fn look_at_chunks(&mut self, bytes: u32, now: Instant) {
        if bytes != self.chunk_bytes && bytes > CHUNK_BYTES_MAX {
            self.see(LONG_CHUNKS, u64::from(bytes), now);
        }
        self.chunk_bytes = bytes;
    }

    /// Sums up, when there is something and it is time, or the end.
    pub(crate) fn take(
        &mut self,
        is_end: bool,
        now: Instant,
        at: SystemTime,
    ) -> Option<(u64, Vec<Anomaly>)> {
        let interval = now.saturating_duration_since(self.since);
        if !self.has_any || !is_end && interval < REPORT_PAUSE {
            return None;
        }
        (self.since, self.has_any) = (now, false);
        let unix_ms = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let when = |t: Instant| {
            unix_ms.saturating_sub(now.saturating_duration_since(t).as_millis() as u64)
        };
        let all = std::mem::replace(&mut self.seen, [None; KINDS]);
        let list = all.iter().enumerate().filter_map(|(kind, seen)| {
            let Seen { count, first, last, worst } = (*seen)?;
            let kind = u8::try_from(kind).ok()?;
            Some(Anomaly { kind, count, first_ms: when(first), last_ms: when(last), worst })
        });
        Some((interval.as_millis() as u64, list.collect()))
    }

    fn see(&mut self, kind: usize, worst: u64, now: Instant) {
        let seen = self.seen[kind].get_or_insert(Seen { count: 0, first: now, last: now, worst });
        (seen.count, seen.last, seen.worst) = (seen.count + 1, now, seen.worst.max(worst));
        self.has_any = true;
    }
}

/// Whether a codec's frames mean nothing without a header before them.
fn has_header(codec: Codec) -> bool {
    matches!(codec, Codec::Avc | Codec::Hevc | Codec::Vvc | Codec::Av1 | Codec::Aac)
}

/// The vendor's numbers, of pictures.
const TIME_BACK: usize = 1;
const TIME_LEAPT: usize = 3;
const LONG_CHUNKS: usize = 5;
const FRAME_GAP: usize = 6;
const CODEC_CHANGED: usize = 8;
const BEFORE_HEADER: usize = 10;
/// They go to 11; 0 is none.
const KINDS: usize = 12;

const LEAP_MS: Dts = 1000;
const GAP: Duration = Duration::from_secs(3);
const CHUNK_BYTES_MAX: u32 = 8192;
/// A publication is spoken of once in so long.
pub const REPORT_PAUSE: Duration = Duration::from_secs(10);
