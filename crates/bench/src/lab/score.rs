//! What came, when, and what that means for whoever watches. Pure.

use serde::{Deserialize, Serialize};
use thalweg_wire::media::Kind;

use super::schedule::Window;
use crate::trial::percentile;

/// Counts frames of a window as they come, in the order they would be decoded.
#[derive(Debug)]
pub struct Score {
    window: Window,
    video: Seen,
    audio: Seen,
    damaged: u64,
    /// Of the frames that came.
    bytes: u64,
}

/// A frame that is there.
#[derive(Debug, Clone, Copy)]
pub struct Came {
    /// Of sound or of pictures.
    pub kind: Kind,
    /// Its number.
    pub number: u64,
    /// How long after it was sent.
    pub after_ns: u64,
    /// Whether it is as it was sent.
    pub is_whole: bool,
    /// Its length.
    pub bytes: usize,
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// From the publisher's write to a whole picture at the viewer, in decode order.
    pub video: Option<Delays>,
    /// Pictures that were to come.
    pub frames: u64,
    /// Pictures that never came.
    pub lost: u64,
    /// Pictures that were lost, or follow a lost one in their GOP.
    pub undecodable: u64,
    /// Pictures that came later than [`Figures::LATE_MS`].
    pub late: u64,
    /// The same of sound.
    pub audio: Option<Delays>,
    /// Frames of sound that were to come.
    pub audio_frames: u64,
    /// Frames of sound that never came.
    pub audio_lost: u64,
    /// Frames that came changed: none should.
    pub damaged: u64,
    /// From the viewer's first packet to its first picture, ms.
    pub first_picture_ms: Option<f64>,
    /// What came of the stream over its time, sound and pictures.
    pub kbit_per_s: f64,
    /// What the greedy flow beside it got in that time, where there was one.
    pub beside_kbit_per_s: Option<f64>,
    /// Why it ended before its time.
    pub ended: Option<String>,
}

/// How late frames were, ms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Delays {
    /// Half of them were earlier.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
    /// All.
    pub max: f64,
}

impl Figures {
    /// What is later is too late for people who talk to each other.
    pub const LATE_MS: f64 = 400.0;
}

impl Score {
    /// Nothing has come yet.
    pub fn new(window: Window) -> Score {
        let seen = |range: &std::ops::Range<u64>| Seen {
            first: range.start,
            delays_ms: vec![None; (range.end - range.start) as usize],
            missing: range.end - range.start,
        };
        let (video, audio) = (seen(&window.video), seen(&window.audio));
        Score { window, video, audio, damaged: 0, bytes: 0 }
    }

    /// A frame is there. One that does not count, or was there before, changes nothing.
    pub fn arrive(&mut self, came: Came) {
        let seen = match came.kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
            Kind::Data => return,
        };
        if seen.arrive(came.number, came.after_ns as f64 / 1e6) {
            self.damaged += u64::from(!came.is_whole);
            self.bytes += came.bytes as u64;
        }
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.video.missing + self.audio.missing == 0
    }

    /// What it came to: what has not come is lost.
    pub fn figures(&self) -> Figures {
        let is_late = |ms: &&f64| **ms > Figures::LATE_MS;
        Figures {
            video: self.video.delays(),
            frames: self.video.delays_ms.len() as u64,
            lost: self.video.missing,
            undecodable: self.undecodable(),
            late: self.video.delays_ms.iter().flatten().filter(is_late).count() as u64,
            audio: self.audio.delays(),
            audio_frames: self.audio.delays_ms.len() as u64,
            audio_lost: self.audio.missing,
            damaged: self.damaged,
            kbit_per_s: self.window.kbit_per_s(self.bytes),
            ..Figures::default()
        }
    }

    /// The window begins with a key frame, so its GOPs are pieces of equal length.
    fn undecodable(&self) -> u64 {
        let gops = self.video.delays_ms.chunks(self.window.gop.max(1) as usize);
        let rest = |gop: &[Option<f64>]| {
            gop.iter().position(Option::is_none).map_or(0, |lost| gop.len() - lost)
        };
        gops.map(rest).sum::<usize>() as u64
    }
}

/// Frames of one kind.
#[derive(Debug)]
struct Seen {
    /// Number of the first.
    first: u64,
    delays_ms: Vec<Option<f64>>,
    missing: u64,
}

impl Seen {
    /// True if it was missing until now.
    fn arrive(&mut self, number: u64, ms: f64) -> bool {
        let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let Some(delay) = at.and_then(|at| self.delays_ms.get_mut(at)) else { return false };
        let is_new = delay.is_none();
        if is_new {
            *delay = Some(ms);
            self.missing -= 1;
        }
        is_new
    }

    fn delays(&self) -> Option<Delays> {
        let mut sorted: Vec<f64> = self.delays_ms.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |share| percentile(&sorted, share);
        Some(Delays { p50: at(0.5)?, p95: at(0.95)?, p99: at(0.99)?, max: at(1.0)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn came(kind: Kind, number: u64, after_ns: u64) -> Came {
        Came { kind, number, after_ns, is_whole: true, bytes: 1000 }
    }

    /// 4 GOPs of 5 pictures, from number 10 on, and 10 frames of sound.
    fn score() -> Score {
        Score::new(Window { video: 10..30, audio: 3..13, gop: 5, ns: 0..1000 * MS })
    }

    #[test]
    fn delays_are_of_the_frames_that_count() {
        let mut score = score();
        for number in 0..40 {
            let ms = if (10..30).contains(&number) { number + 1 } else { 5000 };
            score.arrive(came(Kind::Video, number, ms * MS));
            score.arrive(came(Kind::Audio, number, 401 * MS));
        }
        assert!(score.is_complete());
        let figures = score.figures();
        assert_eq!(figures.video, Some(Delays { p50: 21.0, p95: 29.0, p99: 30.0, max: 30.0 }));
        assert_eq!(figures.audio.map(|d| d.p99), Some(401.0));
        assert_eq!((figures.frames, figures.audio_frames), (20, 10));
        assert_eq!((figures.lost, figures.undecodable, figures.late), (0, 0, 0));
        assert_eq!(figures.kbit_per_s, 240.0, "30 frames of 1000 bytes in a second");
    }

    #[test]
    fn what_follows_a_lost_picture_is_undecodable_up_to_the_next_key_frame() {
        let mut score = score();
        for number in (10..30).filter(|n| ![12, 14, 20].contains(n)) {
            let delay = if number == 29 { 400 * MS + 1 } else { 400 * MS };
            score.arrive(came(Kind::Video, number, delay));
        }
        assert!(!score.is_complete());
        let figures = score.figures();
        assert_eq!((figures.lost, figures.undecodable, figures.late), (3, 3 + 5, 1));
        assert_eq!((figures.audio, figures.audio_lost), (None, 10));
    }

    #[test]
    fn a_frame_counts_once_and_one_that_changed_is_told() {
        let mut score = score();
        score.arrive(Came { is_whole: false, ..came(Kind::Video, 10, MS) });
        score.arrive(Came { is_whole: false, ..came(Kind::Video, 10, 900 * MS) });
        let figures = score.figures();
        assert_eq!((figures.damaged, figures.lost, figures.late), (1, 19, 0));
    }
}
