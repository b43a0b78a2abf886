//! The test clock: a picture of the time, with a bar code, and a beep each second.
//!
//! A loop of one minute, encoded once (`assets/make-clock.sh`), is sent aligned to the wall clock:
//! what shows second 12.3 leaves at second 12.3 of some minute. So what a viewer sees is the time,
//! and the time minus what is seen is the delay. `docs/ref/clock.md` describes the bars.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use thalweg_wire::amf0::Value;
use thalweg_wire::flv::Demuxer;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::time::Dts;

/// The clock, from some moment on, without end.
#[derive(Debug, Clone)]
pub struct Clock {
    minute: Arc<Minute>,
    /// UNIX ms of the moment that is time 0 of the stream.
    zero_ms: u64,
    /// UNIX ms of the minute being sent.
    minute_ms: u64,
    next: usize,
    headers: Vec<Frame>,
}

/// The loop.
#[derive(Debug)]
struct Minute {
    headers: Vec<Frame>,
    /// Media in order of time, 0 to 59 999.
    media: Vec<Frame>,
}

/// How long ago the clock said what a picture of it shows: up to a minute. `None` for a picture of
/// something else. The bytes are compared with the asset's, so nothing need be decoded; where a minute
/// has the same bytes twice, the later is meant.
pub fn delay_of(picture: &Frame, now_unix: Duration) -> Option<Duration> {
    static SHOWN: OnceLock<HashMap<Bytes, Vec<u64>>> = OnceLock::new();
    let shown = SHOWN.get_or_init(|| {
        let mut shown: HashMap<Bytes, Vec<u64>> = HashMap::new();
        for picture in minute().media.iter().filter(|f| f.kind == Kind::Video) {
            shown.entry(picture.payload.clone()).or_default().push(picture.dts as u64 * 1000);
        }
        shown
    });
    let minute_us = MINUTE_MS * 1000;
    let now_us = now_unix.as_micros() as u64 % minute_us;
    let ago_us = |shown_us: &u64| (now_us + minute_us - shown_us) % minute_us;
    shown.get(&picture.payload)?.iter().map(ago_us).min().map(Duration::from_micros)
}

impl Clock {
    /// A clock that begins with the first key frame after `now`: within a second.
    pub fn new(now: SystemTime) -> Clock {
        let now_ms = unix_ms(now);
        let zero_ms = now_ms.next_multiple_of(GOP_MS);
        let minute_ms = zero_ms - zero_ms % MINUTE_MS;
        let minute = minute();
        let begin = (zero_ms - minute_ms) as Dts;
        let next = minute.media.partition_point(|f| f.dts < begin);
        let headers = minute.headers.clone();
        Clock { minute, zero_ms, minute_ms, next, headers }
    }

    /// The next frame, its time counted from the start of the stream, and when it is due by the
    /// wall clock. Headers come first and are due with the first picture.
    pub fn next_frame(&mut self) -> (Frame, SystemTime) {
        if !self.headers.is_empty() {
            let header = self.headers.remove(0);
            return (header, UNIX_EPOCH + Duration::from_millis(self.zero_ms));
        }
        if self.next == self.minute.media.len() {
            self.next = 0;
            self.minute_ms += MINUTE_MS;
        }
        let frame = &self.minute.media[self.next];
        self.next += 1;
        let due_ms = self.minute_ms + frame.dts as u64;
        let dts = (due_ms - self.zero_ms) as Dts;
        (Frame { dts, ..frame.clone() }, UNIX_EPOCH + Duration::from_millis(due_ms))
    }
}

