//! What is odd about a publication, under the vendor's numbers.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use common::World;
use thalweg_hub::{Publication, REPORT_PAUSE};
use thalweg_testkit::media::Recipe;
use thalweg_wire::media::{Frame, Kind};

const AVC_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1];
const AVC: &[u8] = &[0x27, 1, 0, 0, 0, 0];
const HEVC: &[u8] = &[0x2c, 1, 0, 0, 0, 0];
const AAC_HEADER: &[u8] = &[0xaf, 0, 0x12, 0x10];
const AAC: &[u8] = &[0xaf, 1, 0x21];
const MP3: &[u8] = &[0x2f, 0xff];

struct Encoder {
    publication: Publication,
    now: Instant,
}

impl Encoder {
    fn new() -> Self {
        let world = World::new();
        Encoder { publication: world.publish(), now: world.now }
    }

    fn send(&mut self, kind: Kind, dts: i64, payload: &'static [u8]) {
        let frame = Frame::new(kind, dts, Bytes::from_static(payload));
        self.publication.append(frame, self.now).unwrap();
    }

    fn video(&mut self, dts: i64) {
        self.send(Kind::Video, dts, AVC);
    }

    fn audio(&mut self, dts: i64) {
        self.send(Kind::Audio, dts, AAC);
    }

    fn headers(&mut self) {
        self.send(Kind::Video, 0, AVC_HEADER);
        self.send(Kind::Audio, 0, AAC_HEADER);
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    /// Kinds, how often each, and how bad.
    fn end(&mut self) -> Vec<(u8, u64, u64)> {
        let all = self.publication.anomalies(true, self.now, SystemTime::UNIX_EPOCH);
        all.map_or(Vec::new(), |a| a.list.iter().map(|a| (a.kind, a.count, a.worst)).collect())
    }
}

#[test]
fn an_ordinary_publication_is_not_odd() {
    let mut world = World::new();
    let mut publication = world.publish();
    world.play_out(&mut publication, &Recipe::default(), 5000);
    publication.note_chunk_bytes(8192, world.now);
    assert!(!publication.is_odd());
    assert!(publication.anomalies(true, world.now, SystemTime::UNIX_EPOCH).is_none());
}

#[test]
fn each_oddity_has_its_number() {
    let video = |times: &[i64]| {
        let mut e = Encoder::new();
        e.headers();
        times.iter().for_each(|dts| e.video(*dts));
        e.end()
    };
    let audio = |times: &[i64]| {
        let mut e = Encoder::new();
        e.headers();
        times.iter().for_each(|dts| e.audio(*dts));
        e.end()
    };
    assert_eq!(video(&[0, 40, 40, 1040]), []);
    assert_eq!(video(&[1000, 960, 1000, 980]), [(1, 2, 40)]);
    assert_eq!(audio(&[1000, 900]), [(2, 1, 100)]);
    assert_eq!(video(&[0, 1001, 5000]), [(3, 2, 3999)]);
    assert_eq!(audio(&[0, 1001, 0]), [(2, 1, 1001), (4, 1, 1001)]);

    let mut e = Encoder::new();
    for bytes in [128, 8192, 8193, 8193, 60_000] {
        e.publication.note_chunk_bytes(bytes, e.now);
    }
    assert_eq!(e.end(), [(5, 2, 60_000)]);

    let mut e = Encoder::new();
    e.headers();
    e.video(0);
    e.audio(0);
    e.wait(3000);
    e.video(900);
    e.wait(1);
    e.audio(900);
    assert_eq!(e.end(), [(7, 1, 3001)], "3 s are not more than 3 s");

    let mut e = Encoder::new();
    e.headers();
    e.send(Kind::Video, 0, HEVC);
    e.send(Kind::Audio, 0, MP3);
    assert_eq!(e.end(), [(8, 1, 0), (9, 1, 0), (10, 1, 0)], "MP3 has no header");

    let mut e = Encoder::new();
    e.video(0);
    e.audio(0);
    e.headers();
    e.video(40);
    e.audio(23);
    assert_eq!(e.end(), [(10, 1, 0), (11, 1, 0)]);
}

#[test]
fn they_are_told_once_in_a_while_and_when_there_are_any() {
    let mut e = Encoder::new();
    e.headers();
    e.wait(2000);
    e.video(1000);
    e.video(0);
    let at = |unix_ms: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms);
    e.wait(1000);
    assert!(e.publication.is_odd());
    assert!(e.publication.anomalies(false, e.now, at(100_000)).is_none(), "not yet");
    e.wait(REPORT_PAUSE.as_millis() as u64 - 3000);
    let told = e.publication.anomalies(false, e.now, at(107_000)).unwrap();
    assert_eq!((told.interval_ms, told.list.len(), told.epoch), (10_000, 1, 1));
    assert_eq!((told.list[0].first_ms, told.list[0].last_ms), (99_000, 99_000));
    // What was told is not told again.
    e.wait(60_000);
    assert!(!e.publication.is_odd());
    assert!(e.publication.anomalies(true, e.now, at(170_000)).is_none());
}
