//! What is published: the test clock, or a recording over and over; each frame at its time, stamped.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use thalweg_client::source::clock::Clock;
use thalweg_client::source::flv;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::time::Dts;

use crate::process::monotonic_ns;
use crate::stamp;

/// What publishers send.
#[derive(Debug, Clone)]
pub enum Media {
    /// The test clock, padded to so many kbit/s.
    Clock(u32),
    /// A recording, from its beginning again when it is over.
    Recording(Arc<Recording>),
}

/// An FLV file in memory.
#[derive(Debug)]
pub struct Recording {
    frames: Vec<Frame>,
    /// Time of its beginning.
    zero: Dts,
    /// From its beginning to its beginning again, ms.
    span_ms: Dts,
    bytes: u64,
}

/// Why a file cannot be published over and over.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// It is not FLV, or damaged.
    #[error(transparent)]
    Flv(#[from] flv::Error),
    /// More than would be kept in memory.
    #[error("over {} MiB, which would all be kept in memory", BYTES_MAX >> 20)]
    TooLong,
    /// Stamps go into pictures of H.264 only, and there is none.
    #[error("no H.264 picture in it to put a stamp into")]
    NoPictures,
    /// Nothing to loop over.
    #[error("less than a second")]
    TooShort,
}

impl Media {
    /// Rate of a stream, kbit/s.
    pub fn kbps(&self) -> u32 {
        match self {
            Media::Clock(kbps) => *kbps,
            Media::Recording(r) => (r.bytes * 8 / r.span_ms.unsigned_abs()).max(1) as u32,
        }
    }
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(path: &Path) -> Result<Recording, Error> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(Error::TooLong);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let mut frames = Vec::new();
        runtime.block_on(async {
            let mut reader = flv::Reader::new(&bytes[..]);
            while let Some(frame) = reader.next_frame().await? {
                frames.push(frame);
            }
            Ok::<_, Error>(())
        })?;
        Recording::of(frames)
    }

    fn of(frames: Vec<Frame>) -> Result<Recording, Error> {
        let is_stamped = |f: &Frame| stamp::read(&stamp::stamped(f, 0, 0, 0)).is_some();
        let times = |of: fn(&Frame) -> bool| frames.iter().filter(move |f| of(f)).map(|f| f.dts);
        let pictures = times(|f| f.kind == Kind::Video && f.is_media()).count() as Dts;
        if !frames.iter().any(is_stamped) {
            return Err(Error::NoPictures);
        }
        let media = || times(Frame::is_media);
        let zero = media().min().unwrap_or(0);
        let length = media().max().unwrap_or(0) - zero;
        if length < LENGTH_MIN_MS {
            return Err(Error::TooShort);
        }
        // The last frame lasts as long as a picture does.
        let span_ms = length + length / (pictures - 1).max(1);
        let bytes = frames.iter().map(|f| f.payload.len() as u64).sum();
        Ok(Recording { frames, zero, span_ms, bytes })
    }
}

/// Frames, each due at its time.
#[derive(Debug)]
pub(crate) struct Source {
    frames: Frames,
    pictures: u64,
}

#[derive(Debug)]
enum Frames {
    Clock { clock: Clock, picture_bytes: usize },
    Recording { recording: Arc<Recording>, next: usize, lap: Dts, began: Instant },
}

impl Source {
    /// The media from now on.
    pub(crate) fn new(media: &Media) -> Source {
        let frames = match media {
            Media::Clock(kbps) => {
                let all = *kbps as usize * 1000 / 8;
                let picture_bytes = all.saturating_sub(SOUND_BYTES_PER_S) / PICTURES_PER_S;
                Frames::Clock { clock: Clock::new(SystemTime::now()), picture_bytes }
            }
            Media::Recording(recording) => Frames::Recording {
                recording: Arc::clone(recording),
                next: 0,
                lap: 0,
                began: Instant::now(),
            },
        };
        Source { frames, pictures: 0 }
    }

    /// The next frame, not yet stamped, and how long it is until it is due.
    pub(crate) fn next_frame(&mut self) -> (Frame, Duration) {
        match &mut self.frames {
            Frames::Clock { clock, .. } => {
                let (frame, due) = clock.next_frame();
                (frame, due.duration_since(SystemTime::now()).unwrap_or_default())
            }
            Frames::Recording { recording, next, lap, began } => {
                let frame = recording.frame(next, lap);
                let due = Duration::from_millis(frame.dts.unsigned_abs());
                (frame, due.saturating_sub(began.elapsed()))
            }
        }
    }

    /// Stamps a frame that leaves now.
    pub(crate) fn stamp(&mut self, frame: &Frame) -> Frame {
        let bytes = match self.frames {
            Frames::Clock { picture_bytes, .. } => picture_bytes,
            Frames::Recording { .. } => 0,
        };
        let stamped = stamp::stamped(frame, self.pictures, monotonic_ns(), bytes);
        self.pictures += u64::from(stamp::read(&stamped).is_some());
        stamped
    }
}

impl Recording {
    /// The frame at `next` of a lap, moved in time; goes on to the one after. Metadata and sequence
    /// headers are said in the first lap only.
    fn frame(&self, next: &mut usize, lap: &mut Dts) -> Frame {
        loop {
            if *next == self.frames.len() {
                (*next, *lap) = (0, *lap + 1);
            }
            let frame = &self.frames[*next];
            *next += 1;
            if *lap == 0 || frame.is_media() {
                let dts = (frame.dts - self.zero).max(0) + *lap * self.span_ms;
                return Frame { dts, ..frame.clone() };
            }
        }
    }
}

/// Half an hour of 500 kbit/s, eight minutes of 2 Mbit/s.
const BYTES_MAX: u64 = 128 << 20;
const LENGTH_MIN_MS: Dts = 1000;
/// The clock's own: see `docs/ref/clock.md`.
const PICTURES_PER_S: usize = 25;
const SOUND_BYTES_PER_S: usize = 4000;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn picture(dts: Dts) -> Frame {
        Frame::new(Kind::Video, dts, Bytes::from_static(b"\x27\x01\0\0\0\0\0\0\x03\x41\x9a\x02"))
    }

    #[test]
    fn a_recording_goes_on_from_its_beginning() {
        let header = Frame::new(Kind::Video, 0, Bytes::from_static(b"\x17\0\0\0\0\x01"));
        let frames =
            [vec![header], (0..=25).map(|i| picture(3_600_000 + i * 40)).collect()].concat();
        let recording = Arc::new(Recording::of(frames).unwrap());
        let mut source = Source::new(&Media::Recording(recording));
        let times: Vec<_> = (0..53).map(|_| source.next_frame().0.dts).collect();
        let want: Vec<_> = [0].into_iter().chain((0..52).map(|i| i * 40)).collect();
        assert_eq!(times, want, "the header once, the pictures at their distance");
    }

    #[test]
    fn what_cannot_be_stamped_or_looped_is_refused() {
        let sound = |dts| Frame::new(Kind::Audio, dts, Bytes::from_static(b"\xaf\x01abc"));
        for (frames, words) in [
            (vec![], "no H.264 picture"),
            (vec![sound(0), sound(5000)], "no H.264 picture"),
            (vec![picture(0), picture(500)], "less than a second"),
        ] {
            let error = Recording::of(frames).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains(words), "{error}");
        }
    }
}