fn unix_ms(t: SystemTime) -> u64 {
    let since = t.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The loop, read once.
fn minute() -> Arc<Minute> {
    static MINUTE: OnceLock<Arc<Minute>> = OnceLock::new();
    let read = || {
        let mut demuxer = Demuxer::new(CLOCK_FLV.len());
        // The asset is ours and a test reads it: nothing can be wrong with it here.
        let _ = demuxer.handle_bytes(CLOCK_FLV);
        let frames = std::iter::from_fn(|| demuxer.poll_frame());
        let (configs, mut media): (Vec<_>, Vec<_>) = frames.partition(|f| f.config);
        // Pictures before sound of the same moment, so that a start at a key frame has its sound.
        media.sort_by_key(|f| (f.dts, f.kind != Kind::Video));
        let mut headers = vec![metadata()];
        headers.extend(configs.into_iter().filter(|f| f.kind != Kind::Data));
        Arc::new(Minute { headers, media })
    };
    Arc::clone(MINUTE.get_or_init(read))
}

fn metadata() -> Frame {
    let number = |name: &str, n: f64| (name.to_owned(), Value::Number(n));
    let properties = vec![
        number("width", 640.0),
        number("height", 360.0),
        number("framerate", 25.0),
        number("videocodecid", 7.0),
        number("audiocodecid", 10.0),
        number("audiosamplerate", 32_000.0),
        ("stereo".to_owned(), Value::Boolean(false)),
        ("encoder".to_owned(), Value::string("Thalweg clock")),
    ];
    let mut body = Vec::new();
    Value::string("onMetaData").encode(&mut body);
    Value::EcmaArray(properties).encode(&mut body);
    Frame::new(Kind::Data, 0, body.into())
}

const CLOCK_FLV: &[u8] = include_bytes!("../../assets/clock.flv");
const MINUTE_MS: u64 = 60_000;
const GOP_MS: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_ms: u64) -> Clock {
        Clock::new(UNIX_EPOCH + Duration::from_millis(unix_ms))
    }

    #[test]
    fn it_begins_with_headers_and_the_next_full_second() {
        let mut clock = at(1_700_000_012_345);
        let first: Vec<_> = (0..5).map(|_| clock.next_frame()).collect();
        assert!(first[..3].iter().all(|(f, _)| f.config));
        let (picture, due) = &first[3];
        assert!(picture.key && picture.dts == 0);
        assert_eq!(unix_ms(*due), 1_700_000_013_000);
        assert_eq!((first[4].0.kind, first[4].0.dts % 1000), (Kind::Audio, 24));
    }

    #[test]
    fn a_frame_leaves_at_the_second_it_shows() {
        let mut clock = at(1_700_000_012_345);
        for (frame, due) in (0..8000).map(|_| clock.next_frame()).skip(3) {
            let shown_ms = unix_ms(due) % MINUTE_MS;
            let same = minute()
                .media
                .iter()
                .any(|f| f.dts as u64 == shown_ms && f.payload.as_ptr() == frame.payload.as_ptr());
            assert!(same, "the frame of {shown_ms} is sent at {shown_ms}");
        }
    }

    #[test]
    fn time_rises_for_ever_and_nothing_is_missing_at_the_joint() {
        let mut clock = at(1_700_000_039_999); // the 59th second of a minute
        let frames: Vec<_> = (0..20_000).map(|_| clock.next_frame().0).skip(3).collect();
        for (kind, step) in [(Kind::Video, 40), (Kind::Audio, 32)] {
            let times: Vec<Dts> = frames.iter().filter(|f| f.kind == kind).map(|f| f.dts).collect();
            assert!(times.windows(2).all(|w| w[1] - w[0] == step), "{kind:?}");
        }
        let keys: Vec<Dts> = frames.iter().filter(|f| f.key).map(|f| f.dts).collect();
        assert!(keys.windows(2).all(|w| w[1] - w[0] == 1000));
    }

    #[test]
    fn a_picture_tells_how_late_it_is() {
        let mut clock = at(1_700_000_012_345);
        for (frame, due) in (0..4000).map(|_| clock.next_frame()).filter(|(f, _)| f.is_media()) {
            let later = due.duration_since(UNIX_EPOCH).unwrap() + Duration::from_millis(83);
            let delay = delay_of(&frame, later);
            assert_eq!(delay, (frame.kind == Kind::Video).then_some(Duration::from_millis(83)));
        }
    }

    #[test]
    fn the_asset_is_what_the_manual_says() {
        let minute = minute();
        let count = |kind| minute.media.iter().filter(|f| f.kind == kind).count();
        assert_eq!((count(Kind::Video), count(Kind::Audio)), (1500, 1875));
        assert!(CLOCK_FLV.len() < 2 << 20);
    }
}
