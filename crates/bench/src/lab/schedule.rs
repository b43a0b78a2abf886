//! The stream that is sent: which frame is due when, how large it is, and which ones count.

use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use thalweg_client::source::clock::Clock;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::time::Dts;

use crate::stamp;

/// A stream of 30 pictures and 43 frames of sound a second, without end.
///
/// Both ends know it, so that what does not come is known by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// When its first frames are due, ns on the machine's monotonic clock.
    pub began_ns: u64,
    /// From key frame to key frame, 1 or more seconds.
    pub gop_s: u64,
    /// Of pictures, kbit/s.
    pub kbps: u64,
}

/// The part of a stream that counts. It begins with a key frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Numbers of its pictures.
    pub video: Range<u64>,
    /// Numbers of its frames of sound.
    pub audio: Range<u64>,
    /// Pictures from key frame to key frame.
    pub gop: u64,
    /// When it begins and is over.
    pub ns: Range<u64>,
}

impl Window {
    /// So many bytes over its time.
    pub fn kbit_per_s(&self, bytes: u64) -> f64 {
        let seconds = self.ns.end.saturating_sub(self.ns.start) as f64 / S as f64;
        bytes as f64 * 8.0 / 1000.0 / seconds.max(f64::MIN_POSITIVE)
    }
}

/// A frame that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) kind: Kind,
    pub(super) number: u64,
    pub(super) ns: u64,
}

impl Schedule {
    /// The usual rate of pictures, kbit/s.
    pub const KBPS: u64 = 1900;

    /// The part that begins with the first key frame due at this moment or later.
    pub fn window(&self, from_ns: u64, seconds: u64) -> Window {
        let gop_s = self.gop_s.max(1);
        let gops = from_ns.saturating_sub(self.began_ns).div_ceil(gop_s * S);
        let (begin_s, end_s) = (gops * gop_s, gops * gop_s + seconds);
        let of = |per_s: u64| begin_s * per_s..end_s * per_s;
        Window {
            video: of(PICTURES_PER_S),
            audio: of(SOUNDS_PER_S),
            gop: gop_s * PICTURES_PER_S,
            ns: self.began_ns + begin_s * S..self.began_ns + end_s * S,
        }
    }

    /// All frames in order of time.
    pub(super) fn frames(self) -> impl Iterator<Item = Due> {
        let due =
            move |kind, number, per_s| Due { kind, number, ns: self.began_ns + number * S / per_s };
        let (mut video, mut audio) = (0, 0);
        std::iter::from_fn(move || {
            let picture = due(Kind::Video, video, PICTURES_PER_S);
            let sound = due(Kind::Audio, audio, SOUNDS_PER_S);
            let is_picture = picture.ns <= sound.ns;
            *(if is_picture { &mut video } else { &mut audio }) += 1;
            Some(if is_picture { picture } else { sound })
        })
    }

    /// A frame as it is sent at this moment: its body is one of H.264 or AAC, with a stamp.
    pub(super) fn frame(&self, due: Due, now_ns: u64) -> Frame {
        let dts = ((due.ns - self.began_ns) / 1_000_000) as Dts;
        if due.kind != Kind::Video {
            let payload = stamp::sound(due.number, now_ns, SOUND_BYTES);
            return Frame::new(Kind::Audio, dts, payload);
        }
        let gop = self.gop_s.max(1) * PICTURES_PER_S;
        // As large beside the others as in a stream of the usual rate.
        let key_bytes = KEY_BYTES * self.kbps / Schedule::KBPS;
        let (body, bytes) = match due.number % gop {
            0 => (KEY, key_bytes),
            _ => {
                let all = self.kbps * 1000 / 8 * self.gop_s.max(1);
                (DELTA, (all - key_bytes) / (gop - 1))
            }
        };
        let bytes = bytes as usize;
        let picture = Frame::new(Kind::Video, dts, Bytes::from_static(body));
        stamp::stamped(&picture, due.number, now_ns, bytes)
    }

    /// What is said before the first frame: metadata and sequence headers, those of the test clock.
    pub(super) fn headers() -> Vec<Frame> {
        let mut clock = Clock::new(SystemTime::now());
        let frames = std::iter::from_fn(|| Some(clock.next_frame().0));
        frames.take_while(|f| !f.is_media()).collect()
    }
}

const S: u64 = 1_000_000_000;
const PICTURES_PER_S: u64 = 30;
/// AAC of 1024 samples at 44.1 kHz.
const SOUNDS_PER_S: u64 = 43;
/// At the usual rate.
const KEY_BYTES: u64 = 60_000;
const SOUND_BYTES: usize = 372;
/// H.264, composition offset 0, a slice that is none: nobody decodes it.
const KEY: &[u8] = b"\x17\x01\0\0\0\0\0\0\x02\x65\x80";
const DELTA: &[u8] = b"\x27\x01\0\0\0\0\0\0\x02\x41\x80";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_has_its_rate_and_its_key_frames() {
        for (gop_s, want) in [(1, 1900), (2, 1900), (1, 1000)] {
            let schedule = Schedule { began_ns: 7 * S, gop_s, kbps: want };
            let frames: Vec<Due> = schedule.frames().take_while(|d| d.ns < 67 * S).collect();
            assert!(frames.is_sorted_by_key(|d| d.ns));
            let sent: Vec<Frame> = frames.iter().map(|d| schedule.frame(*d, d.ns)).collect();
            let of = |kind| sent.iter().filter(move |f| f.kind == kind);
            assert_eq!((of(Kind::Video).count(), of(Kind::Audio).count()), (1800, 2580));
            assert_eq!(of(Kind::Video).filter(|f| f.key).count() as u64, 60 / gop_s);
            let kbps = of(Kind::Video).map(|f| f.payload.len()).sum::<usize>() / 60 * 8 / 1000;
            assert!((want - 20..=want).contains(&(kbps as u64)), "{kbps}");
            assert!(of(Kind::Audio).all(|f| f.payload.len() == SOUND_BYTES && f.is_media()));
            for (due, frame) in frames.iter().zip(&sent) {
                let stamp = stamp::read(frame).unwrap();
                assert_eq!((stamp.number, stamp.ns), (due.number, due.ns));
                assert!(stamp.is_whole(frame));
            }
        }
    }

    #[test]
    fn a_window_is_whole_and_begins_with_a_key_frame() {
        let schedule = Schedule { began_ns: 5 * S, gop_s: 2, kbps: Schedule::KBPS };
        let window = schedule.window(8 * S + 1, 30);
        assert_eq!((window.video, window.audio), (120..1020, 172..1462));
        assert_eq!((window.gop, window.ns), (60, 9 * S..39 * S));
        assert_eq!(schedule.window(0, 30).video, 0..900);
    }

    #[test]
    fn the_headers_are_of_h264_and_aac() {
        let headers = Schedule::headers();
        for kind in [Kind::Video, Kind::Audio] {
            assert!(headers.iter().any(|f| f.kind == kind && f.config), "{kind:?}");
        }
    }
}
